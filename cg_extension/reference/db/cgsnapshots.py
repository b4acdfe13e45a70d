# SPDX-License-Identifier: Apache-2.0
"""Queries on group snapshots and their receipts."""

import dataclasses
from collections.abc import Collection

import sqlalchemy as sa

from cg_extension.contract import records
from cg_extension.reference.db import tables

TABLE = tables.cgsnapshots
RECEIPTS = tables.cgsnapshot_receipts

_SELECT_RECEIPTS = sa.select(RECEIPTS).where(
    RECEIPTS.c.cgsnapshot_id.in_(sa.bindparam("row_ids", expanding=True))
)


def of_group(
    conn: sa.Connection, group_id: str, *, status: str | None = None, limit: int = 1
) -> list[str]:
    """Ids of group snapshots of a group, in ``status`` if one is given; ``limit`` at most."""
    query = sa.select(TABLE.c.id).where(TABLE.c.consistencygroup_id == group_id).limit(limit)
    if status is not None:
        query = query.where(TABLE.c.status == status)
    return list(conn.execute(query).scalars())


def add_receipt(conn: sa.Connection, cgsnapshot_id: str, receipt: records.Receipt) -> None:
    """Keep the receipt of a group snapshot that has been taken."""
    values = {"cgsnapshot_id": cgsnapshot_id, **dataclasses.asdict(receipt)}
    conn.execute(sa.insert(RECEIPTS), values)


def receipts(conn: sa.Connection, row_ids: Collection[str]) -> dict[str, records.Receipt]:
    """The receipts that there are of these group snapshots, by id."""
    found = conn.execute(_SELECT_RECEIPTS, {"row_ids": list(row_ids)})
    return {
        row.cgsnapshot_id: records.Receipt(
            instant=row.instant, held_seconds=row.held_seconds, consistency=row.consistency
        )
        for row in found
    }
