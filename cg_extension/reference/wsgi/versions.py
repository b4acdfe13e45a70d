# SPDX-License-Identifier: Apache-2.0
"""The versions of the API: their discovery documents, and where each is mounted.

The documents are those that keystoneauth and openstacksdk look for, and need no token. Both
versions have the same calls, so a request to either goes on to the same application.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import webob
from oslo_config import cfg

from cg_extension.api import answer, faults, microversions, pagination, views
from cg_extension.reference.wsgi import pipeline

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    Filter = Callable[[WSGIApplication], WSGIApplication]

# The microversions that there are. Those of v2 are not named, since its clients know of none.
MICROVERSIONS = microversions.FIRST

VERSIONS: dict[str, dict[str, str]] = {
    "v2": {"id": "v2.0", "status": "SUPPORTED", "version": "", "min_version": ""},
    "v3": {
        "id": "v3.0",
        "status": "CURRENT",
        "version": MICROVERSIONS.newest,
        "min_version": MICROVERSIONS.oldest,
    },
}
_UPDATED = "2026-11-01T00:00:00Z"

# Of a version in a discovery document.
SCHEMA = views.closed(
    {
        "id": views.one_of(each["id"] for each in VERSIONS.values()),
        "status": views.one_of(each["status"] for each in VERSIONS.values()),
        "version": views.TEXT,
        "min_version": views.TEXT,
        "updated": views.TEXT,
        "links": views.listed(views.closed({"rel": {"enum": ["self"]}, "href": views.TEXT})),
        "media-types": views.listed(views.closed({"base": views.TEXT, "type": views.TEXT})),
    }
)


def _document(url: str, version: str) -> dict[str, Any]:
    media_type = f"application/vnd.openstack.volume+json;version={version[1:]}"
    return {
        **VERSIONS[version],
        "updated": _UPDATED,
        "links": [{"rel": "self", "href": f"{url}/{version}/"}],
        "media-types": [{"base": "application/json", "type": media_type}],
    }


class Versions:
    """Answers ``/``, ``/v2`` and ``/v3``; passes on what lies below the latter two."""

    def __init__(self, application: "WSGIApplication", conf: cfg.ConfigOpts) -> None:
        self._application = application
        self._conf = conf

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        version, _, rest = environ.get("PATH_INFO", "").lstrip("/").partition("/")
        if version in VERSIONS and rest:
            environ["SCRIPT_NAME"] = f"{environ.get('SCRIPT_NAME', '')}/{version}"
            environ["PATH_INFO"] = f"/{rest}"
            return self._application(environ, start_response)
        return self._discovery(environ, version)(environ, start_response)

    def _discovery(self, environ: dict[str, Any], version: str) -> answer.Answer:
        req = webob.Request(environ)
        if version and version not in VERSIONS:
            known = ", ".join(f"/{name}" for name in VERSIONS)
            return faults.fault(404, f"There is nothing at this path. The versions are {known}.")
        if req.method not in ("GET", "HEAD"):
            return faults.fault(405, "The versions can only be read.", {"Allow": "GET, HEAD"})
        url = pagination.base_url(req, self._conf) + req.script_name
        if version:
            return answer.Answer(200, {"versions": [_document(url, version)]})
        # 300 as Cinder has it: the client chooses.
        return answer.Answer(300, {"versions": [_document(url, name) for name in VERSIONS]})


def factory(global_conf: dict[str, str], **local_conf: str) -> "Filter":
    """Paste factory of :class:`Versions`."""
    conf = pipeline.current().conf
    return lambda application: Versions(application, conf)
