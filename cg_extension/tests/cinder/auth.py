# SPDX-License-Identifier: Apache-2.0
"""A paste filter in the place of keystonemiddleware, for tests.

A token is ``user:project:role[,role…]``; Cinder's own context filter and policies behind it work
on the same headers that keystonemiddleware would have set.
"""

from collections.abc import Callable, Iterable
from typing import Any

import webob
import webob.exc

Application = Callable[..., Iterable[bytes]]


def filter_factory(
    global_conf: dict[str, str], **local_conf: str
) -> Callable[[Application], Application]:
    """Paste filter factory: identity from the token's own text."""

    def make_filter(application: Application) -> Application:
        def call(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            token = environ.get("HTTP_X_AUTH_TOKEN")
            if not token:
                return webob.exc.HTTPUnauthorized()(environ, start_response)
            user, _, rest = token.partition(":")
            project, _, roles = rest.partition(":")
            project = project or user
            environ.update(
                HTTP_X_IDENTITY_STATUS="Confirmed",
                HTTP_X_USER_ID=user,
                HTTP_X_PROJECT_ID=project,
                HTTP_X_ROLES=roles or "member,reader",
            )
            return application(environ, start_response)

        return call

    return make_filter
