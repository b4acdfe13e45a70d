# SPDX-License-Identifier: Apache-2.0
"""The identity service that tokens are checked at: keystonemiddleware's auth_token, told apart.

auth_token takes a Keystone that can't be asked for a token that is wrong. Here the first is the
deployment's fault, 503, and only what Keystone says of the token itself is the client's, 401. What
``[keystone_authtoken]`` lacks stops the start instead of failing every request.
"""

import ssl
import urllib.parse
from typing import TYPE_CHECKING, Any

import webob.exc
from keystoneauth1 import exceptions as keystone_exceptions
from keystoneauth1 import loading
from keystonemiddleware import auth_token
from keystonemiddleware.auth_token import _opts as auth_token_opts
from oslo_config import cfg
from oslo_log import log as logging

from cg_extension.conf import errors
from cg_extension.contract import exceptions

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

LOG = logging.getLogger(__name__)

SECTION = "keystone_authtoken"

_FILES = ("cafile", "certfile", "keyfile")


class AuthToken(auth_token.AuthProtocol):  # type: ignore[misc]  # untyped
    """Passes on the requests whose token Keystone confirms.

    :param application: finds what Keystone said in the environ, as auth_token leaves it.
    :raises errors.StartError: on construction, if ``[keystone_authtoken]`` can't be right.
    """

    def __init__(self, application: "WSGIApplication", conf: cfg.ConfigOpts) -> None:
        register_opts(conf)
        try:
            _check(conf)
            # The decision is made here, not later on what auth_token tells the application.
            options = {"oslo_config_config": conf, "delay_auth_decision": False}
            super().__init__(application, options)
            # Imports the memcached client that the options ask for; it does not connect.
            self._token_cache.initialize({})
            with self._token_cache._cache_pool.reserve():
                pass
        except (
            keystone_exceptions.ClientException,
            auth_token.ConfigurationError,
            ImportError,
            OSError,
            ValueError,
        ) as error:
            raise errors.StartError(f"[{SECTION}]: {errors.describe(error)}") from error

    def process_request(self, request: Any) -> Any:
        """See what the request's tokens are worth.

        :raises Unauthorized: Keystone does not know the token, or there is none.
        :raises ServiceUnavailable: Keystone can't be asked, or refuses to answer this service.
        """
        try:
            return super().process_request(request)
        except webob.exc.HTTPUnauthorized as error:
            refusal = exceptions.Unauthorized()
            refusal.headers = {"WWW-Authenticate": error.headers["WWW-Authenticate"]}
            raise refusal from error
        except Exception as error:
            # Nothing but auth_token ran: whatever it is, the token has not been checked.
            what = type(error).__name__
            LOG.error("The identity service can't check a token: %s: %s", what, error)
            LOG.debug("Why it can't", exc_info=True)
            raise exceptions.ServiceUnavailable(
                reason="The identity service, which checks tokens, can't be asked now; try again "
                "later."
            ) from error

    def fetch_token(self, token: str, allow_expired: bool = False) -> Any:
        """What Keystone knows of a token; for auth_token.

        :raises InvalidToken: Keystone does not know it.
        """
        try:
            return super().fetch_token(token, allow_expired=allow_expired)
        except auth_token.InvalidToken:
            # A 404 to this service's own login passes for one about the token.
            self._session.get_auth_headers(self._auth)
            raise


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register the options of ``[keystone_authtoken]``; harmless when they are there already."""
    for group, options in auth_token_opts.list_opts():
        conf.register_opts(options, group=group)
    # The same in the section that auth_section may name.
    loading.register_auth_conf_options(conf, SECTION)


def _check(conf: cfg.ConfigOpts) -> None:
    """:raises errors.StartError: what is missing no token can ever be checked without."""
    section = conf[SECTION].auth_section or SECTION
    auth_type = conf[section].auth_type
    wanted = {"auth_type": auth_type}
    if auth_type:
        with errors.blaming(f"[{section}] auth_type = {auth_type}"):
            plugin: Any = loading.get_plugin_loader(auth_type)
        conf.register_opts(loading.get_auth_plugin_conf_options(auth_type), group=section)
        options = conf[section]
        if "auth_url" in options:
            wanted["auth_url"] = options.auth_url
        if auth_type in ("password", "v3password"):
            wanted["username"] = options.username or options.user_id
            wanted["password"] = options.password
        for option in plugin.get_options():
            if option.required:
                wanted[option.dest] = options[option.dest]
    for name, value in wanted.items():
        if not value:
            raise errors.StartError(
                f"[{section}] {name} is not set: auth_strategy keystone needs the section "
                f"[{SECTION}], with auth_type = password, auth_url, and username and password of "
                "this service's own."
            )
    if not _is_url(wanted.get("auth_url", "http://none")):
        raise errors.StartError(
            f"[{section}] auth_url must be the URL of Keystone, such as "
            f"https://identity.example.org/v3; it is {wanted['auth_url']!r}."
        )
    for name in _FILES:
        if path := conf[SECTION][name]:
            with errors.blaming(f"[{SECTION}] {name} = {path}"):
                with open(path, "rb"):
                    pass
                if name == "cafile":
                    ssl.create_default_context(cafile=path)


def _is_url(text: str) -> bool:
    try:
        url = urllib.parse.urlsplit(text)
        return url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:  # A port that is no number.
        return False
