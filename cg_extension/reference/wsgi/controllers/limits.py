# SPDX-License-Identifier: Apache-2.0
"""``limits``: the caller's quotas and usage in the form that dashboards read."""

import itertools

import webob

from cg_extension.api import views, wsgi
from cg_extension.policies import limits as policies
from cg_extension.reference.wsgi.controllers import base

# Quota → names of its limit and of its usage.
_NAMES = {
    "volumes": ("maxTotalVolumes", "totalVolumesUsed"),
    "snapshots": ("maxTotalSnapshots", "totalSnapshotsUsed"),
    "gigabytes": ("maxTotalVolumeGigabytes", "totalGigabytesUsed"),
}
# There are no backups here; clients expect the figures nevertheless.
_NO_BACKUPS = dict.fromkeys(
    (
        "maxTotalBackups",
        "maxTotalBackupGigabytes",
        "totalBackupsUsed",
        "totalBackupGigabytesUsed",
    ),
    0,
)
_COUNT = {"type": "integer"}
_DOCUMENT = views.closed(
    {
        "limits": views.closed(
            {
                "rate": {"type": "array", "maxItems": 0},
                "absolute": views.closed(
                    dict.fromkeys((*_NO_BACKUPS, *itertools.chain(*_NAMES.values())), _COUNT)
                ),
            }
        )
    }
)


class LimitsController(base.Controller):
    """The one call on limits."""

    @wsgi.response(200, _DOCUMENT)
    @wsgi.query({"project_id": {"type": "array", "maxItems": 1}})
    def index(self, req: webob.Request, query: base.Query) -> base.Document:
        """Limits and usage of the caller's project, or of any project for administrators."""
        context = wsgi.context_of(req)
        project_id = query.get("project_id", [context.project_id or ""])[0]
        self.authorize_project(context, policies.GET, project_id)
        usage = self.service.get_quota_usage(context, project_id)
        absolute = dict(_NO_BACKUPS)
        for resource, (limit, used) in _NAMES.items():
            absolute[limit] = usage[resource].limit
            absolute[used] = usage[resource].in_use
        return {"limits": {"rate": [], "absolute": absolute}}
