# SPDX-License-Identifier: Apache-2.0
"""Who asks: the request context that goes from the API through an operation to the driver."""

from typing import Any

from oslo_context import context as oslo_context

# The WSGI environ key under which a host's auth middleware leaves the context.
ENVIRON_KEY = "cg_extension.context"


class RequestContext(oslo_context.RequestContext):
    """oslo's context; ``is_admin`` is settled once, by the auth middleware, through policy."""

    def to_dict(self) -> dict[str, Any]:
        """For work that goes on elsewhere and later, so without the user's token."""
        values: dict[str, Any] = super().to_dict()
        del values["auth_token"]
        return values


def from_dict(values: dict[str, Any]) -> RequestContext:
    """The context that ``to_dict`` wrote, for work that goes on in another process."""
    return RequestContext.from_dict(values)
