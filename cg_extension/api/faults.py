# SPDX-License-Identifier: Apache-2.0
"""The one place where an exception becomes an answer.

The service's own errors and webob's HTTP exceptions carry what the client may know. For anything
else the client gets only the request id, and the log gets the traceback.
"""

from typing import Any

import webob.exc
from oslo_log import log as logging

from cg_extension.api import answer
from cg_extension.contract import exceptions

LOG = logging.getLogger(__name__)

# The WSGI environ key under which oslo.middleware leaves the request id.
REQUEST_ID_KEY = "openstack.request_id"

NAMES = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    406: "notAcceptable",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    429: "overLimit",
    500: "computeFault",
    501: "notImplemented",
    503: "serviceUnavailable",
}


def fault(code: int, message: str, headers: dict[str, str] | None = None) -> answer.Answer:
    """An error answer; a code that has no name of its own gets the name of 400 or of 500."""
    name = NAMES.get(code) or NAMES[400 if code < 500 else 500]
    return answer.Answer(code, {name: {"code": code, "message": message}}, headers or {})


def from_exception(error: Exception, environ: dict[str, Any]) -> answer.Answer:
    """The answer to a request that ended in ``error``."""
    if isinstance(error, webob.exc.HTTPException):
        return from_response(error.wsgi_response, environ)
    if isinstance(error, exceptions.CGExtensionError) and error.code != 500:
        if error.code > 500:
            LOG.warning("A request can't be served: %s", error.msg)
        return fault(error.code, error.msg, error.headers)
    LOG.error("A request failed unexpectedly", exc_info=error)
    return _unexpected(environ)


def from_response(response: webob.Response, environ: dict[str, Any]) -> answer.Answer:
    """Our form of an error answer that code of other projects gave in text or HTML."""
    if response.status_int == 500:
        return _unexpected(environ)
    headers = {
        name: value
        for name, value in response.headers.items()
        if name.lower() not in ("content-type", "content-length")
    }
    # webob's exceptions have a detail about this case, or else an explanation of their class.
    message = getattr(response, "detail", None) or getattr(response, "explanation", None)
    if message is None and (response.content_type or "").lower() == "text/plain":
        message = response.body.decode(errors="replace").strip()
    return fault(response.status_int, message or response.status, headers)


def _unexpected(environ: dict[str, Any]) -> answer.Answer:
    return fault(
        500,
        "An unexpected error prevented the service from carrying out the request. The log of "
        f"the service says more under the request id {environ.get(REQUEST_ID_KEY, '-')}.",
    )
