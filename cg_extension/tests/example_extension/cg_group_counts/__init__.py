# SPDX-License-Identifier: Apache-2.0
"""How many consistency groups are in which status: an example of a third party's extension."""

import collections
from typing import Any

import webob

from cg_extension.api import controller, extensions, wsgi
from cg_extension.contract import records
from cg_extension.policies import consistencygroups as policies


class GroupCountsController(controller.Controller):
    """One call, ``GET /group-counts``."""

    def index(self, req: webob.Request) -> dict[str, Any]:
        """Count the groups that the caller may see, ``osapi_max_limit`` of them at most."""
        context = wsgi.context_of(req)
        self.authorize(context, policies.GET_ALL)
        query = records.ListQuery(limit=self.conf.osapi_max_limit)
        page = self.service.list_groups(context, query)
        return {"group_counts": dict(collections.Counter(group.status for group in page.items))}


class GroupCounts(extensions.ExtensionDescriptor):
    """Numbers of consistency groups by status."""

    name = "GroupCounts"
    alias = "group-counts"
    updated = "2026-11-24T00:00:00+00:00"

    def get_resources(self) -> list[extensions.ResourceExtension]:
        return [extensions.ResourceExtension("group-counts", GroupCountsController(self.ext_mgr))]
