# SPDX-License-Identifier: Apache-2.0
"""The lines that ``docs/cinder.md`` tells a deployer to put into api-paste.ini, as data."""

STRATEGIES = {
    "noauth": "noauth",
    "noauth_include_project_id": "noauth_include_project_id",
    "keystone": "authtoken keystonecontext",
    "keystone_nolimit": "authtoken keystonecontext",
}
_BEFORE = "request_id cors http_proxy_to_wsgi faultwrap sizelimit osprofiler"


def _pipelines(filters: str) -> dict[str, str]:
    return {strategy: f"{_BEFORE} {auth} {filters} apiv3" for strategy, auth in STRATEGIES.items()}


PLUGIN = {
    "composite:osapi_volume": {
        "use": "call:cg_extension.cinder.paste:root_app_factory",
        "/v2": "openstack_volume_api_v2",
    },
    "composite:openstack_volume_api_v2": {
        "use": "call:cinder.api.middleware.auth:pipeline_factory",
        **_pipelines("consistencygroups volume_v2"),
    },
    "composite:openstack_volume_api_v3": _pipelines("consistencygroups"),
    "filter:consistencygroups": {
        "paste.filter_factory": "cg_extension.cinder.paste:filter_factory"
    },
    "filter:volume_v2": {"paste.filter_factory": "cg_extension.cinder.paste:v2_factory"},
}
