# SPDX-License-Identifier: Apache-2.0
"""Who asks: the request context that goes from the API through an operation to the driver."""

from collections.abc import Mapping

from oslo_context import context as oslo_context

# The WSGI environ key under which a host's auth middleware leaves the context.
ENVIRON_KEY = "cg_extension.context"


class RequestContext(oslo_context.RequestContext):
    """oslo's context; ``is_admin`` is settled once, by the auth middleware, through policy."""

    # Whether reads for this request may come from a replica that lags behind. ``api.wsgi`` sets
    # it for GET and HEAD, which change nothing; ``to_dict`` doesn't pass it on. Whatever leads to
    # a change is read from the database that it will be written to.
    may_read_late = False

    def to_policy_values(self) -> dict[str, object]:
        """What policy rules may say of the caller: oslo's attributes and ``is_admin``.

        Those that are None are left out: a rule compares text, and would find None equal to
        another None, or to a project that is called None.
        """
        return policy_target({**super().to_policy_values(), "is_admin": bool(self.is_admin)})

    def to_dict(self) -> dict[str, object]:
        """The context for work that another process does later, without the user's token."""
        values: dict[str, object] = super().to_dict()
        del values["auth_token"]
        return values


def policy_target(target: Mapping[str, object]) -> dict[str, object]:
    """What a rule may compare the caller with: ``target`` without its None values."""
    return {name: value for name, value in target.items() if value is not None}


def from_dict(values: Mapping[str, object]) -> RequestContext:
    """The context that ``to_dict`` wrote, for work that goes on in another process."""
    return RequestContext.from_dict(dict(values))
