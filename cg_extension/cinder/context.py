# SPDX-License-Identifier: Apache-2.0
"""Our request context in Cinder, with Cinder's own in it for the calls into Cinder."""

from cinder import context as cinder_context

from cg_extension.contract import context as cg_context


class RequestContext(cg_context.RequestContext):
    """Our context, made from Cinder's, which it keeps as ``cinder``."""

    def __init__(self, cinder: cinder_context.RequestContext) -> None:
        super().__init__(
            user_id=cinder.user_id,
            project_id=cinder.project_id,
            is_admin=cinder.is_admin,
            roles=cinder.roles,
            request_id=cinder.request_id,
            global_request_id=cinder.global_request_id,
            # Cinder's logging is to find Cinder's context for this request, not ours.
            overwrite=False,
        )
        self.cinder = cinder


def of_cinder(context: cg_context.RequestContext) -> cinder_context.RequestContext:
    """Cinder's own context of a request; in Cinder's processes every request has one."""
    assert isinstance(context, RequestContext)  # noqa: S101
    return context.cinder
