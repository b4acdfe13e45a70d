# SPDX-License-Identifier: Apache-2.0
"""``os-quota-sets``: what projects may have, and with ``usage`` what they have."""

import webob

from cg_extension.api import validation, views, wsgi
from cg_extension.policies import quotas as policies
from cg_extension.reference.service import quotas
from cg_extension.reference.wsgi.controllers import base
from cg_extension.reference.wsgi.schemas import quotas as schemas

_ONE = {"type": "array", "maxItems": 1}

_LIMIT = {"type": "integer", "minimum": quotas.UNLIMITED}
# A limit, or with ``usage`` a limit and what is used of it.
_LIMIT_OR_USAGE = {
    **views.closed({"limit": _LIMIT, "in_use": {"type": "integer"}, "reserved": {"enum": [0]}}),
    "type": ["integer", "object"],
}
_ID = {"id": views.TEXT}
_SHOWN = views.closed(
    {"quota_set": views.closed({**_ID, **dict.fromkeys(quotas.RESOURCES, _LIMIT_OR_USAGE)})}
)
_LIMITS = views.closed({"quota_set": views.closed(dict.fromkeys(quotas.RESOURCES, _LIMIT))})
_LIMITS_OF_ONE = views.closed(
    {"quota_set": views.closed({**_ID, **dict.fromkeys(quotas.RESOURCES, _LIMIT)})}
)


class QuotaSetsController(base.Controller):
    """Calls on quota sets, whose id is the project's."""

    @wsgi.response(200, _SHOWN)
    @wsgi.query({"usage": _ONE})
    def show(self, req: webob.Request, id: str, query: base.Query) -> base.Document:
        """A project's limits, with ``usage`` also what is used of them."""
        context = self._authorized(req, id, policies.SHOW)
        if not validation.boolean("usage", query.get("usage", ["false"])[0]):
            return _document(self.service.get_quotas(context, id), id)
        usage = self.service.get_quota_usage(context, id)
        return _document(
            {
                # Nothing is reserved: what counts is what is there.
                name: {"limit": one.limit, "in_use": one.in_use, "reserved": 0}
                for name, one in usage.items()
            },
            id,
        )

    @wsgi.response(200, _LIMITS_OF_ONE)
    def defaults(self, req: webob.Request, id: str) -> base.Document:
        """The limits of a project that has none of its own."""
        context = self._authorized(req, id, policies.SHOW)
        return _document(self.service.default_quotas(context), id)

    @wsgi.response(200, _LIMITS)
    @wsgi.query({"skip_validation": _ONE})
    @wsgi.body(schemas.UPDATE)
    def update(
        self, req: webob.Request, id: str, query: base.Query, body: base.Document
    ) -> base.Document:
        """Set some limits; they may be below the usage (``skip_validation`` is always so)."""
        context = self._authorized(req, id, policies.UPDATE)
        limits = {name: value for name, value in body["quota_set"].items() if name != "tenant_id"}
        if not limits:
            validation.invalid("at least one limit must be given.")
        return _document(self.service.update_quotas(context, id, limits))

    @wsgi.response(200)
    def delete(self, req: webob.Request, id: str) -> None:
        """Give a project the default limits again."""
        context = self._authorized(req, id, policies.DELETE)
        self.service.delete_quotas(context, id)

    def _authorized(self, req: webob.Request, project_id: str, rule: str) -> base.Context:
        context = wsgi.context_of(req)
        self.authorize_project(context, rule, project_id)
        if len(project_id) > 255 or not project_id.isprintable():
            validation.invalid("the project must be named by at most 255 printable characters.")
        return context


def _document(values: base.Document, project_id: str | None = None) -> base.Document:
    identity = {} if project_id is None else {"id": project_id}
    return {"quota_set": {**identity, **values}}
