# SPDX-License-Identifier: Apache-2.0
"""New consistency groups from a group snapshot or from another group."""

from collections.abc import Sequence
from typing import Any

from cg_extension.contract import exceptions, records, statuses
from cg_extension.contract.operations import OperationKind
from cg_extension.reference.db import (
    cgsnapshots,
    consistencygroups,
    pairs,
    rows,
    snapshots,
    volumes,
)
from cg_extension.reference.db import quotas as db_quotas
from cg_extension.reference.service import base, groups, members, quotas, scheduler


class GroupCreation(base.Part):
    """The call of seam 1 that makes groups with content."""

    def create_group_from_src(
        self,
        context: base.Context,
        *,
        name: str | None,
        description: str | None,
        cgsnapshot_id: str | None = None,
        source_cgid: str | None = None,
    ) -> records.Group:
        project_id = base.project_of(context)

        def work(transaction: base.Transaction) -> records.Group:
            conn = transaction.conn
            table = groups.TABLE
            not_found: type[exceptions.NotFound] = groups.NOT_FOUND
            if cgsnapshot_id is not None:
                table, not_found = cgsnapshots.TABLE, exceptions.CGSnapshotNotFound
            source_id = str(cgsnapshot_id or source_cgid)
            # An administrator's source may be another project's: both are locked, in order.
            source = base.get_visible(conn, context, table, source_id, not_found)
            transaction.lock(project_id, source.project_id)
            source = base.get_visible(conn, context, table, source_id, not_found)
            if cgsnapshot_id is not None:
                copies = _from_snapshots(transaction, source)
                group_id = source.consistencygroup_id
            else:
                copies = _from_volumes(transaction, source)
                group_id = source.id
            origin = consistencygroups.get(conn, group_id)
            assert origin is not None  # noqa: S101 (a foreign key and the lock hold it)
            size = sum(copy["size"] for copy in copies)
            amounts = {"groups": 1, **db_quotas.of_volumes([copy["size"] for copy in copies])}
            quotas.accept(transaction, self.conf, project_id, amounts)
            scheduler.check_not_frozen(conn, origin["host"])
            scheduler.require(scheduler.list_services(conn, self.conf), origin["host"], size)
            values = transaction.new_row(
                context,
                groups.MACHINE,
                project_id=project_id,
                name=name,
                description=description,
                availability_zone=origin["availability_zone"],
                host=origin["host"],
                cgsnapshot_id=cgsnapshot_id,
                source_cgid=source_cgid,
            )
            groups.insert(transaction, values, origin["volume_types"])
            _insert_volumes(transaction, context, values, copies)
            group = records.Group(**values, volume_types=origin["volume_types"])
            groups.enqueue(transaction, OperationKind.GROUP_CREATE_FROM_SRC, context, group)
            return group

        return self.write(work)


def _from_volumes(transaction: base.Transaction, group: rows.Row) -> list[dict[str, Any]]:
    """What differs between the new volumes, one for each member of a source group."""
    statuses.GROUP.check(group.id, group.status, statuses.USABLE)
    found = volumes.of_group(transaction.conn, group.id)
    if not found:
        raise exceptions.InvalidState(
            reason=f"Consistency group {group.id} has no volumes to make a new group from."
        )
    members.check_snapshottable(found)
    return [_copy(volume, size=volume.size, source_volid=volume.id) for volume in found.values()]


def _from_snapshots(transaction: base.Transaction, source: rows.Row) -> list[dict[str, Any]]:
    """What differs between the new volumes, one for each part of a source group snapshot."""
    statuses.CGSNAPSHOT.check(source.id, source.status, statuses.USABLE)
    found = snapshots.of_cgsnapshot(transaction.conn, source.id)
    if not found:
        raise exceptions.InvalidState(
            reason=f"Group snapshot {source.id} has no snapshots to make a new group from."
        )
    wanted = {snapshot.volume_id for snapshot in found.values()}
    origins = rows.get_many(transaction.conn, volumes.TABLE, wanted)
    return [
        _copy(origins[snapshot.volume_id], size=snapshot.volume_size, snapshot_id=snapshot.id)
        for snapshot in found.values()
    ]


def _copy(
    origin: rows.Row,
    *,
    size: int,
    snapshot_id: str | None = None,
    source_volid: str | None = None,
) -> dict[str, Any]:
    return {
        "origin": origin,
        "size": size,
        "snapshot_id": snapshot_id,
        "source_volid": source_volid,
    }


def _insert_volumes(
    transaction: base.Transaction,
    context: base.Context,
    group: dict[str, Any],
    copies: Sequence[dict[str, Any]],
) -> None:
    """The new group's volumes, with name, description, type and metadata of their origins."""
    origin_ids = {copy["origin"].id for copy in copies}
    metadata = pairs.get(transaction.conn, volumes.METADATA, origin_ids)
    values = []
    pairs_of = {}
    for copy in copies:
        origin = copy["origin"]
        volume = transaction.new_row(
            context,
            statuses.VOLUME,
            project_id=group["project_id"],
            name=origin.name,
            description=origin.description,
            size=copy["size"],
            host=group["host"],
            availability_zone=group["availability_zone"],
            volume_type_id=origin.volume_type_id,
            consistencygroup_id=group["id"],
            snapshot_id=copy["snapshot_id"],
            source_volid=copy["source_volid"],
        )
        values.append(volume)
        pairs_of[volume["id"]] = metadata[origin.id]
    rows.insert(transaction.conn, volumes.TABLE, values)
    pairs.insert(transaction.conn, volumes.METADATA, pairs_of)
