# SPDX-License-Identifier: Apache-2.0
"""Snapshots of single volumes: all their calls, metadata and actions."""

import webob

from cg_extension.api import pagination, validation, wsgi
from cg_extension.contract import exceptions, records
from cg_extension.policies import snapshots as policies
from cg_extension.reference.service import metadata
from cg_extension.reference.service import snapshots as service_snapshots
from cg_extension.reference.wsgi.controllers import base
from cg_extension.reference.wsgi.schemas import snapshots as schemas
from cg_extension.reference.wsgi.views import snapshots as views

LISTING = pagination.Listing(
    "snapshots",
    filters=service_snapshots.FILTERS,
    sort_keys=("id", "name", "status", "volume_id", "created_at"),
    sort_aliases=pagination.CINDERS_SORT_ALIASES,
)

# Action → its function here.
ACTIONS = {"os-reset_status": "reset_status", "os-force_delete": "force_delete"}


class SnapshotsController(base.Controller):
    """Calls on snapshots."""

    @wsgi.response(200, LISTING.schema(views.SUMMARY))
    @wsgi.query(LISTING.parameters)
    def index(self, req: webob.Request, query: base.Query) -> base.Document:
        """List without the extended attributes."""
        self.authorize(wsgi.context_of(req), policies.GET_ALL)
        return self.list_page(req, query, LISTING, self.service.list_snapshots, views.summary)

    @wsgi.response(200, LISTING.schema(views.DETAIL))
    @wsgi.query(LISTING.parameters)
    def detail(self, req: webob.Request, query: base.Query) -> base.Document:
        """List with all that is known."""
        self.authorize(wsgi.context_of(req), policies.GET_ALL)
        return self.list_page(req, query, LISTING, self.service.list_snapshots, views.detail)

    @wsgi.raises(exceptions.SnapshotNotFound)
    @wsgi.response(200, views.DOCUMENT)
    def show(self, req: webob.Request, id: str) -> base.Document:
        """Show one snapshot."""
        return self._document(req, self._find(req, id, policies.GET))

    @wsgi.raises(exceptions.VolumeNotFound, exceptions.InvalidState, exceptions.QuotaExceeded)
    @wsgi.response(202, views.DOCUMENT)
    @wsgi.body(schemas.CREATE)
    def create(self, req: webob.Request, body: base.Document) -> base.Document:
        """Take a snapshot of a volume."""
        context = wsgi.context_of(req)
        values = body["snapshot"]
        force = validation.boolean("force", values.get("force", False))
        volume = self.find(
            req,
            values["volume_id"],
            policies.CREATE,
            self.service.get_volume,
            exceptions.VolumeNotFound,
        )
        snapshot = self.service.create_snapshot(
            context,
            volume_id=volume.id,
            name=values.get("name"),
            description=values.get("description"),
            force=force,
            metadata=values.get("metadata"),
        )
        return self._document(req, snapshot)

    @wsgi.raises(exceptions.SnapshotNotFound)
    @wsgi.response(200, views.DOCUMENT)
    @wsgi.body(schemas.UPDATE)
    def update(self, req: webob.Request, id: str, body: base.Document) -> base.Document:
        """Change name or description."""
        snapshot = self._find(req, id, policies.UPDATE)
        values = body["snapshot"]
        if not values:
            validation.invalid("at least one of name and description must be given.")
        changed = self.service.update_snapshot(
            wsgi.context_of(req),
            snapshot.id,
            name=values.get("name"),
            description=values.get("description"),
        )
        return self._document(req, changed)

    @wsgi.raises(exceptions.SnapshotNotFound, exceptions.InvalidState)
    @wsgi.response(202)
    def delete(self, req: webob.Request, id: str) -> None:
        """Delete a snapshot."""
        snapshot = self._find(req, id, policies.DELETE)
        self.service.delete_snapshot(wsgi.context_of(req), snapshot.id)

    @wsgi.raises(exceptions.SnapshotNotFound, exceptions.InvalidState)
    @wsgi.response(202)
    @wsgi.body(schemas.ACTION)
    def action(self, req: webob.Request, id: str, body: base.Document) -> None:
        """What administrators mend: a status by hand, or a forced deletion."""
        name, arguments = base.action_of(req, body, ACTIONS)
        context = wsgi.context_of(req)
        if name == "reset_status":
            snapshot = self._find(req, id, policies.RESET_STATUS)
            if "status" not in arguments:
                validation.invalid("status must be given.")
            self.service.reset_snapshot_status(context, snapshot.id, status=arguments["status"])
        else:
            snapshot = self._find(req, id, policies.FORCE_DELETE)
            self.service.delete_snapshot(context, snapshot.id, force=True)

    def _find(self, req: webob.Request, id: str, rule: str) -> records.Snapshot:
        return self.find(req, id, rule, self.service.get_snapshot, exceptions.SnapshotNotFound)

    @staticmethod
    def _document(req: webob.Request, snapshot: records.Snapshot) -> base.Document:
        return {"snapshot": views.detail(snapshot, wsgi.context_of(req))}


class SnapshotMetadataController(base.MetadataController):
    """Metadata of snapshots."""

    KIND = metadata.SNAPSHOT
    RULES = (policies.GET_METADATA, policies.SET_METADATA, policies.DELETE_METADATA)

    def fetch(self, context: base.Context, id: str) -> records.Snapshot:
        return self.service.get_snapshot(context, id)
