# SPDX-License-Identifier: Apache-2.0
"""The collection of group snapshots: its controller and its descriptor."""

from typing import Any

import webob

from cg_extension.api import controller, extensions, pagination, routes, validation, wsgi
from cg_extension.api.schemas import cgsnapshots as schemas
from cg_extension.api.views import cgsnapshots as views
from cg_extension.contract import exceptions, records
from cg_extension.policies import cgsnapshots as policies

LISTING = pagination.Listing(
    "cgsnapshots",
    filters=("name", "status", "consistencygroup_id", "project_id"),
    sort_keys=("id", "name", "status", "created_at"),
    link_key="cgsnapshot_links",
)

Query = dict[str, list[str]]
Document = dict[str, Any]


class CGSnapshotsController(controller.Controller):
    """Calls on group snapshots; ``routes`` says which path leads to which."""

    @wsgi.response(200, LISTING.schema(views.SUMMARY))
    @wsgi.query(LISTING.parameters)
    def index(self, req: webob.Request, query: Query) -> Document:
        """List ids and names."""
        self.authorize(wsgi.context_of(req), policies.GET_ALL)
        return self.list_page(
            req, query, LISTING, self.service.list_cgsnapshot_names, views.summary
        )

    @wsgi.response(200, LISTING.schema(views.DETAIL))
    @wsgi.query(LISTING.parameters)
    def detail(self, req: webob.Request, query: Query) -> Document:
        """List with all fields."""
        self.authorize(wsgi.context_of(req), policies.GET_ALL)
        return self.list_page(req, query, LISTING, self.service.list_cgsnapshots, views.detail)

    @wsgi.raises(exceptions.CGSnapshotNotFound)
    @wsgi.response(200, views.DOCUMENT)
    def show(self, req: webob.Request, id: str) -> Document:
        """Show one group snapshot."""
        cgsnapshot = self._get(req, id, policies.GET)
        return self._document(req, cgsnapshot)

    @wsgi.raises(exceptions.GroupNotFound, exceptions.InvalidState, exceptions.QuotaExceeded)
    @wsgi.response(202, views.DOCUMENT)
    @wsgi.body(schemas.CREATE)
    def create(self, req: webob.Request, body: Document) -> Document:
        """Take a snapshot of all of a group's volumes at one instant."""
        context = wsgi.context_of(req)
        self.authorize(context, policies.CREATE)
        values = body["cgsnapshot"]
        group_id = values["consistencygroup_id"]
        if not validation.is_uuid(group_id):
            raise exceptions.GroupNotFound(id=validation.shown(group_id))
        cgsnapshot = self.service.create_cgsnapshot(
            context,
            group_id=group_id,
            name=values.get("name"),
            description=values.get("description"),
        )
        return self._document(req, cgsnapshot)

    @wsgi.raises(exceptions.CGSnapshotNotFound, exceptions.InvalidState)
    @wsgi.response(202)
    def delete(self, req: webob.Request, id: str) -> None:
        """Delete a group snapshot with its snapshots."""
        cgsnapshot = self._get(req, id, policies.DELETE)
        self.service.delete_cgsnapshot(wsgi.context_of(req), cgsnapshot.id)

    @wsgi.raises(exceptions.CGSnapshotNotFound, exceptions.InvalidState)
    @wsgi.response(202)
    @wsgi.body(schemas.ACTION)
    def action(self, req: webob.Request, id: str, body: Document) -> None:
        """Set the status by hand: the only action."""
        cgsnapshot = self._get(req, id, policies.RESET_STATUS)
        [values] = body.values()
        context = wsgi.context_of(req)
        self.service.reset_cgsnapshot_status(context, cgsnapshot.id, status=values["status"])

    def _get(self, req: webob.Request, id: str, rule: str) -> records.CGSnapshot:
        return self.find(req, id, rule, self.service.get_cgsnapshot, exceptions.CGSnapshotNotFound)

    @staticmethod
    def _document(req: webob.Request, cgsnapshot: records.CGSnapshot) -> Document:
        return {"cgsnapshot": views.detail(cgsnapshot, wsgi.context_of(req))}


class Cgsnapshots(extensions.ExtensionDescriptor):
    """Snapshots of all volumes of a group at one instant."""

    name = "Cgsnapshots"
    alias = "cgsnapshots"
    updated = "2026-11-24T00:00:00+00:00"

    def get_resources(self) -> list[extensions.ResourceExtension]:
        controller = CGSnapshotsController(self.ext_mgr)
        table = routes.CGSNAPSHOTS
        return [extensions.ResourceExtension(self.alias, controller, table=table)]
