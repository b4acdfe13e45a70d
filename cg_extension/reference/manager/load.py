# SPDX-License-Identifier: Apache-2.0
"""Reads what an operation works on: rows in, records out, in the order that drivers expect."""

from collections.abc import Sequence

import sqlalchemy as sa

from cg_extension.contract import exceptions, records
from cg_extension.reference.db import consistencygroups, rows, snapshots, tables, volumes
from cg_extension.reference.service import from_rows


def group(conn: sa.Connection, group_id: str) -> records.Group:
    """:raises GroupNotFound: no such group."""
    found = consistencygroups.get(conn, group_id)
    if found is None:
        raise exceptions.GroupNotFound(id=group_id)
    return records.Group(**found)


def cgsnapshot(conn: sa.Connection, cgsnapshot_id: str) -> records.CGSnapshot:
    """:raises CGSnapshotNotFound: no such group snapshot."""
    found = rows.get(conn, tables.cgsnapshots, cgsnapshot_id)
    if found is None:
        raise exceptions.CGSnapshotNotFound(id=cgsnapshot_id)
    return records.CGSnapshot(**found._mapping)


def volume(conn: sa.Connection, volume_id: str) -> records.Volume:
    """:raises VolumeNotFound: no such volume."""
    return volumes_by_id(conn, [volume_id])[0]


def volumes_by_id(conn: sa.Connection, volume_ids: Sequence[str]) -> tuple[records.Volume, ...]:
    """Volumes in the order of their ids in ``volume_ids``.

    :raises VolumeNotFound: one does not exist.
    """
    found = rows.get_many(conn, tables.volumes, volume_ids)
    for volume_id in volume_ids:
        if volume_id not in found:
            raise exceptions.VolumeNotFound(id=volume_id)
    return from_rows.volume_records(conn, [found[volume_id] for volume_id in volume_ids])


def volumes_of_group(conn: sa.Connection, group_id: str) -> tuple[records.Volume, ...]:
    """The members of a group, in the order of ids."""
    return from_rows.volume_records(conn, volumes.of_group(conn, group_id).values())


def snapshot(conn: sa.Connection, snapshot_id: str) -> records.Snapshot:
    """:raises SnapshotNotFound: no such snapshot."""
    return snapshots_by_id(conn, [snapshot_id])[0]


def snapshots_by_id(
    conn: sa.Connection, snapshot_ids: Sequence[str]
) -> tuple[records.Snapshot, ...]:
    """Snapshots in the order of their ids in ``snapshot_ids``.

    :raises SnapshotNotFound: one does not exist.
    """
    found = rows.get_many(conn, tables.snapshots, snapshot_ids)
    for snapshot_id in snapshot_ids:
        if snapshot_id not in found:
            raise exceptions.SnapshotNotFound(id=snapshot_id)
    return from_rows.snapshot_records(conn, [found[snapshot_id] for snapshot_id in snapshot_ids])


def snapshots_of_cgsnapshot(
    conn: sa.Connection, cgsnapshot_id: str
) -> tuple[records.Snapshot, ...]:
    """The snapshots of a group snapshot, in the order of their volumes' ids."""
    return from_rows.snapshot_records(conn, snapshots.of_cgsnapshot(conn, cgsnapshot_id).values())
