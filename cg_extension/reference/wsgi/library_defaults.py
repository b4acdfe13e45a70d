# SPDX-License-Identifier: Apache-2.0
"""Defaults that oslo's options have here, for the running service and the sample file alike."""

from keystonemiddleware.auth_token import _opts as auth_token
from oslo_config import cfg
from oslo_db import options as db_options
from oslo_middleware import cors
from oslo_middleware.healthcheck import opts as healthcheck

from cg_extension.reference.db import engine

# Seconds for each answer of Keystone; a request would wait for ever for one that never comes.
_IDENTITY_TIMEOUT = 10

# By which an application credential's access rules name this service; the catalog must, too.
_SERVICE_TYPE = "block-storage"

# Those by which browsers say who asks, and those that answers have, too.
_IDENTITY_HEADERS = ["X-Auth-Token", "Authorization"]
_HEADERS = ["X-OpenStack-Request-ID", "OpenStack-API-Version"]


def set_defaults() -> None:
    """Change the libraries' own lists of options; for ``oslo.config.opts.defaults``, too."""
    cfg.set_defaults(healthcheck.HEALTHCHECK_OPTS, backends=["cg_extension"])
    cfg.set_defaults(
        auth_token._OPTS, http_connect_timeout=_IDENTITY_TIMEOUT, service_type=_SERVICE_TYPE
    )
    cfg.set_defaults(db_options.database_opts, max_pool_size=engine.MAX_POOL_SIZE)
    cors.set_defaults(
        allow_headers=[*_IDENTITY_HEADERS, *_HEADERS],
        expose_headers=_HEADERS,
        allow_methods=["GET", "HEAD", "POST", "PUT", "DELETE"],
    )
