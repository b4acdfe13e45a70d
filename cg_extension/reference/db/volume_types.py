# SPDX-License-Identifier: Apache-2.0
"""Queries on volume types and their extra specs."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from oslo_utils import timeutils, uuidutils

from cg_extension.reference.db import pairs, rows, tables

TABLE = tables.volume_types
EXTRA_SPECS = tables.volume_type_extra_specs

# Characters of an id.
_ID_LENGTH = 36

_NAMES: sa.BindParameter[str] = sa.bindparam("names", expanding=True)
_IDS: sa.BindParameter[str] = sa.bindparam("ids", expanding=True)
_SELECT_BY_NAME_OR_ID = (
    rows.select(TABLE)
    .add_columns(EXTRA_SPECS.c.key, EXTRA_SPECS.c.value)
    .outerjoin_from(TABLE, EXTRA_SPECS, EXTRA_SPECS.c.volume_type_id == TABLE.c.id)
    .where(TABLE.c.name.in_(_NAMES) | TABLE.c.id.in_(_IDS))
)
_SELECT_BY_NAME = rows.select(TABLE).where(TABLE.c.name == sa.bindparam("type_name"))


def find(conn: sa.Connection, names_or_ids: Collection[str]) -> list[dict[str, Any]]:
    """The columns of the types there are of those names or ids, and ``extra_specs``. One query.

    A name may look like another type's id; the caller decides which type is meant.
    """
    found: dict[str, dict[str, Any]] = {}
    # Each once, if it can: SQLite takes 32,766 parameters, and a request may have almost as many.
    ids = [each for each in names_or_ids if len(each) == _ID_LENGTH]
    parameters = {"names": list(names_or_ids), "ids": ids}
    for row in conn.execute(_SELECT_BY_NAME_OR_ID, parameters).mappings():
        values = dict(row)
        key, value = values.pop("key"), values.pop("value")
        volume_type = found.setdefault(values["id"], {**values, "extra_specs": {}})
        if key is not None:
            volume_type["extra_specs"][key] = value
    return list(found.values())


def get_by_name(conn: sa.Connection, name: str) -> rows.Row | None:
    """The type of that name, or None."""
    return conn.execute(_SELECT_BY_NAME, {"type_name": name}).one_or_none()


def extra_specs(conn: sa.Connection, type_ids: Collection[str]) -> dict[str, dict[str, str]]:
    """The extra specs of each of the types. One query."""
    return pairs.get(conn, EXTRA_SPECS, type_ids)


def is_used(conn: sa.Connection, type_id: str) -> bool:
    """Whether a volume has the type or a group allows it."""
    allowed = tables.consistencygroup_volume_types.c.volume_type_id
    for column in (tables.volumes.c.volume_type_id, allowed):
        query = sa.select(column).where(column == type_id).limit(1)
        if conn.execute(query).first() is not None:
            return True
    return False


def ensure(conn: sa.Connection, name: str) -> None:
    """Insert a public type of that name unless there is one: a deployment's default type."""
    if get_by_name(conn, name) is None:
        values = {
            "id": uuidutils.generate_uuid(),
            "name": name,
            "description": "Default volume type",
            "is_public": True,
            "created_at": timeutils.utcnow(),
        }
        rows.insert(conn, TABLE, [values])
