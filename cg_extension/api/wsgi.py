# SPDX-License-Identifier: Apache-2.0
"""From a WSGI call to a controller's function and back.

A controller's function gets the request, what the path holds (``id``), and ``body`` or ``query``
if it declares a schema for them; it returns a JSON document, None, or an ``answer.Answer``.
``@response`` says what it answers with, ``@raises`` which errors may come instead. ``routes`` says
which path leads to which function.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import webob
import webob.exc

from cg_extension.api import answer, faults, responses, validation
from cg_extension.contract import context as cg_context
from cg_extension.contract import exceptions

F = TypeVar("F", bound=Callable[..., Any])
Schema = Mapping[str, Any]

# What a call without ``@query`` takes from a query string: nothing.
_NO_QUERY = validation.Query({})
# Methods of calls that change nothing.
_READING = ("GET", "HEAD")

Errors = tuple[type[exceptions.CGExtensionError], ...]

COMMON_ERRORS: Errors = (
    exceptions.InvalidInput,
    exceptions.Unauthorized,
    exceptions.Forbidden,
    exceptions.NotAcceptable,
    exceptions.ServiceUnavailable,
)
"""Errors that any call may end in, whatever its function, besides 405 and the unexpected 500."""


def response(status: int, schema: Schema | None = None) -> Callable[[F], F]:
    """Mark a function with a status of its answers, and the schema of their bodies (None: none).

    A function may have several marks. The topmost has the status of whatever is no
    ``answer.Answer``; without any it is 200.
    """

    def mark(function: F) -> F:
        others = getattr(function, "wsgi_responses", {})
        return _mark("wsgi_responses", {status: responses.Body(schema), **others})(function)

    return mark


def raises(*errors: type[exceptions.CGExtensionError]) -> Callable[[F], F]:
    """Mark a function with the errors that it may end in besides those that any call may.

    A class stands for its subclasses, too. The API reference says the same of each call.
    """
    return _mark("wsgi_raises", errors)


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


def extends(attributes: Schema) -> Callable[[F], F]:
    """Mark a function as one that adds attributes to each resource in another's answer.

    It is called with the request, the ``answer.Answer``, whose document it changes, and what the
    path holds (``id``). Those who may not see the attributes get the answer without them.

    :param attributes: key → JSON schema of its value.
    """
    return _mark("wsgi_extends", attributes)


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
class Call:
    """One function of a controller, and what its marks say.

    :param responses: status → body of each answer but faults; empty: nobody has said.
    :param errors: which may come instead, besides 405 and the unexpected 500.
    :param extending: functions of other extensions that add to its answers.
    """

    function: Callable[..., Any]
    responses: Mapping[int, responses.Body]
    errors: Errors
    body: validation.Body | None
    query: validation.Query | None
    extending: Sequence[Callable[..., None]] = ()

    @classmethod
    def of(cls, controller: Any, name: str, others: Iterable[Any] = ()) -> "Call":
        """The call that a controller's function carries out.

        :param others: controllers of other extensions, which may extend it.
        """
        function = getattr(controller, name)
        extending = [each for other in others if (each := _extending(other, name))]
        bodies = getattr(function, "wsgi_responses", {})
        for each in extending:
            attributes = each.wsgi_extends
            bodies = {status: one.with_attributes(attributes) for status, one in bodies.items()}
        body = getattr(function, "wsgi_body", None)
        too_large = (exceptions.OverLimit,) if body else ()
        return cls(
            function,
            bodies,
            (*COMMON_ERRORS, *too_large, *getattr(function, "wsgi_raises", ())),
            body,
            getattr(function, "wsgi_query", None),
            extending,
        )

    @property
    def codes(self) -> frozenset[int]:
        """Codes of the faults that it may end in."""
        return frozenset({500, *(error.code for error in self.errors)})

    @property
    def status(self) -> int:
        """The status of an answer for which the function names none."""
        return next(iter(self.responses), 200)

    def __call__(self, req: webob.Request, arguments: dict[str, Any]) -> Any:
        if self.query is not None:
            arguments["query"] = self.query.load(req)
        else:
            _NO_QUERY.load(req)
        if self.body is not None:
            # HTTP gives no meaning to the body of a DELETE.
            arguments["body"] = {} if req.method == "DELETE" else self.body.load(req)
        return self.function(req, **arguments)


def _extending(controller: Any, name: str) -> Any:
    """The function of that name, if it is marked as one that extends another's answers."""
    function = getattr(controller, name, None)
    return function if hasattr(function, "wsgi_extends") else None


class Resource:
    """The WSGI application behind one path.

    :param controller: the object with the functions.
    :param functions: HTTP method → name of the controller's function. HEAD goes where GET goes.
    :param response_validation: the option's value, what comes of an answer that is not as its call
        declares it.
    :param others: controllers of other extensions that may extend the answers.
    """

    def __init__(
        self,
        controller: Any,
        functions: Mapping[str, str],
        response_validation: str = "ignore",
        others: Sequence[Any] = (),
    ) -> None:
        self._calls = {
            method: Call.of(controller, name, others) for method, name in functions.items()
        }
        self._check = responses.CHECKS[response_validation]
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
        result = call(req, dict(arguments))
        if isinstance(result, webob.Response):
            application: Callable[..., Iterable[bytes]] = result
            return application
        if not isinstance(result, answer.Answer):
            result = answer.Answer(call.status, result)
        for extend in call.extending:
            extend(req, result, **arguments)
        if self._check is not None and call.responses:
            self._check(req, result, call.responses)
        return result
