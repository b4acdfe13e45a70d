# SPDX-License-Identifier: Apache-2.0
"""Queries on consistency groups and the volume types that they allow."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from cg_extension.reference.db import rows, tables

TABLE = tables.consistencygroups
_TYPES = tables.consistencygroup_volume_types
# Ids of the types that a group allows, in no order, with commas between: see ``type_ids``.
TYPES = (
    sa.select(rows.joined(_TYPES.c.volume_type_id))
    .where(_TYPES.c.consistencygroup_id == TABLE.c.id)
    .scalar_subquery()
    .label("volume_types")
)

_SELECT_WITH_TYPES = (
    rows.select(TABLE).add_columns(TYPES).where(TABLE.c.id == sa.bindparam("row_id"))
)
_SELECT_TYPES = (
    sa.select(_TYPES.c.consistencygroup_id, _TYPES.c.volume_type_id)
    .where(_TYPES.c.consistencygroup_id.in_(sa.bindparam("row_ids", expanding=True)))
    .order_by(_TYPES.c.volume_type_id)
)
_INSERT_TYPES = sa.insert(_TYPES)


def get(conn: sa.Connection, group_id: str) -> dict[str, Any] | None:
    """The group's columns, and ``volume_types``: ids, sorted. One query."""
    found = conn.execute(_SELECT_WITH_TYPES, {"row_id": group_id}).mappings().one_or_none()
    if found is None:
        return None
    return {**found, "volume_types": type_ids(found["volume_types"])}


def type_ids(joined: str | None) -> tuple[str, ...]:
    """The ids, sorted, that were read as ``TYPES``."""
    return tuple(sorted(joined.split(","))) if joined else ()


def volume_types(conn: sa.Connection, group_ids: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Ids, sorted, of the types of each of the groups. One query."""
    found: dict[str, list[str]] = {group_id: [] for group_id in group_ids}
    if found:
        for group_id, type_id in conn.execute(_SELECT_TYPES, {"row_ids": list(found)}):
            found[group_id].append(type_id)
    return {group_id: tuple(types) for group_id, types in found.items()}


def insert(conn: sa.Connection, values: Mapping[str, Any], type_ids: Sequence[str]) -> None:
    """Insert a group with the types that it allows.

    :raises oslo_db.exception.DBReferenceError: a type is gone.
    """
    rows.insert(conn, TABLE, [values])
    conn.execute(
        _INSERT_TYPES,
        [{"consistencygroup_id": values["id"], "volume_type_id": type_id} for type_id in type_ids],
    )


def made_from(
    conn: sa.Connection,
    *,
    status: str,
    source_cgid: str | None = None,
    cgsnapshot_id: str | None = None,
) -> str | None:
    """The id of a group in ``status`` that is made from that source, if there is one."""
    source = (
        TABLE.c.source_cgid == source_cgid
        if source_cgid is not None
        else TABLE.c.cgsnapshot_id == cgsnapshot_id
    )
    query = sa.select(TABLE.c.id).where(source, TABLE.c.status == status).limit(1)
    return conn.execute(query).scalar_one_or_none()
