# SPDX-License-Identifier: Apache-2.0
"""Key and value pairs of a resource: metadata of volumes and snapshots, extra specs of types.

Every table of that kind has three columns: the owner's id, ``key`` and ``value``.
"""

from collections.abc import Collection, Mapping

import sqlalchemy as sa


def _owner(table: sa.Table) -> sa.Column[str]:
    return next(iter(table.c))


def get(
    conn: sa.Connection, table: sa.Table, owner_ids: Collection[str]
) -> dict[str, dict[str, str]]:
    """The pairs of each of the owners, empty for one that has none."""
    found: dict[str, dict[str, str]] = {owner_id: {} for owner_id in owner_ids}
    if found:
        query = sa.select(_owner(table), table.c.key, table.c.value)
        for owner_id, key, value in conn.execute(query.where(_owner(table).in_(list(found)))):
            found[owner_id][key] = value
    return found


def insert(conn: sa.Connection, table: sa.Table, pairs: Mapping[str, Mapping[str, str]]) -> None:
    """Insert the pairs of new owners."""
    name = _owner(table).name
    values = [
        {name: owner_id, "key": key, "value": value}
        for owner_id, items in pairs.items()
        for key, value in items.items()
    ]
    if values:
        conn.execute(sa.insert(table), values)


def update(conn: sa.Connection, table: sa.Table, owner_id: str, items: Mapping[str, str]) -> None:
    """Set pairs of one owner and leave its others."""
    delete(conn, table, owner_id, items)
    insert(conn, table, {owner_id: items})


def replace(conn: sa.Connection, table: sa.Table, owner_id: str, items: Mapping[str, str]) -> None:
    """Set the pairs of one owner and remove its others."""
    conn.execute(sa.delete(table).where(_owner(table) == owner_id))
    insert(conn, table, {owner_id: items})


def delete(conn: sa.Connection, table: sa.Table, owner_id: str, keys: Collection[str]) -> int:
    """Remove pairs of one owner; how many of ``keys`` there were."""
    condition = (_owner(table) == owner_id) & table.c.key.in_(list(keys))
    return conn.execute(sa.delete(table).where(condition)).rowcount
