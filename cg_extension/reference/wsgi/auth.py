# SPDX-License-Identifier: Apache-2.0
"""Who asks: one filter an auth strategy, each of which leaves a request context in the environ.

What the caller may do is policy's; here it is only settled, once a request, whether policy counts
them as an administrator.
"""

import functools
import ipaddress
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import webob.exc
from oslo_middleware import basic_auth, http_proxy_to_wsgi, request_id

from cg_extension.api import faults
from cg_extension.conf import errors
from cg_extension.contract import context as cg_context
from cg_extension.contract import exceptions
from cg_extension.reference.wsgi import htpasswd, identity, pipeline

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    Filter = Callable[[WSGIApplication], WSGIApplication]

# Characters of a user's or project's name that every database stores.
_MAX_NAME = 255

# A token of noauth. Commas join what was sent twice, so they are no part of a name.
_TOKEN = re.compile("([^:,]+):([^:,]+)(?::([^:]+))?")


class ContextFilter:
    """Base of the strategies: puts what ``make_context`` gives into the environ."""

    def __init__(self, application: "WSGIApplication", deployment: pipeline.Deployment) -> None:
        self._application = application
        self._deployment = deployment

    def make_context(self, environ: dict[str, Any]) -> cg_context.RequestContext:
        """The caller's context.

        :raises exceptions.Unauthorized: the request does not say, or does not prove, who asks.
        """
        raise NotImplementedError

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        try:
            context = self.make_context(environ)
        except exceptions.Unauthorized as error:
            # An answer, so that filters on its way back can say how to do better.
            return faults.from_exception(error, environ)(environ, start_response)
        # The target is the caller, as in Cinder.
        target = context.to_policy_values()
        context.is_admin = self._deployment.enforcer.allows(
            "context_is_admin", target, dict(target)
        )
        environ[cg_context.ENVIRON_KEY] = context
        return self._application(environ, start_response)


def _context(
    environ: dict[str, Any], user: str, project: str, roles: list[str]
) -> cg_context.RequestContext:
    """A context of what a strategy found out, and of nothing else that the client sent.

    :raises exceptions.Unauthorized: the user, the project or a role can't be one's name.
    """
    return cg_context.RequestContext(
        user_id=_name(user),
        project_id=_name(project),
        roles=[_name(role) for role in roles],
        request_id=environ.get(request_id.ENV_REQUEST_ID),
        global_request_id=environ.get(request_id.GLOBAL_REQ_ID),
    )


def _name(raw: str) -> str:
    """The text of a WSGI string, which holds bytes as Latin-1, if it can be stored as a name."""
    try:
        text = raw.encode("latin-1").decode()
    except UnicodeDecodeError:
        text = ""
    if not text.strip() or not text.isprintable() or len(text) > _MAX_NAME:
        raise exceptions.Unauthorized(
            f"User, project and roles must each be named by 1 to {_MAX_NAME} printable "
            "characters, not by blanks alone."
        )
    return text


@functools.lru_cache(maxsize=1024)
def _is_this_machine(address: str) -> bool:
    """True for a loopback address, and for the empty one of a Unix socket."""
    if not address:
        return True
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback


class NoAuth(ContextFilter):
    """``noauth``: believes a token ``USER:PROJECT[:ROLE[,ROLE…]]``, admin when it names no role.

    Serves this machine only, unless ``allow_noauth_on_network`` is set: whatever server it runs
    in, and whatever that one listens on.

    :raises errors.StartError: on construction, if a proxy's word would count for who is where.
    """

    def __init__(self, application: "WSGIApplication", deployment: pipeline.Deployment) -> None:
        super().__init__(application, deployment)
        conf = deployment.conf
        conf.register_opts(http_proxy_to_wsgi.OPTS, group="oslo_middleware")
        if conf.oslo_middleware.enable_proxy_headers_parsing and not conf.allow_noauth_on_network:
            raise errors.StartError(
                "[oslo_middleware] enable_proxy_headers_parsing would let everyone who reaches "
                "the proxy do everything under auth_strategy noauth. Switch it off, choose "
                "auth_strategy keystone or http_basic, or set allow_noauth_on_network."
            )

    def make_context(self, environ: dict[str, Any]) -> cg_context.RequestContext:
        remote = environ.get("REMOTE_ADDR", "")
        if not self._deployment.conf.allow_noauth_on_network and not _is_this_machine(remote):
            raise exceptions.Unauthorized(
                "This service takes requests from its own machine only (auth_strategy noauth)."
            )
        match = _TOKEN.fullmatch(environ.get("HTTP_X_AUTH_TOKEN", ""))
        user, project, roles = match.groups() if match else ("", "", "")
        # Only the form without a second colon is an administrator's, not one with nothing behind.
        names = ["admin"] if roles is None else [role.strip(" \t") for role in roles.split(",")]
        if not all(names):
            raise exceptions.Unauthorized(
                "A token USER:PROJECT or USER:PROJECT:ROLE[,ROLE...] is required in the "
                "X-Auth-Token header, no part of it empty."
            )
        return _context(environ, user, project, names)


class KeystoneContext(ContextFilter):
    """``keystone``: what keystonemiddleware's auth_token found out about the token."""

    def make_context(self, environ: dict[str, Any]) -> cg_context.RequestContext:
        context = cg_context.RequestContext.from_environ(environ)
        if environ.get("HTTP_X_IDENTITY_STATUS") != "Confirmed":
            raise exceptions.Unauthorized()
        return context


class HTTPBasicContext(ContextFilter):
    """``http_basic``: every user of the file is an administrator of the project in the path."""

    def make_context(self, environ: dict[str, Any]) -> cg_context.RequestContext:
        project = environ.get("PATH_INFO", "").removeprefix("/").partition("/")[0]
        if project in self._deployment.collections:
            raise exceptions.InvalidInput(
                reason="the path must name the project, such as /v3/PROJECT/volumes: there is no "
                "token that does."
            )
        return _context(environ, environ["HTTP_X_USER"], project, ["admin"])


class _PasswordRequired(exceptions.Unauthorized):
    message = "A user name and its password are required (HTTP basic)."
    headers = {"WWW-Authenticate": 'Basic realm="cg_extension"'}


class _BasicAuth:
    """Lets in who has the password of a user of the file, under that user's name."""

    def __init__(self, application: "WSGIApplication", users: htpasswd.Users) -> None:
        self._application = application
        self._users = users

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        try:
            user, password = basic_auth.parse_token(basic_auth.parse_header(environ))
        except webob.exc.HTTPClientError as error:
            raise _PasswordRequired() from error
        if not self._users.check(user, password):
            raise _PasswordRequired()
        # As a WSGI server would give the text of a header.
        environ["HTTP_X_USER"] = environ["HTTP_X_USER_NAME"] = user.encode().decode("latin-1")
        return self._application(environ, start_response)


def noauth_factory(global_conf: dict[str, str], **local_conf: str) -> "Filter":
    """Paste factory of :class:`NoAuth`."""
    return functools.partial(NoAuth, deployment=pipeline.current())


def keystone_factory(global_conf: dict[str, str], **local_conf: str) -> "Filter":
    """Paste factory: auth_token, configured by ``[keystone_authtoken]``, then the context."""
    deployment = pipeline.current()

    def wrap(application: "WSGIApplication") -> "WSGIApplication":
        context = KeystoneContext(application, deployment)
        return identity.AuthToken(context, deployment.conf)

    return wrap


def http_basic_factory(global_conf: dict[str, str], **local_conf: str) -> "Filter":
    """Paste factory: basic auth with ``http_basic_auth_user_file``, then the context."""
    deployment = pipeline.current()
    users = htpasswd.Users(deployment.conf.http_basic_auth_user_file)
    deployment.files.append(users.files)

    def wrap(application: "WSGIApplication") -> "WSGIApplication":
        context = HTTPBasicContext(application, deployment)
        return _BasicAuth(context, users)

    return wrap
