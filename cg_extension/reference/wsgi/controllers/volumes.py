# SPDX-License-Identifier: Apache-2.0
"""Volumes: list, show, create, change, delete; their metadata. Actions: ``volume_actions``."""

from typing import Any

import webob

from cg_extension.api import pagination, validation, wsgi
from cg_extension.contract import exceptions, records
from cg_extension.policies import volumes as policies
from cg_extension.reference.service import metadata
from cg_extension.reference.service import volumes as service_volumes
from cg_extension.reference.wsgi.controllers import base
from cg_extension.reference.wsgi.schemas import MAX_INTEGER
from cg_extension.reference.wsgi.schemas import volumes as schemas
from cg_extension.reference.wsgi.views import volumes as views

LISTING = pagination.Listing(
    "volumes",
    filters=service_volumes.FILTERS,
    sort_keys=("id", "name", "status", "availability_zone", "size", "created_at"),
    sort_aliases=pagination.CINDERS_SORT_ALIASES,
)


class VolumesController(base.Controller):
    """Calls on volumes."""

    @wsgi.response(200, LISTING.schema(views.SUMMARY))
    @wsgi.query(LISTING.parameters)
    def index(self, req: webob.Request, query: base.Query) -> base.Document:
        """List ids and names."""
        page = self._page(req, query)
        items = [views.summary(volume, self._url(req, volume.id)) for volume in page.items]
        return LISTING.answer(req, page, items, self.conf)

    @wsgi.response(200, LISTING.schema(views.DETAIL))
    @wsgi.query(LISTING.parameters)
    def detail(self, req: webob.Request, query: base.Query) -> base.Document:
        """List with all that is known."""
        page = self._page(req, query)
        return LISTING.answer(req, page, self._details(req, *page.items), self.conf)

    @wsgi.raises(exceptions.VolumeNotFound)
    @wsgi.response(200, views.DOCUMENT)
    def show(self, req: webob.Request, id: str) -> base.Document:
        """Show one volume."""
        return self._document(req, self._find(req, id, policies.GET))

    @wsgi.raises(exceptions.NotFound, exceptions.InvalidState, exceptions.QuotaExceeded)
    @wsgi.response(202, views.DOCUMENT)
    @wsgi.body(schemas.CREATE)
    def create(self, req: webob.Request, body: base.Document) -> base.Document:
        """Create a volume: empty, or with the content of a snapshot or of another volume."""
        context = wsgi.context_of(req)
        self.authorize(context, policies.CREATE)
        values = body["volume"]
        volume = self.service.create_volume(
            context,
            size=_size(values),
            name=values.get("name"),
            description=values.get("description"),
            volume_type=values.get("volume_type"),
            availability_zone=values.get("availability_zone"),
            metadata=values.get("metadata"),
            consistencygroup_id=values.get("consistencygroup_id"),
            snapshot_id=values.get("snapshot_id"),
            source_volid=values.get("source_volid"),
        )
        return self._document(req, volume)

    @wsgi.raises(exceptions.VolumeNotFound)
    @wsgi.response(200, views.DOCUMENT)
    @wsgi.body(schemas.UPDATE)
    def update(self, req: webob.Request, id: str, body: base.Document) -> base.Document:
        """Change name, description or, all of it, metadata."""
        volume = self._find(req, id, policies.UPDATE)
        values = body["volume"]
        if not values:
            validation.invalid("at least one of name, description and metadata must be given.")
        changed = self.service.update_volume(
            wsgi.context_of(req),
            volume.id,
            name=values.get("name"),
            description=values.get("description"),
            metadata=values.get("metadata"),
        )
        return self._document(req, changed)

    @wsgi.raises(exceptions.VolumeNotFound, exceptions.InvalidState)
    @wsgi.response(202)
    @wsgi.query({"force": {"type": "array", "maxItems": 1}, "cascade": {"type": "array"}})
    def delete(self, req: webob.Request, id: str, query: base.Query) -> None:
        """Delete a volume that nothing depends on."""
        if any(validation.boolean("cascade", value) for value in query.get("cascade", ())):
            validation.invalid("cascade is not possible here; delete the snapshots first.")
        force = validation.boolean("force", query.get("force", ["false"])[0])
        volume = self._find(req, id, policies.FORCE_DELETE if force else policies.DELETE)
        self.service.delete_volume(wsgi.context_of(req), volume.id, force=force)

    def _page(self, req: webob.Request, query: base.Query) -> records.Page[records.Volume]:
        context = wsgi.context_of(req)
        self.authorize(context, policies.GET_ALL)
        return self.service.list_volumes(context, LISTING.parse(req, query, self.conf))

    def _find(self, req: webob.Request, id: str, rule: str) -> records.Volume:
        return self.find(req, id, rule, self.service.get_volume, exceptions.VolumeNotFound)

    def _url(self, req: webob.Request, id: str) -> str:
        return self.url(req, "volumes", id)

    def _details(self, req: webob.Request, *volumes: records.Volume) -> list[dict[str, Any]]:
        context = wsgi.context_of(req)
        type_ids = {volume.volume_type_id for volume in volumes if volume.volume_type_id}
        names = self.service.type_names(context, type_ids)
        return [
            views.detail(volume, self._url(req, volume.id), context, names) for volume in volumes
        ]

    def _document(self, req: webob.Request, volume: records.Volume) -> base.Document:
        return {"volume": self._details(req, volume)[0]}


def _size(values: base.Document) -> int | None:
    """GiB of a new volume, which some clients send as text; None: those of its source."""
    sources = values.keys() & {"snapshot_id", "source_volid"}
    if len(sources) > 1:
        validation.invalid("at most one of snapshot_id and source_volid may be given.")
    if sources and "size" not in values:
        return None
    size = int(values.get("size", 0))
    if not 1 <= size <= MAX_INTEGER:
        validation.invalid(f"size must be 1 to {MAX_INTEGER} GiB.")
    return size


class VolumeMetadataController(base.MetadataController):
    """Metadata of volumes."""

    KIND = metadata.VOLUME
    RULES = (policies.GET_METADATA, policies.SET_METADATA, policies.DELETE_METADATA)

    def fetch(self, context: base.Context, id: str) -> records.Volume:
        return self.service.get_volume(context, id)
