# SPDX-License-Identifier: Apache-2.0
"""Quotas: a project's own limits, its usage counted from the rows, and the project's lock.

The lock makes the transactions that accept work for a project follow one another: what one of
them checks (usage, statuses, who is made from whom) stays true until it commits. Every such
transaction takes it first, and those of two projects in the order of their ids.
"""

from collections.abc import Collection, Mapping

import sqlalchemy as sa
from oslo_db import exception as db_exception

from cg_extension.reference.db import tables

_LOCKS = tables.quota_locks
_QUOTAS = tables.quotas

_LOCK_AND_LIMITS = (
    sa.select(_LOCKS.c.project_id, _QUOTAS.c.resource, _QUOTAS.c.hard_limit)
    .outerjoin_from(_LOCKS, _QUOTAS, _QUOTAS.c.project_id == _LOCKS.c.project_id)
    .where(_LOCKS.c.project_id == sa.bindparam("project"))
    .with_for_update(of=_LOCKS)
)
_LIMITS = sa.select(_QUOTAS.c.resource, _QUOTAS.c.hard_limit).where(
    _QUOTAS.c.project_id == sa.bindparam("project")
)


def _count(table: sa.Table) -> sa.Select[int]:
    return (
        sa.select(sa.func.count())
        .select_from(table)
        .where(table.c.project_id == sa.bindparam("project"))
    )


def _sum(column: sa.Column[int]) -> sa.Select[int]:
    return sa.select(sa.func.coalesce(sa.func.sum(column), 0)).where(
        column.table.c.project_id == sa.bindparam("project")
    )


_VOLUME_GIGABYTES = _sum(tables.volumes.c.size).scalar_subquery()
_SNAPSHOT_GIGABYTES = _sum(tables.snapshots.c.volume_size).scalar_subquery()

# What can be counted, in GiB where it is no number of rows.
_COUNTERS: dict[str, sa.ColumnElement[int]] = {
    "groups": _count(tables.consistencygroups).scalar_subquery(),
    "volumes": _count(tables.volumes).scalar_subquery(),
    "snapshots": _count(tables.snapshots).scalar_subquery(),
    "gigabytes": _VOLUME_GIGABYTES + _SNAPSHOT_GIGABYTES,
    "volume_gigabytes": _VOLUME_GIGABYTES,
}


def lock(conn: sa.Connection, project_id: str) -> dict[str, int]:
    """Lock a project until the end of the transaction; gives its own limits.

    :raises oslo_db.exception.RetryRequest: another transaction has just made the lock's row; the
        whole transaction is to be run again.
    """
    found = conn.execute(_LOCK_AND_LIMITS, {"project": project_id}).all()
    if not found:
        try:
            conn.execute(sa.insert(_LOCKS), {"project_id": project_id})
        except db_exception.DBDuplicateEntry as error:
            raise db_exception.RetryRequest(error) from error
        return limits(conn, project_id)
    return {row.resource: row.hard_limit for row in found if row.resource is not None}


def limits(conn: sa.Connection, project_id: str) -> dict[str, int]:
    """The project's own limits; what is missing is the configured default."""
    found = conn.execute(_LIMITS, {"project": project_id})
    return {row.resource: row.hard_limit for row in found}


def usage(conn: sa.Connection, project_id: str, counters: Collection[str]) -> dict[str, int]:
    """Count ``counters`` (groups, volumes, snapshots, gigabytes, volume_gigabytes). One query."""
    names = sorted(counters)
    if not names:
        return {}
    query = sa.select(*[_COUNTERS[name].label(name) for name in names])
    row = conn.execute(query, {"project": project_id}).one()
    return {name: int(value) for name, value in zip(names, row, strict=True)}


def set_limits(conn: sa.Connection, project_id: str, values: Mapping[str, int]) -> None:
    """Set a project's own limits. Under the project's lock."""
    for resource, hard_limit in sorted(values.items()):
        key = (_QUOTAS.c.project_id == project_id) & (_QUOTAS.c.resource == resource)
        changed = conn.execute(sa.update(_QUOTAS).where(key).values(hard_limit=hard_limit))
        if changed.rowcount == 0:
            conn.execute(
                sa.insert(_QUOTAS),
                {"project_id": project_id, "resource": resource, "hard_limit": hard_limit},
            )


def delete_limits(conn: sa.Connection, project_id: str) -> None:
    """Give a project the defaults again."""
    conn.execute(sa.delete(_QUOTAS).where(_QUOTAS.c.project_id == project_id))
