# SPDX-License-Identifier: Apache-2.0
"""From a WSGI call to a controller's function and back.

A controller's function gets the request, what the path holds (``id``), and ``body`` or ``query``
if it declares a schema for them; it returns a JSON document or None. ``@response`` sets the status
of its answer, 200 by default. ``routes`` says which path leads to which function.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import webob
import webob.exc

from cg_extension.api import answer, faults, validation
from cg_extension.contract import context as cg_context
from cg_extension.contract import exceptions

F = TypeVar("F", bound=Callable[..., Any])
Schema = Mapping[str, Any]

# What a call without ``@query`` takes from a query string: nothing.
_NO_QUERY = validation.Query({})
# Methods of calls that change nothing.
_READING = ("GET", "HEAD")


def response(status: int) -> Callable[[F], F]:
    """Mark a controller's function with the status of its answer."""
    return _mark("wsgi_status", status)


def body(schema: Schema, *, optional: bool = False) -> Callable[[F], F]:
    """Mark a function as taking a JSON object, checked, without keys whose value is null.

    :param optional: no body at all is as good as ``{}``.
    """
    return _mark("wsgi_body", validation.Body(schema, optional=optional))


def query(parameters: Schema) -> Callable[[F], F]:
    """Mark a function as taking query parameters, checked: name → list of values.

    :param parameters: name → JSON schema of the list of values given for it.
    """
    return _mark("wsgi_query", validation.Query(parameters))


def _mark(name: str, value: Any) -> Callable[[F], F]:
    def mark(function: F) -> F:
        setattr(function, name, value)
        return function

    return mark


def context_of(req: webob.Request) -> cg_context.RequestContext:
    """The caller, as the host's auth middleware found out.

    :raises Unauthorized: the middleware let an unknown caller through.
    """
    context: cg_context.RequestContext | None = req.environ.get(cg_context.ENVIRON_KEY)
    if context is None:
        raise exceptions.Unauthorized()
    return context


@dataclasses.dataclass(frozen=True, slots=True)
class _Call:
    """One function of a controller, and what its marks say."""

    function: Callable[..., Any]
    status: int
    body: validation.Body | None
    query: validation.Query | None

    @classmethod
    def of(cls, function: Callable[..., Any]) -> "_Call":
        return cls(
            function,
            getattr(function, "wsgi_status", 200),
            getattr(function, "wsgi_body", None),
            getattr(function, "wsgi_query", None),
        )

    def __call__(self, req: webob.Request, arguments: dict[str, Any]) -> Any:
        if self.query is not None:
            arguments["query"] = self.query.load(req)
        else:
            _NO_QUERY.load(req)
        if self.body is not None:
            # HTTP gives no meaning to the body of a DELETE.
            arguments["body"] = {} if req.method == "DELETE" else self.body.load(req)
        return self.function(req, **arguments)


class Resource:
    """The WSGI application behind one path.

    :param controller: the object with the functions.
    :param functions: HTTP method → name of the controller's function. HEAD goes where GET goes.
    """

    def __init__(self, controller: Any, functions: Mapping[str, str]) -> None:
        self._calls = {
            method: _Call.of(getattr(controller, name)) for method, name in functions.items()
        }
        if "GET" in self._calls:
            self._calls["HEAD"] = self._calls["GET"]
        self._allow = ", ".join(sorted(self._calls))

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        try:
            result = self._answer(environ)
        except Exception as error:
            result = faults.from_exception(error, environ)
        return result(environ, start_response)

    def _answer(self, environ: dict[str, Any]) -> Callable[..., Iterable[bytes]]:
        req = webob.Request(environ)
        context = context_of(req)
        arguments = dict(environ["wsgiorg.routing_args"][1])
        project_id = arguments.pop("project_id", None)
        # Administrators, too: what they made there would land in their token's project.
        if project_id not in (None, context.project_id):
            raise exceptions.InvalidInput(
                "Malformed request url: the project in the path must be the token's."
            )
        call = self._calls.get(req.method)
        if call is None:
            raise webob.exc.HTTPMethodNotAllowed(
                f"{validation.shown(req.method)} is not allowed here; use one of: {self._allow}.",
                headers={"Allow": self._allow},
            )
        context.may_read_late = req.method in _READING
        result = call(req, arguments)
        if not isinstance(result, webob.Response):
            result = answer.Answer(call.status, result)
        application: Callable[..., Iterable[bytes]] = result
        return application
