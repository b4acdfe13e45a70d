# SPDX-License-Identifier: Apache-2.0
"""The filters of the pipeline that know nothing of groups or volumes.

Most are oslo.middleware's, made here because its own paste factories read the global configuration,
and stricter where a client could gain by it; ours are the JSON faults and the log of requests.

oslo's take every answer apart with WebOb, even if they leave it as it is. Here a request goes on as
it came, and so does its answer, unless the filter has to change it.
"""

import re
import time
import urllib.parse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import oslo_middleware
import webob
from oslo_context import context
from oslo_log import log as logging
from oslo_middleware import request_id, sizelimit

from cg_extension.api import faults
from cg_extension.contract import context as cg_context
from cg_extension.contract import exceptions
from cg_extension.reference import metrics
from cg_extension.reference.wsgi import pipeline

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    Filter = Callable[[WSGIApplication], WSGIApplication]

LOG = logging.getLogger(__name__)

# Of a Content-Length; Python refuses to read numbers of thousands.
_MAX_DIGITS = 18

# What paths may hold as it is (RFC 3986), besides letters, digits and ``_.-~``.
_IN_PATHS = "/:@!$&'()*+,;="

# Labels of metrics must not be the client's to invent.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})

# What links are made of: its name for messages, its place in the environ, its form (RFC 3986), and
# that in words.
_LINK_PARTS = (
    ("scheme", "wsgi.url_scheme", re.compile("https?"), "http or https"),
    (
        "host",
        "HTTP_HOST",
        re.compile(r"(([\w.~%!$&'()*+,;=-]+|\[[0-9A-Fa-f:.]+\])(:\d*)?)?", re.A),
        "a name or an address, with or without a port",
    ),
    (
        "path's prefix",
        "SCRIPT_NAME",
        re.compile(r"(/[^/\s\\<>\"?#][^\s\\<>\"?#]*)?"),
        "a path that begins with one slash",
    ),
)


def _from_oslo(middleware: Any) -> "Callable[..., Filter]":
    """A paste factory for one of oslo's filters, configured by the deployment's options."""

    def factory(global_conf: dict[str, str], **local_conf: str) -> "Filter":
        conf = pipeline.current().conf
        return lambda application: middleware(application, conf)

    return factory


class RequestId(oslo_middleware.RequestId):
    """oslo's."""

    application: "WSGIApplication"

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if "HTTP_X_OPENSTACK_REQUEST_ID" in environ:
            self.set_global_req_id(webob.Request(environ))
        header = request_id.HTTP_RESP_HEADER_REQUEST_ID
        given = environ[request_id.ENV_REQUEST_ID] = context.generate_request_id()

        def start(status: str, headers: list[tuple[str, str]], *arguments: Any) -> Any:
            if all(name.lower() != header for name, _ in headers):
                headers = [*headers, (header, given)]
            return start_response(status, headers, *arguments)

        return self.application(environ, start)


class CORS(oslo_middleware.CORS):
    """oslo's, for what browsers send: it would answer any ``OPTIONS`` with 200, at any path."""

    application: "WSGIApplication"

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        is_preflight = "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
        if "HTTP_ORIGIN" in environ and (is_preflight or environ["REQUEST_METHOD"] != "OPTIONS"):
            return super().__call__(environ, start_response)
        return self.application(environ, start_response)


class SizeLimit(oslo_middleware.RequestBodySizeLimiter):
    """oslo's, whose own message does not tell the limit."""

    application: "WSGIApplication"

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        limit = self.oslo_conf.oslo_middleware.max_request_body_size
        length = environ.get("CONTENT_LENGTH", "")
        if not (length.isascii() and length.isdigit()):
            req = webob.Request(environ)
            req.body_file = sizelimit.LimitingReader(req.body_file, limit)
        elif len(length) > _MAX_DIGITS or int(length) > limit:
            raise exceptions.OverLimit(reason=f"The body must have at most {limit} bytes.")
        return self.application(environ, start_response)


class ProxyHeaders(oslo_middleware.HTTPProxyToWSGI):
    """oslo's, for the ``X-Forwarded`` headers alone, and for what a link can be made of.

    ``Forwarded`` would win over them, and a proxy that sets those lets a client's own through. Of a
    list in one of them the last counts: the nearest proxy's own word, which others only lengthen.
    """

    application: "WSGIApplication"

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        refusal = self.process_request(webob.Request(environ))
        return (refusal or self.application)(environ, start_response)

    def process_request(self, req: webob.Request) -> Any:
        """Work the headers in; a fault if scheme, host or prefix are none."""
        environ = req.environ
        environ.pop("HTTP_FORWARDED", None)
        for name in ("FOR", "PROTO", "HOST", "PREFIX"):
            if (value := environ.get(f"HTTP_X_FORWARDED_{name}")) is not None:
                last = value.rpartition(",")[2].strip()
                environ[f"HTTP_X_FORWARDED_{name}"] = last.rstrip("/") if name == "PREFIX" else last
        super().process_request(req)
        for name, key, form, right in _LINK_PARTS:
            if not form.fullmatch(environ.get(key, "")):
                return faults.fault(400, f"The request's {name} must be {right}.")
        return None


request_id_factory = _from_oslo(RequestId)
http_proxy_to_wsgi_factory = _from_oslo(ProxyHeaders)
cors_factory = _from_oslo(CORS)
sizelimit_factory = _from_oslo(SizeLimit)


class Faults:
    """Turns whatever goes wrong below into the JSON error of the API.

    That is an exception, or an error answer in another form, as other projects' filters give it.
    """

    def __init__(self, application: "WSGIApplication") -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        try:
            status, headers, parts = webob.Request(environ).call_application(self._application)
        except Exception as error:
            return faults.from_exception(error, environ)(environ, start_response)
        if int(status.split()[0]) < 400:
            start_response(status, headers)
            return parts
        response = webob.Response(status=status, headerlist=list(headers), app_iter=parts)
        if not _is_fault(response):
            return faults.from_response(response, environ)(environ, start_response)
        return response(environ, start_response)


def faults_factory(global_conf: dict[str, str], **local_conf: str) -> "Filter":
    """Paste factory of :class:`Faults`."""
    return Faults


def _is_fault(response: webob.Response) -> bool:
    """Whether an error answer has the API's form already (an answer to HEAD has no body)."""
    if (response.content_type or "").lower() != "application/json":
        return False
    if not response.body:
        return True
    try:
        document = response.json
    except ValueError:
        return False
    return isinstance(document, dict) and document.keys() <= set(faults.NAMES.values())


class RequestLog:
    """Logs each request with its status and time: changes at level info, reads at debug.

    The time is measured for the metrics, too.
    """

    def __init__(self, application: "WSGIApplication") -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        level = logging.DEBUG if environ["REQUEST_METHOD"] in ("GET", "HEAD") else logging.INFO
        started = time.monotonic()
        # What is logged before auth knows who asks must not show the thread's last request.
        cg_context.RequestContext(request_id=environ.get(request_id.ENV_REQUEST_ID))

        def log_and_start(status: str, *arguments: Any) -> Any:
            seconds = time.monotonic() - started
            method = environ["REQUEST_METHOD"]
            known = method if method in _METHODS else "other"
            metrics.REQUESTS.labels(known, status.split()[0]).observe(seconds)
            path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
            LOG.log(
                level,
                "%s %s %s status: %s time: %.4f s",
                # As they came: a line break in one would be the client's own line in the log. So
                # may the address be, where a proxy passes X-Forwarded-For on.
                urllib.parse.quote(environ.get("REMOTE_ADDR", "-"), "%:[]", "latin-1"),
                urllib.parse.quote(method, "", "latin-1"),
                urllib.parse.quote(path, _IN_PATHS, "latin-1"),
                status.split()[0],
                seconds,
            )
            return start_response(status, *arguments)

        return self._application(environ, log_and_start)


def request_log_factory(global_conf: dict[str, str], **local_conf: str) -> "Filter":
    """Paste factory of :class:`RequestLog`."""
    return RequestLog
