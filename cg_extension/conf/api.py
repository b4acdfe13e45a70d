# SPDX-License-Identifier: Apache-2.0
"""Options of the API that hold on every host that loads the extensions."""

from cg_extension.conf import kinds

GROUP = None

OPTS = [
    kinds.IntOpt(
        "osapi_max_limit",
        default=1000,
        min=1,
        max=100_000,
        help="Most rows that one answer to a list call holds. A larger ``limit`` in a request is "
        "cut to this; the answer then links to the next page.",
    ),
    kinds.URLOpt(
        "public_endpoint",
        help="URL under which clients reach this service, used in links, such as "
        "``https://volume.example.org``. When it is not set, the request's own host is used "
        "(behind a proxy: with the X-Forwarded-Proto, -Host and -Prefix headers, if "
        "``[oslo_middleware] enable_proxy_headers_parsing`` is on).",
    ),
    kinds.NamesOpt(
        "required_extensions",
        default=["consistencygroups", "cgsnapshots"],
        help="Aliases of API extensions without which the service must not start. An extension "
        "that fails to load is otherwise logged and left out.",
    ),
]
