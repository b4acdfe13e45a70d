# SPDX-License-Identifier: Apache-2.0
"""``POST /volumes/{id}/action``: attachments and connections, and what administrators mend."""

import webob

from cg_extension.api import answer, validation, wsgi
from cg_extension.contract import exceptions
from cg_extension.policies import volumes as policies
from cg_extension.reference.wsgi.controllers import base
from cg_extension.reference.wsgi.schemas import volumes as schemas
from cg_extension.reference.wsgi.views import volumes as views

# Action → its function here.
ACTIONS = {
    "os-attach": "attach",
    "os-detach": "detach",
    "os-reset_status": "reset_status",
    "os-force_delete": "force_delete",
    "os-initialize_connection": "initialize_connection",
    "os-terminate_connection": "terminate_connection",
}
_RULES = {
    "attach": policies.ATTACH,
    "detach": policies.DETACH,
    "reset_status": policies.RESET_STATUS,
    "force_delete": policies.FORCE_DELETE,
    "initialize_connection": policies.INITIALIZE_CONNECTION,
    "terminate_connection": policies.TERMINATE_CONNECTION,
}


class VolumeActionsController(base.Controller):
    """Actions on a volume. Each function takes the context, the volume's id and arguments."""

    @wsgi.raises(exceptions.VolumeNotFound, exceptions.InvalidState)
    @wsgi.response(202)
    @wsgi.response(200, views.CONNECTION)
    @wsgi.body(schemas.ACTION)
    def action(self, req: webob.Request, id: str, body: base.Document) -> answer.Answer | None:
        """Find out which action it is, check its rule, and do it."""
        name, arguments = base.action_of(req, body, ACTIONS)
        volume = self.find(
            req, id, _RULES[name], self.service.get_volume, exceptions.VolumeNotFound
        )
        result: answer.Answer | None = getattr(self, name)(
            wsgi.context_of(req), volume.id, arguments
        )
        return result

    def attach(self, context: base.Context, id: str, arguments: base.Document) -> None:
        """Record an attachment, to an instance or to a host."""
        if len(arguments.keys() & {"instance_uuid", "host_name"}) != 1:
            validation.invalid("exactly one of instance_uuid and host_name must be given.")
        self.service.attach_volume(
            context,
            id,
            instance_uuid=arguments.get("instance_uuid"),
            host_name=arguments.get("host_name"),
            mountpoint=arguments.get("mountpoint"),
            mode=arguments.get("mode"),
        )

    def detach(self, context: base.Context, id: str, arguments: base.Document) -> None:
        """Remove an attachment's record."""
        self.service.detach_volume(context, id, attachment_id=arguments.get("attachment_id"))

    def reset_status(self, context: base.Context, id: str, arguments: base.Document) -> None:
        """Set the status by hand, and the attachments if asked to."""
        if not arguments:
            validation.invalid("status or attach_status must be given.")
        self.service.reset_volume_status(
            context,
            id,
            status=arguments.get("status"),
            attach_status=arguments.get("attach_status"),
        )

    def force_delete(self, context: base.Context, id: str, arguments: base.Document) -> None:
        """Delete the volume, also one that is in use without an attachment."""
        self.service.delete_volume(context, id, force=True)

    def initialize_connection(
        self, context: base.Context, id: str, arguments: base.Document
    ) -> answer.Answer:
        """Have a machine reach the volume; answers with 200 and how."""
        connection = self.service.initialize_connection(context, id, _connector(arguments))
        return answer.Answer(200, {"connection_info": connection})

    def terminate_connection(
        self, context: base.Context, id: str, arguments: base.Document
    ) -> None:
        """Undo initialize_connection: the machine no longer reaches the volume."""
        self.service.terminate_connection(context, id, _connector(arguments))


def _connector(arguments: base.Document) -> base.Document:
    if "connector" not in arguments:
        validation.invalid("connector must be given.")
    connector: base.Document = arguments["connector"]
    return connector
