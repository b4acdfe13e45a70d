# SPDX-License-Identifier: Apache-2.0
"""The collection of consistency groups: its controller and its descriptor."""

from typing import Any

import webob

from cg_extension.api import controller, extensions, pagination, routes, validation, wsgi
from cg_extension.api.schemas import consistencygroups as schemas
from cg_extension.api.schemas import parameters
from cg_extension.api.views import consistencygroups as views
from cg_extension.contract import exceptions, records
from cg_extension.policies import consistencygroups as policies

LISTING = pagination.Listing(
    "consistencygroups",
    filters=("name", "status", "availability_zone", "project_id"),
    sort_keys=("id", "name", "status", "availability_zone", "created_at"),
    link_key="consistencygroup_links",
)

Query = dict[str, list[str]]
Document = dict[str, Any]


class ConsistencyGroupsController(controller.Controller):
    """Calls on consistency groups; ``routes`` says which path leads to which."""

    @wsgi.response(200, LISTING.schema(views.SUMMARY))
    @wsgi.query(LISTING.parameters)
    def index(self, req: webob.Request, query: Query) -> Document:
        """List ids and names."""
        self.authorize(wsgi.context_of(req), policies.GET_ALL)
        return self.list_page(req, query, LISTING, self.service.list_group_names, views.summary)

    @wsgi.response(200, LISTING.schema(views.DETAIL))
    @wsgi.query(LISTING.parameters)
    def detail(self, req: webob.Request, query: Query) -> Document:
        """List with all fields."""
        self.authorize(wsgi.context_of(req), policies.GET_ALL)
        return self.list_page(req, query, LISTING, self.service.list_groups, views.detail)

    @wsgi.raises(exceptions.GroupNotFound)
    @wsgi.response(200, views.DOCUMENT)
    def show(self, req: webob.Request, id: str) -> Document:
        """Show one group."""
        group = self._get(req, id, policies.GET)
        return self._document(req, group)

    @wsgi.raises(exceptions.QuotaExceeded)
    @wsgi.response(202, views.DOCUMENT)
    @wsgi.body(schemas.CREATE)
    def create(self, req: webob.Request, body: Document) -> Document:
        """Create an empty group."""
        context = wsgi.context_of(req)
        self.authorize(context, policies.CREATE)
        values = body["consistencygroup"]
        volume_types = parameters.split(values["volume_types"])
        if not volume_types:
            validation.invalid("volume_types must name at least one volume type.")
        group = self.service.create_group(
            context,
            name=values.get("name"),
            description=values.get("description"),
            volume_types=volume_types,
            availability_zone=values.get("availability_zone"),
        )
        return self._document(req, group)

    @wsgi.raises(
        exceptions.GroupNotFound,
        exceptions.CGSnapshotNotFound,
        exceptions.InvalidState,
        exceptions.QuotaExceeded,
    )
    @wsgi.response(202, views.DOCUMENT)
    @wsgi.body(schemas.CREATE_FROM_SRC)
    def create_from_src(self, req: webob.Request, body: Document) -> Document:
        """Create a group with the volumes of a group snapshot or of another group."""
        context = wsgi.context_of(req)
        self.authorize(context, policies.CREATE)
        values = body["consistencygroup-from-src"]
        if len(values.keys() & {"cgsnapshot_id", "source_cgid"}) != 1:
            validation.invalid("exactly one of cgsnapshot_id and source_cgid must be given.")
        group = self.service.create_group_from_src(
            context,
            name=values.get("name"),
            description=values.get("description"),
            cgsnapshot_id=values.get("cgsnapshot_id"),
            source_cgid=values.get("source_cgid"),
        )
        return self._document(req, group)

    @wsgi.raises(exceptions.GroupNotFound, exceptions.InvalidState)
    @wsgi.response(202)
    @wsgi.body(schemas.UPDATE)
    def update(self, req: webob.Request, id: str, body: Document) -> None:
        """Change name, description or members."""
        group = self._get(req, id, policies.UPDATE)
        values = body["consistencygroup"]
        name, description = values.get("name"), values.get("description")
        add_volumes = parameters.split(values.get("add_volumes"))
        remove_volumes = parameters.split(values.get("remove_volumes"))
        if name is None and description is None and not add_volumes and not remove_volumes:
            validation.invalid(
                "at least one of name, description, add_volumes and remove_volumes must be given."
            )
        both = set(add_volumes).intersection(remove_volumes)
        if both:
            ids = validation.names(validation.shown(volume_id) for volume_id in both)
            validation.invalid(f"no id may be in both add_volumes and remove_volumes: {ids}.")
        self.service.update_group(
            wsgi.context_of(req),
            group.id,
            name=name,
            description=description,
            add_volumes=add_volumes,
            remove_volumes=remove_volumes,
        )

    @wsgi.raises(exceptions.GroupNotFound, exceptions.InvalidState)
    @wsgi.response(202)
    @wsgi.body(schemas.DELETE, optional=True)
    def delete(self, req: webob.Request, id: str, body: Document) -> None:
        """Delete a group, with ``force`` its volumes, too."""
        values: Document = body.get("consistencygroup") or body.get("consistency_group") or {}
        force = validation.boolean("force", values.get("force", False))
        group = self._get(req, id, policies.DELETE)
        self.service.delete_group(wsgi.context_of(req), group.id, force=force)

    @wsgi.raises(exceptions.GroupNotFound, exceptions.InvalidState)
    @wsgi.response(202)
    @wsgi.body(schemas.ACTION)
    def action(self, req: webob.Request, id: str, body: Document) -> None:
        """Set the status by hand: the only action."""
        group = self._get(req, id, policies.RESET_STATUS)
        [values] = body.values()
        self.service.reset_group_status(wsgi.context_of(req), group.id, status=values["status"])

    def _get(self, req: webob.Request, id: str, rule: str) -> records.Group:
        return self.find(req, id, rule, self.service.get_group, exceptions.GroupNotFound)

    @staticmethod
    def _document(req: webob.Request, group: records.Group) -> Document:
        return {"consistencygroup": views.detail(group, wsgi.context_of(req))}


class Consistencygroups(extensions.ExtensionDescriptor):
    """Groups of volumes whose snapshots are of one instant."""

    name = "Consistencygroups"
    alias = "consistencygroups"
    updated = "2026-11-24T00:00:00+00:00"

    def get_resources(self) -> list[extensions.ResourceExtension]:
        controller = ConsistencyGroupsController(self.ext_mgr)
        table = routes.CONSISTENCYGROUPS
        return [extensions.ResourceExtension(self.alias, controller, table=table)]
