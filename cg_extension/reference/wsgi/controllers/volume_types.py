# SPDX-License-Identifier: Apache-2.0
"""Volume types and their extra specs."""

import dataclasses
from typing import Any

import webob

from cg_extension.api import pagination, validation, wsgi
from cg_extension.api import views as api_views
from cg_extension.contract import exceptions, records
from cg_extension.policies import volume_types as policies
from cg_extension.reference.wsgi import views as host_views
from cg_extension.reference.wsgi.controllers import base
from cg_extension.reference.wsgi.schemas import volume_types as schemas
from cg_extension.reference.wsgi.views import volume_types as views

LISTING = pagination.Listing(
    "volume_types",
    filters=("name", "is_public"),
    sort_keys=("id", "name", "created_at"),
    link_key="volume_type_links",
)
_EXTRA_SPECS = api_views.closed({"extra_specs": host_views.PAIRS})
# In the place of an id: the type of volumes that ask for none.
DEFAULT = "default"


class TypeController(base.Controller):
    """What the controllers of types and of extra specs share."""

    def find_type(self, req: webob.Request, id: str, rule: str) -> records.VolumeType:
        """A type that the caller may see; types belong to no project."""
        context = wsgi.context_of(req)
        self.authorize(context, rule)
        if not validation.is_uuid(id):
            raise exceptions.VolumeTypeNotFound(id=validation.shown(id))
        return self.service.get_type(context, id)


class VolumeTypesController(TypeController):
    """Calls on volume types."""

    @wsgi.response(200, LISTING.schema(views.DETAIL))
    @wsgi.query(LISTING.parameters)
    def index(self, req: webob.Request, query: base.Query) -> base.Document:
        """List, with all that is known."""
        context = wsgi.context_of(req)
        self.authorize(context, policies.GET_ALL)
        # "None" is how Cinder's clients ask for both kinds, which is what everyone gets anyway.
        [is_public] = query.pop("is_public", ["none"])
        if is_public.lower() != "none":
            query["is_public"] = [is_public]
        wanted = LISTING.parse(req, query, self.conf)
        if "is_public" in wanted.filters:
            public = validation.boolean("is_public", is_public)
            wanted = dataclasses.replace(wanted, filters={**wanted.filters, "is_public": public})
        page = self.service.list_types(context, wanted)
        return LISTING.answer(req, page, self._details(req, *page.items), self.conf)

    @wsgi.response(200, views.DOCUMENT)
    # openstacksdk asks so for types by id, too.
    @wsgi.raises(exceptions.VolumeTypeNotFound)
    @wsgi.query({"is_public": {"type": "array", "maxItems": 1}})
    def show(self, req: webob.Request, id: str, query: base.Query) -> base.Document:
        """Show one type; ``default`` stands for the default's id."""
        if id == DEFAULT:
            context = wsgi.context_of(req)
            self.authorize(context, policies.GET)
            return self._document(req, self.service.get_default_type(context))
        return self._document(req, self.find_type(req, id, policies.GET))

    @wsgi.raises(exceptions.Conflict)
    @wsgi.response(200, views.DOCUMENT)
    @wsgi.body(schemas.CREATE)
    def create(self, req: webob.Request, body: base.Document) -> base.Document:
        """Create a type."""
        context = wsgi.context_of(req)
        self.authorize(context, policies.CREATE)
        values = body["volume_type"]
        is_public = _is_public(values)
        created = self.service.create_type(
            context,
            name=values["name"],
            description=values.get("description"),
            is_public=True if is_public is None else is_public,
            extra_specs=values.get("extra_specs", {}),
        )
        return self._document(req, created)

    @wsgi.raises(exceptions.VolumeTypeNotFound, exceptions.InvalidState, exceptions.Conflict)
    @wsgi.response(200, views.DOCUMENT)
    @wsgi.body(schemas.UPDATE)
    def update(self, req: webob.Request, id: str, body: base.Document) -> base.Document:
        """Change name, description or whom the type is for."""
        volume_type = self.find_type(req, id, policies.UPDATE)
        values = body["volume_type"]
        if not values:
            validation.invalid("at least one of name, description and is_public must be given.")
        changed = self.service.update_type(
            wsgi.context_of(req),
            volume_type.id,
            name=values.get("name"),
            description=values.get("description"),
            is_public=_is_public(values),
        )
        return self._document(req, changed)

    @wsgi.raises(exceptions.VolumeTypeNotFound, exceptions.InvalidState)
    @wsgi.response(202)
    def delete(self, req: webob.Request, id: str) -> None:
        """Delete a type that no volume or group uses."""
        volume_type = self.find_type(req, id, policies.DELETE)
        self.service.delete_type(wsgi.context_of(req), volume_type.id)

    def _details(self, req: webob.Request, *types: records.VolumeType) -> list[dict[str, Any]]:
        try:
            self.authorize(wsgi.context_of(req), policies.GET_EXTRA_SPECS)
            visible = True
        except exceptions.Forbidden:
            visible = False
        return [views.detail(item, with_extra_specs=visible) for item in types]

    def _document(self, req: webob.Request, volume_type: records.VolumeType) -> base.Document:
        return {"volume_type": self._details(req, volume_type)[0]}


class ExtraSpecsController(TypeController):
    """Extra specs of a volume type."""

    @wsgi.raises(exceptions.VolumeTypeNotFound)
    @wsgi.response(200, _EXTRA_SPECS)
    def index(self, req: webob.Request, id: str) -> base.Document:
        """Show all."""
        volume_type = self.find_type(req, id, policies.GET_EXTRA_SPECS)
        return {"extra_specs": dict(volume_type.extra_specs)}

    @wsgi.raises(exceptions.VolumeTypeNotFound)
    @wsgi.response(200, _EXTRA_SPECS)
    @wsgi.body(schemas.EXTRA_SPECS)
    def create(self, req: webob.Request, id: str, body: base.Document) -> base.Document:
        """Add or change some; answers with those."""
        volume_type = self.find_type(req, id, policies.SET_EXTRA_SPECS)
        specs = body["extra_specs"]
        self.service.set_type_extra_specs(wsgi.context_of(req), volume_type.id, specs)
        return {"extra_specs": specs}

    @wsgi.raises(exceptions.NotFound)
    @wsgi.response(200, host_views.ONE_PAIR)
    def show(self, req: webob.Request, id: str, key: str) -> base.Document:
        """Show one."""
        specs = self.find_type(req, id, policies.GET_EXTRA_SPECS).extra_specs
        if key not in specs:
            raise exceptions.NotFound(f"The type has no extra spec {validation.shown(key)}.")
        return {key: specs[key]}

    @wsgi.raises(exceptions.VolumeTypeNotFound)
    @wsgi.response(200, host_views.ONE_PAIR)
    @wsgi.body(schemas.EXTRA_SPEC)
    def update(self, req: webob.Request, id: str, key: str, body: base.Document) -> base.Document:
        """Add or change one."""
        volume_type = self.find_type(req, id, policies.SET_EXTRA_SPECS)
        if key not in body:
            validation.invalid(f"the body's key must be that of the path, {validation.shown(key)}.")
        self.service.set_type_extra_specs(wsgi.context_of(req), volume_type.id, body)
        return body

    @wsgi.raises(exceptions.NotFound)
    @wsgi.response(202)
    def delete(self, req: webob.Request, id: str, key: str) -> None:
        """Remove one."""
        volume_type = self.find_type(req, id, policies.DELETE_EXTRA_SPECS)
        self.service.delete_type_extra_spec(wsgi.context_of(req), volume_type.id, key)


def _is_public(values: base.Document) -> bool | None:
    for key in ("is_public", "os-volume-type-access:is_public"):
        if key in values:
            return validation.boolean(key, values[key])
    return None
