# SPDX-License-Identifier: Apache-2.0
"""Snapshots of single volumes; those of group snapshots are listed here, too, but not deleted.

A snapshot belongs to its volume's project, whoever takes it.
"""

from collections.abc import Mapping

from cg_extension.contract import exceptions, records, statuses
from cg_extension.contract.operations import OperationKind
from cg_extension.reference.db import pairs, rows, snapshots, volumes
from cg_extension.reference.db import quotas as db_quotas
from cg_extension.reference.service import base, from_rows, members, quotas, scheduler

TABLE = snapshots.TABLE
NOT_FOUND = exceptions.SnapshotNotFound
FILTERS = ("name", "status", "volume_id", "cgsnapshot_id", "project_id", "user_id")

MACHINE = statuses.SNAPSHOT
_CREATING = statuses.Status.CREATING


class Snapshots(base.Part):
    """Snapshot calls of the host's API."""

    def list_snapshots(
        self, context: base.Context, query: records.ListQuery
    ) -> records.Page[records.Snapshot]:
        """One page of snapshots. Filters: ``FILTERS``."""
        with self.read(context) as conn:
            found, has_more = base.page(conn, context, TABLE, query, FILTERS)
            return records.Page(from_rows.snapshot_records(conn, found), has_more)

    def get_snapshot(self, context: base.Context, snapshot_id: str) -> records.Snapshot:
        """:raises SnapshotNotFound: no such snapshot, or another project's."""
        with self.read(context) as conn:
            row = base.get_visible(conn, context, TABLE, snapshot_id, NOT_FOUND)
            return from_rows.snapshot_records(conn, [row])[0]

    def create_snapshot(
        self,
        context: base.Context,
        *,
        volume_id: str,
        name: str | None,
        description: str | None,
        force: bool,
        metadata: Mapping[str, str] | None,
    ) -> records.Snapshot:
        """Accept a snapshot of an available volume, with ``force`` also of one in use.

        :raises VolumeNotFound: no such volume.
        :raises InvalidState: its status, or its backend, forbids it.
        :raises QuotaExceeded: on ``snapshots`` or ``gigabytes``.
        """

        def work(transaction: base.Transaction) -> records.Snapshot:
            conn = transaction.conn
            volume = base.get_locked(
                transaction, context, volumes.TABLE, volume_id, exceptions.VolumeNotFound
            )
            if volume.status == statuses.Status.IN_USE and not force:
                raise members.refuse(volume_id, "is in-use; give force to take it all the same")
            members.check_snapshottable({volume_id: volume})
            scheduler.check_not_frozen(conn, volume.host)
            amounts = db_quotas.of_snapshots([volume.size])
            quotas.accept(transaction, self.conf, volume.project_id, amounts)
            values = transaction.new_row(
                context,
                MACHINE,
                project_id=volume.project_id,
                name=name,
                description=description,
                volume_id=volume_id,
                volume_size=volume.size,
            )
            rows.insert(conn, TABLE, [values])
            pairs.insert(conn, snapshots.METADATA, {values["id"]: metadata or {}})
            _enqueue(transaction, OperationKind.SNAPSHOT_CREATE, context, values["id"], volume)
            return records.Snapshot(**values, metadata=dict(metadata or {}))

        return self.write(work)

    def update_snapshot(
        self,
        context: base.Context,
        snapshot_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
    ) -> records.Snapshot:
        """Change what is not None."""
        given = {"name": name, "description": description}
        changes = {key: value for key, value in given.items() if value is not None}

        def work(transaction: base.Transaction) -> records.Snapshot:
            base.get_locked(transaction, context, TABLE, snapshot_id, NOT_FOUND)
            transaction.change(TABLE, [snapshot_id], changes)
            row = base.get_visible(transaction.conn, context, TABLE, snapshot_id, NOT_FOUND)
            return from_rows.snapshot_records(transaction.conn, [row])[0]

        return self.write(work)

    def delete_snapshot(
        self, context: base.Context, snapshot_id: str, *, force: bool = False
    ) -> None:
        """Accept the deletion. ``force`` is taken for Cinder's clients; it allows nothing more.

        :raises SnapshotNotFound: no such snapshot.
        :raises InvalidState: its status, its group snapshot, or a volume being created from it
            forbids it.
        """

        def work(transaction: base.Transaction) -> None:
            conn = transaction.conn
            snapshot = base.get_locked(transaction, context, TABLE, snapshot_id, NOT_FOUND)
            volume = rows.get(conn, volumes.TABLE, snapshot.volume_id)
            assert volume is not None  # noqa: S101 (a foreign key holds it)
            scheduler.check_not_frozen(conn, volume.host)
            if snapshot.cgsnapshot_id is not None:
                raise _refuse(
                    snapshot_id,
                    f"belongs to group snapshot {snapshot.cgsnapshot_id}; delete that instead",
                )
            begin = MACHINE.work["delete"].begin
            MACHINE.check(snapshot_id, snapshot.status, begin.sources)
            if volumes.made_from_snapshots(conn, [snapshot_id], status=_CREATING):
                raise _refuse(snapshot_id, "is the source of a volume that is being created")
            transaction.change_status(TABLE, [snapshot_id], begin)
            _enqueue(transaction, OperationKind.SNAPSHOT_DELETE, context, snapshot_id, volume)

        self.write(work)

    def reset_snapshot_status(
        self, context: base.Context, snapshot_id: str, *, status: str
    ) -> None:
        """Set a snapshot's status by hand.

        :raises InvalidInput: a status of work under way, or one that does not exist.
        :raises InvalidState: a manager is working on the snapshot.
        """

        def work(transaction: base.Transaction) -> None:
            snapshot = base.get_locked(transaction, context, TABLE, snapshot_id, NOT_FOUND)
            if snapshot.status in MACHINE.under_way:
                raise _refuse(snapshot_id, f"is {snapshot.status}; wait for the end of it")
            change = MACHINE.reset(snapshot.status, status)
            transaction.change_status(TABLE, [snapshot_id], change)

        self.write(work)


def _enqueue(
    transaction: base.Transaction,
    kind: OperationKind,
    context: base.Context,
    snapshot_id: str,
    volume: rows.Row,
) -> None:
    transaction.enqueue(
        kind,
        context,
        resource_id=snapshot_id,
        project_id=volume.project_id,
        host=volume.host,
    )


def _refuse(snapshot_id: str, reason: str) -> exceptions.InvalidState:
    return exceptions.InvalidState(reason=f"Snapshot {snapshot_id} {reason}.")
