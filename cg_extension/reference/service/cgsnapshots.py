# SPDX-License-Identifier: Apache-2.0
"""Group snapshots: list, show, create, delete.

A group snapshot belongs to its group's project, also when an administrator takes it: whoever owns
the group sees and pays for what its volumes hold.
"""

from collections.abc import Mapping, Sequence

from cg_extension.contract import exceptions, records, statuses
from cg_extension.contract.operations import OperationKind
from cg_extension.reference.db import cgsnapshots, consistencygroups, rows, snapshots, volumes
from cg_extension.reference.db import quotas as db_quotas
from cg_extension.reference.service import base, groups, members, quotas, scheduler

TABLE = cgsnapshots.TABLE
NOT_FOUND = exceptions.CGSnapshotNotFound
FILTERS = ("name", "status", "consistencygroup_id", "project_id")

MACHINE = statuses.CGSNAPSHOT
_CREATING = statuses.Status.CREATING


class CGSnapshots(base.Part):
    """Group snapshot calls of seam 1."""

    def list_cgsnapshots(
        self, context: base.Context, query: records.ListQuery
    ) -> records.Page[records.CGSnapshot]:
        with self.read(context, single=base.is_single(query)) as conn:
            found, has_more = base.page(conn, context, TABLE, query, FILTERS)
        listed = tuple(records.CGSnapshot(**values) for values in rows.dicts(found))
        return records.Page(listed, has_more)

    def list_cgsnapshot_names(
        self, context: base.Context, query: records.ListQuery
    ) -> records.Page[records.Name]:
        with self.read(context, single=base.is_single(query)) as conn:
            return base.names_page(conn, context, TABLE, query, FILTERS)

    def get_cgsnapshot(self, context: base.Context, cgsnapshot_id: str) -> records.CGSnapshot:
        with self.read(context, single=True) as conn:
            row = base.get_visible(conn, context, TABLE, cgsnapshot_id, NOT_FOUND)
        return records.CGSnapshot(**row._mapping)

    def get_receipts(
        self, context: base.Context, cgsnapshot_ids: Sequence[str]
    ) -> Mapping[str, records.Receipt]:
        if not cgsnapshot_ids:
            return {}
        with self.read(context, single=True) as conn:
            return cgsnapshots.receipts(conn, cgsnapshot_ids)

    def create_cgsnapshot(
        self,
        context: base.Context,
        *,
        group_id: str,
        name: str | None,
        description: str | None,
    ) -> records.CGSnapshot:
        def work(transaction: base.Transaction) -> records.CGSnapshot:
            conn = transaction.conn
            group = base.get_locked(transaction, context, groups.TABLE, group_id, groups.NOT_FOUND)
            groups.MACHINE.check(group_id, group.status, statuses.USABLE)
            found = volumes.of_group(conn, group_id)
            if not found:
                raise exceptions.InvalidState(
                    reason=f"Consistency group {group_id} has no volumes to take a snapshot of."
                )
            members.check_snapshottable(found)
            scheduler.check_not_frozen(conn, group.host)
            sizes = [volume.size for volume in found.values()]
            amounts = db_quotas.of_snapshots(sizes)
            quotas.accept(transaction, self.conf, group.project_id, amounts)
            common = {
                "project_id": group.project_id,
                "name": name,
                "description": description,
            }
            values = transaction.new_row(context, MACHINE, consistencygroup_id=group_id, **common)
            rows.insert(conn, TABLE, [values])
            parts = [
                transaction.new_row(
                    context,
                    statuses.SNAPSHOT,
                    volume_id=volume.id,
                    volume_size=volume.size,
                    cgsnapshot_id=values["id"],
                    **common,
                )
                for volume in found.values()
            ]
            rows.insert(conn, snapshots.TABLE, parts)
            transaction.enqueue(
                OperationKind.CGSNAPSHOT_CREATE,
                context,
                resource_id=values["id"],
                project_id=group.project_id,
                host=group.host,
            )
            return records.CGSnapshot(**values)

        return self.write(work)

    def delete_cgsnapshot(self, context: base.Context, cgsnapshot_id: str) -> None:
        def work(transaction: base.Transaction) -> None:
            conn = transaction.conn
            cgsnapshot = base.get_locked(transaction, context, TABLE, cgsnapshot_id, NOT_FOUND)
            group = rows.get(conn, groups.TABLE, cgsnapshot.consistencygroup_id)
            assert group is not None  # noqa: S101 (a foreign key holds it)
            scheduler.check_not_frozen(conn, group.host)
            begin = MACHINE.work["delete"].begin
            MACHINE.check(cgsnapshot_id, cgsnapshot.status, begin.sources)
            clone = consistencygroups.made_from(conn, cgsnapshot_id=cgsnapshot_id, status=_CREATING)
            if clone:
                raise exceptions.InvalidState(
                    reason=f"Group snapshot {cgsnapshot_id} is the source of consistency group "
                    f"{clone}, which is being created; try again when it is available."
                )
            parts = snapshots.of_cgsnapshot(conn, cgsnapshot_id)
            sources = volumes.made_from_snapshots(conn, parts, status=_CREATING)
            if sources:
                raise exceptions.InvalidState(
                    reason=f"Snapshot {min(sources)} of group snapshot {cgsnapshot_id} is the "
                    "source of a volume that is being created; try again when it is available."
                )
            transaction.change_status(TABLE, [cgsnapshot_id], begin)
            transaction.change_status(
                snapshots.TABLE, parts, statuses.SNAPSHOT.work["delete"].begin
            )
            transaction.enqueue(
                OperationKind.CGSNAPSHOT_DELETE,
                context,
                resource_id=cgsnapshot_id,
                project_id=cgsnapshot.project_id,
                host=group.host,
            )

        self.write(work)

    def reset_cgsnapshot_status(
        self, context: base.Context, cgsnapshot_id: str, *, status: str
    ) -> None:
        self.write(
            lambda transaction: base.reset_status(
                transaction, context, TABLE, MACHINE, cgsnapshot_id, NOT_FOUND, status
            )
        )
