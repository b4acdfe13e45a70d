# SPDX-License-Identifier: Apache-2.0
"""What the controllers of the reference host share: its whole service, and metadata."""

import json
import urllib.parse
from collections.abc import Mapping
from typing import Any

import webob

from cg_extension.api import controller, pagination, validation, wsgi
from cg_extension.api import views as api_views
from cg_extension.contract import context as cg_context
from cg_extension.contract import exceptions, records
from cg_extension.reference.service import ReferenceService, metadata
from cg_extension.reference.wsgi import schemas, views

Context = cg_context.RequestContext
Document = dict[str, Any]
Query = dict[str, list[str]]

_METADATA = api_views.closed({"metadata": views.PAIRS})
_META = api_views.closed({"meta": views.ONE_PAIR})


class Controller(controller.Controller):
    """Base of the host's controllers."""

    service: ReferenceService

    def authorize_project(self, context: Context, rule: str, project_id: str | None) -> None:
        """Check a rule about a project as a whole.

        :raises Forbidden: the rule does not allow it.
        """
        self._authorize(context, rule, {"project_id": project_id})

    def url(self, req: webob.Request, collection: str, id: str) -> str:
        """Where clients find a resource, with the project if the request's path has it."""
        project_id = req.urlvars["project_id"]
        project = "" if project_id is None else f"/{urllib.parse.quote(project_id)}"
        base = pagination.base_url(req, self.conf) + req.script_name
        return f"{base}{project}/{collection}/{id}"


def action_of(req: webob.Request, body: Document, names: Mapping[str, str]) -> tuple[str, Document]:
    """Which of the actions ``names`` a checked body asks for, and with which arguments.

    Arguments may be null; the body without nulls no longer tells the action's name then.

    :raises InvalidInput: none, several or another one.
    """
    asked = list(json.loads(req.body))
    if len(asked) != 1 or asked[0] not in names:
        validation.invalid(f"the body must have exactly one of {validation.names(names)}.")
    return names[asked[0]], body.get(asked[0], {})


class MetadataController(Controller):
    """Metadata of one kind of resource; the subclass says whose.

    ``RULES`` are those for reading, setting and deleting.
    """

    KIND: metadata.Kind
    RULES: tuple[str, str, str]

    def fetch(self, context: Context, id: str) -> records.Volume | records.Snapshot:
        """The resource, as the service gives it."""
        raise NotImplementedError

    @wsgi.raises(exceptions.NotFound)
    @wsgi.response(200, _METADATA)
    def index(self, req: webob.Request, id: str) -> Document:
        """Show all."""
        return {"metadata": dict(self._find(req, id, self.RULES[0]).metadata)}

    @wsgi.raises(exceptions.NotFound)
    @wsgi.response(200, _METADATA)
    @wsgi.body(schemas.METADATA)
    def create(self, req: webob.Request, id: str, body: Document) -> Document:
        """Add or change some."""
        return self._set(req, id, body["metadata"], replace=False)

    @wsgi.raises(exceptions.NotFound)
    @wsgi.response(200, _METADATA)
    @wsgi.body(schemas.METADATA)
    def update_all(self, req: webob.Request, id: str, body: Document) -> Document:
        """Replace all."""
        return self._set(req, id, body["metadata"], replace=True)

    @wsgi.raises(exceptions.NotFound)
    @wsgi.response(200, _META)
    def show(self, req: webob.Request, id: str, key: str) -> Document:
        """Show one."""
        found = self._find(req, id, self.RULES[0]).metadata
        if key not in found:
            raise exceptions.NotFound(f"There is no metadata {validation.shown(key)}.")
        return {"meta": {key: found[key]}}

    @wsgi.raises(exceptions.NotFound)
    @wsgi.response(200, _META)
    @wsgi.body(schemas.envelope("meta", {**schemas.PAIRS, "minProperties": 1, "maxProperties": 1}))
    def update(self, req: webob.Request, id: str, key: str, body: Document) -> Document:
        """Add or change one."""
        if key not in body["meta"]:
            validation.invalid(
                f"the key of meta must be that of the path, {validation.shown(key)}."
            )
        self._set(req, id, body["meta"], replace=False)
        return {"meta": body["meta"]}

    @wsgi.raises(exceptions.NotFound)
    @wsgi.response(200)
    def delete(self, req: webob.Request, id: str, key: str) -> None:
        """Remove one."""
        resource = self._find(req, id, self.RULES[2])
        self.service.delete_metadata(wsgi.context_of(req), self.KIND, resource.id, key)

    def _find(self, req: webob.Request, id: str, rule: str) -> records.Volume | records.Snapshot:
        return self.find(req, id, rule, self.fetch, self.KIND.not_found)

    def _set(
        self, req: webob.Request, id: str, values: Mapping[str, str], *, replace: bool
    ) -> Document:
        resource = self._find(req, id, self.RULES[1])
        stored = self.service.set_metadata(
            wsgi.context_of(req), self.KIND, resource.id, values, replace=replace
        )
        return {"metadata": stored}
