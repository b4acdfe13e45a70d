# SPDX-License-Identifier: Apache-2.0
"""Volumes of the reference host: list, show, change, delete. Creation: ``volume_creation``."""

from collections.abc import Mapping

import sqlalchemy as sa

from cg_extension.contract import exceptions, records, statuses
from cg_extension.contract.operations import OperationKind
from cg_extension.reference.db import pairs, rows, volumes
from cg_extension.reference.service import base, from_rows, members, scheduler

TABLE = volumes.TABLE
NOT_FOUND = exceptions.VolumeNotFound
FILTERS = (
    "name",
    "status",
    "availability_zone",
    "consistencygroup_id",
    "snapshot_id",
    "source_volid",
    "volume_type_id",
    "project_id",
    "user_id",
)

MACHINE = statuses.VOLUME
_DELETE = MACHINE.work["delete"].begin
_FORCE_DELETE = MACHINE.changes["force_delete"]


def load_one(conn: sa.Connection, volume_id: str) -> records.Volume:
    """The record of a volume that is known to exist."""
    row = rows.get(conn, TABLE, volume_id)
    if row is None:
        raise NOT_FOUND(id=volume_id)
    return from_rows.volume_records(conn, [row])[0]


class Volumes(base.Part):
    """Volume calls of the host's API."""

    def list_volumes(
        self, context: base.Context, query: records.ListQuery
    ) -> records.Page[records.Volume]:
        """One page of volumes. Filters: ``FILTERS``."""
        with self.read(context) as conn:
            found, has_more = base.page(conn, context, TABLE, query, FILTERS)
            return records.Page(from_rows.volume_records(conn, found), has_more)

    def get_volume(self, context: base.Context, volume_id: str) -> records.Volume:
        """:raises VolumeNotFound: no such volume, or another project's."""
        with self.read(context) as conn:
            row = base.get_visible(conn, context, TABLE, volume_id, NOT_FOUND)
            return from_rows.volume_records(conn, [row])[0]

    def update_volume(
        self,
        context: base.Context,
        volume_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> records.Volume:
        """Change what is not None; ``metadata`` replaces all of it."""
        given = {"name": name, "description": description}
        changes = {key: value for key, value in given.items() if value is not None}

        def work(transaction: base.Transaction) -> records.Volume:
            conn = transaction.conn
            base.get_locked(transaction, context, TABLE, volume_id, NOT_FOUND)
            transaction.change(TABLE, [volume_id], changes)
            if metadata is not None:
                pairs.replace(conn, volumes.METADATA, volume_id, metadata)
            return load_one(conn, volume_id)

        return self.write(work)

    def delete_volume(self, context: base.Context, volume_id: str, *, force: bool = False) -> None:
        """Accept the deletion; with ``force`` also of one that is in use without an attachment.

        :raises VolumeNotFound: no such volume.
        :raises InvalidState: its status, group, attachments, snapshots or clones forbid it.
        """

        def work(transaction: base.Transaction) -> None:
            volume = base.get_locked(transaction, context, TABLE, volume_id, NOT_FOUND)
            scheduler.check_not_frozen(transaction.conn, volume.host)
            if volume.consistencygroup_id is not None:
                raise members.refuse(
                    volume_id,
                    f"belongs to consistency group {volume.consistencygroup_id}; "
                    "remove it from the group first",
                )
            begin = _FORCE_DELETE if force else _DELETE
            members.check_deletable(transaction.conn, {volume_id: volume}, begin.sources)
            transaction.change_status(TABLE, [volume_id], begin)
            transaction.enqueue(
                OperationKind.VOLUME_DELETE,
                context,
                resource_id=volume_id,
                project_id=volume.project_id,
                host=volume.host,
            )

        self.write(work)

    def reset_volume_status(
        self,
        context: base.Context,
        volume_id: str,
        *,
        status: str | None,
        attach_status: str | None = None,
    ) -> None:
        """Set a volume's status by hand; ``attach_status`` "detached" drops its attachments.

        :param attach_status: "attached", which changes nothing, or "detached".
        :raises InvalidInput: a status of work under way, or one that does not exist.
        :raises InvalidState: a manager is working on the volume.
        """

        def work(transaction: base.Transaction) -> None:
            conn = transaction.conn
            volume = base.get_locked(transaction, context, TABLE, volume_id, NOT_FOUND)
            if volume.status in MACHINE.under_way:
                raise members.refuse(volume_id, f"is {volume.status}; wait for the end of it")
            attached = [item.id for item in volumes.attachments(conn, [volume_id])[volume_id]]
            if attach_status == "attached" and not attached:
                raise members.refuse(volume_id, "has no attachment; attach it instead")
            if attach_status == "detached":
                volumes.detach(conn, attached)
            if status is not None:
                change = MACHINE.reset(volume.status, status)
                transaction.change_status(TABLE, [volume_id], change)

        self.write(work)
