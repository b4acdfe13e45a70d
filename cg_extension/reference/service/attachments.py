# SPDX-License-Identifier: Apache-2.0
"""Attachments and connections of volumes.

An attachment is a note of who uses a volume, and puts it in use; a connection is what a manager's
driver sets up so that a host can reach it.
"""

from oslo_utils import uuidutils

from cg_extension.contract import exceptions, records, statuses
from cg_extension.reference.db import snapshots, volumes
from cg_extension.reference.service import base, members
from cg_extension.reference.service.volumes import NOT_FOUND, TABLE

_CREATING = statuses.Status.CREATING
_ATTACH = statuses.VOLUME.changes["attach"]
_DETACH = statuses.VOLUME.changes["detach"]


class Attachments(base.Part):
    """Attachment and connection calls of the host's API."""

    def attach_volume(
        self,
        context: base.Context,
        volume_id: str,
        *,
        instance_uuid: str | None,
        host_name: str | None,
        mountpoint: str | None,
        mode: str | None,
    ) -> None:
        """Note that an instance or a host (exactly one of them is given) uses the volume.

        :param mode: "rw" or "ro"; None is "rw".
        :raises InvalidState: the volume is not available, or is just being copied by a backend
            that may rely on nobody writing to it.
        """

        def work(transaction: base.Transaction) -> None:
            conn = transaction.conn
            volume = base.get_locked(transaction, context, TABLE, volume_id, NOT_FOUND)
            statuses.VOLUME.check(volume_id, volume.status, _ATTACH.sources)
            ids = [volume_id]
            if snapshots.volumes_with_snapshots(
                conn, ids, status=_CREATING
            ) or volumes.made_from_volumes(conn, ids, status=_CREATING):
                raise members.refuse(volume_id, "is just being copied; try again afterwards")
            transaction.change_status(TABLE, ids, _ATTACH)
            volumes.attach(
                conn,
                attachment_id=uuidutils.generate_uuid(),
                volume_id=volume_id,
                instance_uuid=instance_uuid,
                attached_host=host_name,
                mountpoint=mountpoint,
                mode=mode or "rw",
                attached_at=transaction.now,
            )

        self.write(work)

    def detach_volume(
        self, context: base.Context, volume_id: str, *, attachment_id: str | None = None
    ) -> None:
        """Remove an attachment; without an id the only one there is.

        :raises InvalidInput: the id is none of the volume's, or is needed.
        :raises InvalidState: the volume is not attached.
        """

        def work(transaction: base.Transaction) -> None:
            conn = transaction.conn
            volume = base.get_locked(transaction, context, TABLE, volume_id, NOT_FOUND)
            attached = [item.id for item in volumes.attachments(conn, [volume_id])[volume_id]]
            if not attached:
                raise members.refuse(volume_id, "is not attached")
            if attachment_id is None and len(attached) > 1:
                raise exceptions.InvalidInput(
                    reason=f"volume {volume_id} has several attachments; name one of them"
                )
            removed = attachment_id or attached[0]
            if removed not in attached:
                raise exceptions.InvalidInput(
                    reason=f"attachment {removed} is none of volume {volume_id}"
                )
            volumes.detach(conn, [removed])
            if len(attached) == 1 and volume.status in _DETACH.sources:
                transaction.change_status(TABLE, [volume_id], _DETACH)

        self.write(work)

    def initialize_connection(
        self, context: base.Context, volume_id: str, connector: records.Connector
    ) -> records.Connection:
        """Have the volume made reachable, and say how.

        :raises InvalidState: the volume is neither available nor in use.
        :raises ServiceUnavailable: no manager of its backend answers, or the database does not.
        """
        volume = self._connectable(context, volume_id)
        with base.database_errors():  # Of a manager in this process.
            return self.managers.initialize_connection(volume.host, context, volume_id, connector)

    def terminate_connection(
        self, context: base.Context, volume_id: str, connector: records.Connector
    ) -> None:
        """Undo ``initialize_connection``; the same errors."""
        volume = self._connectable(context, volume_id)
        with base.database_errors():
            self.managers.terminate_connection(volume.host, context, volume_id, connector)

    def _connectable(self, context: base.Context, volume_id: str) -> records.Volume:
        with self.read(context) as conn:
            row = base.get_visible(conn, context, TABLE, volume_id, NOT_FOUND)
        statuses.VOLUME.check(volume_id, row.status, statuses.SNAPSHOTTABLE_VOLUME)
        return records.Volume(**row._mapping)
