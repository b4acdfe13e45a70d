# SPDX-License-Identifier: Apache-2.0
"""Quotas: one row a project, which holds its usage and its own limits, and is its lock.

The lock makes the transactions that accept work for a project follow one another: what one of
them checks (usage, statuses, who is made from whom) stays true until it commits. Every such
transaction takes it first, and those of two projects in the order of their ids. It is a write, so
that on a Galera cluster two of them conflict whichever nodes they are on.

Usage changes in the transactions that insert or delete what counts, so that it is what the rows
are (``quota_check``).
"""

import functools
from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa

from cg_extension.reference.db import engine, rows, tables

TABLE = tables.project_quotas

# What rows count for, by their table: numbers of rows and GiB, in columns of those names.
COUNTED: Mapping[sa.Table, Mapping[str, sa.ColumnElement[int]]] = {
    tables.consistencygroups: {"groups": sa.func.count()},
    tables.volumes: {
        "volumes": sa.func.count(),
        "volume_gigabytes": sa.func.coalesce(sa.func.sum(tables.volumes.c.size), 0),
    },
    tables.snapshots: {
        "snapshots": sa.func.count(),
        "snapshot_gigabytes": sa.func.coalesce(sa.func.sum(tables.snapshots.c.volume_size), 0),
    },
}
COUNTERS = tuple(name for counters in COUNTED.values() for name in counters)

_PROJECT = sa.bindparam("project", type_=sa.String)
_NEXT = {"serial": TABLE.c.serial + 1}
_WRITE = sa.update(TABLE).where(TABLE.c.project_id == _PROJECT).values(_NEXT)
_SELECT = sa.select(TABLE).where(TABLE.c.project_id == _PROJECT)
_COUNT = sa.select(
    *[
        sa.select(counter)
        .select_from(table)
        .where(table.c.project_id == _PROJECT)
        .scalar_subquery()
        .label(name)
        for table, counters in COUNTED.items()
        for name, counter in counters.items()
    ]
)
_MAKE = sa.insert(TABLE).from_select(
    ["project_id", "serial", *COUNTERS],
    sa.select(_PROJECT, sa.literal_column("1"), *_COUNT.selected_columns),
)

Amounts = Mapping[str, int]


def of_volumes(sizes: Sequence[int]) -> dict[str, int]:
    """What volumes of these sizes (GiB) count for."""
    return {"volumes": len(sizes), "volume_gigabytes": sum(sizes)}


def of_snapshots(sizes: Sequence[int]) -> dict[str, int]:
    """What snapshots of these sizes (GiB) count for."""
    return {"snapshots": len(sizes), "snapshot_gigabytes": sum(sizes)}


def lock(conn: sa.Connection, project_id: str) -> None:
    """Lock a project until the end of the transaction.

    :raises oslo_db.exception.RetryRequest: another transaction has just made its row; the whole
        transaction is to be run again.
    """
    if not conn.execute(_WRITE, {"project": project_id}).rowcount:
        with engine.inserting_first():
            # A project without a row has nothing, unless somebody has removed the row.
            conn.execute(_MAKE, {"project": project_id})


def accept(
    conn: sa.Connection,
    project_id: str,
    amounts: Amounts,
    limits: Mapping[str, int],
    counters: Mapping[str, Collection[str]],
) -> bool:
    """Add to a project's usage where no limit forbids it; locks the project, too. One statement.

    :param amounts: by counter; not negative where a limit counts them.
    :param limits: of projects without their own, by resource, -1 for none.
    :param counters: which of them count against each limit.
    :returns: False: a limit would be exceeded, or the project has no row; nothing is locked.
    """
    names = tuple(sorted(name for name, amount in amounts.items() if amount))
    checked = tuple(
        (resource, tuple(counted))
        for resource, counted in counters.items()
        if not set(names).isdisjoint(counted)
    )
    parameters: dict[str, object] = {"project": project_id}
    parameters |= {f"{name}_added": amounts[name] for name in names}
    parameters |= {f"{resource}_default": limits[resource] for resource, _ in checked}
    return bool(conn.execute(_add(names, checked), parameters).rowcount)


def add(conn: sa.Connection, project_id: str, amounts: Amounts) -> None:
    """Add to a project's usage, or take from it, whatever its limits say; locks the project, too.

    :raises oslo_db.exception.RetryRequest: as ``lock`` does.
    """
    if not accept(conn, project_id, amounts, {}, {}):
        lock(conn, project_id)
        accept(conn, project_id, amounts, {}, {})


@functools.cache
def _add(names: tuple[str, ...], checked: tuple[tuple[str, tuple[str, ...]], ...]) -> sa.Update:
    total = {name: TABLE.c[name] for name in COUNTERS} | {
        name: TABLE.c[name] + sa.bindparam(f"{name}_added", type_=sa.BigInteger) for name in names
    }
    statement = _WRITE.values({name: total[name] for name in names})
    for resource, counters in checked:
        default = sa.bindparam(f"{resource}_default", type_=sa.Integer)
        limit = sa.func.coalesce(TABLE.c[f"{resource}_limit"], default)
        used = functools.reduce(lambda one, other: one + other, [total[each] for each in counters])
        statement = statement.where(sa.or_(limit < 0, used <= limit))
    return statement


def recount(conn: sa.Connection, project_id: str) -> None:
    """Set a project's usage to what its rows are. Under the project's lock."""
    counted = conn.execute(_COUNT, {"project": project_id}).one()
    usage = {name: int(value) for name, value in counted._mapping.items()}
    conn.execute(_WRITE.values(usage), {"project": project_id})


def get(conn: sa.Connection, project_id: str) -> rows.Row | None:
    """A project's row; None: it has nothing, and no limits of its own."""
    return conn.execute(_SELECT, {"project": project_id}).one_or_none()


def set_limits(conn: sa.Connection, project_id: str, limits: Mapping[str, int | None]) -> None:
    """Set a project's own limits by resource; None: the default. Under the project's lock."""
    values = {f"{resource}_limit": limit for resource, limit in limits.items()}
    conn.execute(_WRITE.values(values), {"project": project_id})
