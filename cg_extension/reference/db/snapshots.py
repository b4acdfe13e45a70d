# SPDX-License-Identifier: Apache-2.0
"""Queries on snapshots."""

from collections.abc import Collection

import sqlalchemy as sa

from cg_extension.reference.db import rows, tables

TABLE = tables.snapshots
METADATA = tables.snapshot_metadata


def of_cgsnapshot(conn: sa.Connection, cgsnapshot_id: str) -> dict[str, rows.Row]:
    """The snapshots of a group snapshot by id, in the order of their volumes' ids."""
    query = (
        rows.select(TABLE)
        .where(TABLE.c.cgsnapshot_id == cgsnapshot_id)
        .order_by(TABLE.c.volume_id, TABLE.c.id)
    )
    return {row.id: row for row in conn.execute(query)}


def volumes_with_snapshots(
    conn: sa.Connection, volume_ids: Collection[str], *, status: str | None = None
) -> set[str]:
    """Those of ``volume_ids`` that have snapshots, in ``status`` if one is given."""
    if not volume_ids:
        return set()
    query = sa.select(TABLE.c.volume_id).distinct().where(TABLE.c.volume_id.in_(list(volume_ids)))
    if status is not None:
        query = query.where(TABLE.c.status == status)
    return set(conn.execute(query).scalars())
