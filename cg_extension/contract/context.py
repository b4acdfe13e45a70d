# SPDX-License-Identifier: Apache-2.0
"""Who asks: the request context that goes from the API through an operation to the driver."""

from collections.abc import Mapping

from oslo_context import context as oslo_context

# The WSGI environ key under which a host's auth middleware leaves the context.
ENVIRON_KEY = "cg_extension.context"


class RequestContext(oslo_context.RequestContext):
    """oslo's context; ``is_admin`` is settled once, by the auth middleware, through policy."""

    # Whether what is read on the way may come from a replica that is late. Only a call that
    # changes nothing may say so, as ``api.wsgi`` does for GET and HEAD; it goes nowhere else with
    # the context. Whatever leads to a change is read where it will be written.
    may_read_late = False

    def to_policy_values(self) -> dict[str, object]:
        """What policy rules may say of the caller: oslo's attributes and ``is_admin``.

        Not what the caller has none of: a rule compares text, and would take two that are None,
        or one and a project that is called None, for the same.
        """
        return policy_target({**super().to_policy_values(), "is_admin": bool(self.is_admin)})

    def to_dict(self) -> dict[str, object]:
        """For work that goes on elsewhere and later, so without the user's token."""
        values: dict[str, object] = super().to_dict()
        del values["auth_token"]
        return values


def policy_target(target: Mapping[str, object]) -> dict[str, object]:
    """What a rule may compare the caller with: as for the caller, nothing that is None."""
    return {name: value for name, value in target.items() if value is not None}


def from_dict(values: Mapping[str, object]) -> RequestContext:
    """The context that ``to_dict`` wrote, for work that goes on in another process."""
    return RequestContext.from_dict(dict(values))
