# SPDX-License-Identifier: Apache-2.0
"""Queries on group snapshots."""

import sqlalchemy as sa

from cg_extension.reference.db import tables

TABLE = tables.cgsnapshots


def of_group(
    conn: sa.Connection, group_id: str, *, status: str | None = None, limit: int = 1
) -> list[str]:
    """Ids of group snapshots of a group, in ``status`` if one is given; ``limit`` at most."""
    query = sa.select(TABLE.c.id).where(TABLE.c.consistencygroup_id == group_id).limit(limit)
    if status is not None:
        query = query.where(TABLE.c.status == status)
    return list(conn.execute(query).scalars())
