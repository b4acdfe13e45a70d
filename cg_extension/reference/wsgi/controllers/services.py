# SPDX-License-Identifier: Apache-2.0
"""``os-services``: managers' backends, whether they are up, and what they may be given."""

import webob

from cg_extension.api import validation, wsgi
from cg_extension.contract import exceptions
from cg_extension.policies import services as policies
from cg_extension.reference.wsgi.controllers import base
from cg_extension.reference.wsgi.schemas import services as schemas
from cg_extension.reference.wsgi.views import services as views

_ONE = {"type": "array", "maxItems": 1}


class ServicesController(base.Controller):
    """Calls on services; a service is a manager's backend, ``host@backend``."""

    @wsgi.response(200, views.LIST)
    @wsgi.query({"host": _ONE, "binary": _ONE, "service": _ONE})
    def index(self, req: webob.Request, query: base.Query) -> base.Document:
        """List services, all or those of a host or binary."""
        context = wsgi.context_of(req)
        self.authorize(context, policies.LIST)
        first = {name: values[0] for name, values in query.items()}
        services = self.service.list_services(
            context, host=first.get("host"), binary=first.get("binary") or first.get("service")
        )
        return {"services": [views.listed(service) for service in services]}

    @wsgi.raises(exceptions.ServiceNotFound)
    @wsgi.response(200, views.CHANGED)
    @wsgi.body(schemas.ONE)
    def enable(self, req: webob.Request, body: base.Document) -> base.Document:
        """Put new resources on a backend again."""
        return self._set_disabled(req, body, disabled=False)

    @wsgi.raises(exceptions.ServiceNotFound)
    @wsgi.response(200, views.CHANGED)
    @wsgi.body(schemas.ONE)
    def disable(self, req: webob.Request, body: base.Document) -> base.Document:
        """Put nothing new on a backend."""
        return self._set_disabled(req, body, disabled=True)

    @wsgi.raises(exceptions.ServiceNotFound)
    @wsgi.response(200, views.CHANGED)
    @wsgi.body(schemas.ONE_WITH_REASON)
    def disable_log_reason(self, req: webob.Request, body: base.Document) -> base.Document:
        """Put nothing new on a backend, and say why."""
        return self._set_disabled(req, body, disabled=True)

    @wsgi.raises(exceptions.ServiceNotFound)
    @wsgi.response(202)
    @wsgi.body(schemas.HOST)
    def freeze(self, req: webob.Request, body: base.Document) -> None:
        """Put nothing new on a host's backends, delete nothing there, and take no snapshots."""
        self._set_frozen(req, body["host"], policies.FREEZE, frozen=True)

    @wsgi.raises(exceptions.ServiceNotFound)
    @wsgi.response(202)
    @wsgi.body(schemas.HOST)
    def thaw(self, req: webob.Request, body: base.Document) -> None:
        """Thaw a frozen backend."""
        self._set_frozen(req, body["host"], policies.THAW, frozen=False)

    def _set_disabled(
        self, req: webob.Request, body: base.Document, *, disabled: bool
    ) -> base.Document:
        context = wsgi.context_of(req)
        self.authorize(context, policies.UPDATE)
        binary = body.get("binary") or body.get("service")
        if binary is None:
            validation.invalid("binary must be given.")
        service = self.service.update_service(
            context,
            host=body["host"],
            binary=binary,
            disabled=disabled,
            disabled_reason=body.get("disabled_reason"),
        )
        return views.changed(service)

    def _set_frozen(self, req: webob.Request, host: str, rule: str, *, frozen: bool) -> None:
        context = wsgi.context_of(req)
        self.authorize(context, rule)
        services = self.service.list_services(context, host=host)
        if not services:
            raise exceptions.ServiceNotFound(host=host, binary="cg-manager")
        for service in services:
            self.service.update_service(
                context, host=service.host, binary=service.binary, frozen=frozen
            )
