# SPDX-License-Identifier: Apache-2.0
"""Compares the usage that projects' rows tell with what there is, and mends it.

Each comparison is one statement over a bounded number of projects: what services commit meanwhile
is in both sides of it, or in neither.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa

from cg_extension.reference.db import engine, quotas, tables

_USAGE = tables.project_quotas
_COUNTED = tuple(quotas.COUNTED)
_ZERO: sa.ColumnElement[int] = sa.literal_column("0", sa.BigInteger)
# Projects that are compared at once.
BATCH = 500


class Difference(NamedTuple):
    """One of ``quotas.COUNTERS`` of a project: what its row tells, and what was counted."""

    project_id: str
    counter: str
    told: int
    counted: int


def _next_projects() -> sa.CompoundSelect[str]:
    # Each by itself reads no more of an index than it gives.
    parts = [
        sa.select(table.c.project_id)
        .distinct()
        .where(table.c.project_id > sa.bindparam("after"))
        .order_by(table.c.project_id)
        .limit(sa.bindparam("at_most", type_=sa.Integer))
        .subquery()
        for table in (*_COUNTED, _USAGE)
    ]
    ids = sa.union(*[sa.select(part.c.project_id) for part in parts])
    return ids.order_by("project_id").limit(sa.bindparam("at_most", type_=sa.Integer))


def _both_sides() -> sa.CompoundSelect[Any]:
    """What is told and what is counted, of projects from ``first`` to ``last``."""

    def in_range(table: sa.Table) -> sa.ColumnElement[bool]:
        return table.c.project_id.between(sa.bindparam("first"), sa.bindparam("last"))

    def side(
        is_told: str, table: sa.Table, counters: Mapping[str, sa.ColumnElement[int]]
    ) -> sa.Select[Any]:
        columns = [counters.get(name, _ZERO).label(name) for name in quotas.COUNTERS]
        flag: sa.ColumnElement[int] = sa.literal_column(is_told).label("is_told")
        return sa.select(table.c.project_id, flag, *columns).where(in_range(table))

    told = side("1", _USAGE, {name: _USAGE.c[name] for name in quotas.COUNTERS})
    counted = [
        side("0", table, counters).group_by(table.c.project_id)
        for table, counters in quotas.COUNTED.items()
    ]
    return sa.union_all(told, *counted)


_NEXT_PROJECTS = _next_projects()
_BOTH_SIDES = _both_sides()


def differences(
    database: engine.Database, project_id: str | None = None
) -> Iterator[tuple[int, list[Difference]]]:
    """How many projects were compared and where they differ, a batch after another.

    :param project_id: look at this one only.
    """
    if project_id is not None:
        with database.reader() as conn:
            yield _compare(conn, project_id, project_id)
        return
    after = ""
    while True:
        with database.reader() as conn:
            found = conn.execute(_NEXT_PROJECTS, {"after": after, "at_most": BATCH})
            ids = found.scalars().all()
            if not ids:
                return
            compared = _compare(conn, ids[0], ids[-1])
        yield compared
        after = ids[-1]


def _compare(conn: sa.Connection, first: str, last: str) -> tuple[int, list[Difference]]:
    sides: dict[str, dict[str, list[int]]] = {}
    for row in conn.execute(_BOTH_SIDES, {"first": first, "last": last}):
        project = sides.setdefault(row.project_id, {name: [0, 0] for name in quotas.COUNTERS})
        for name in quotas.COUNTERS:
            project[name][0 if row.is_told else 1] += int(row._mapping[name])
    return len(sides), [
        Difference(project_id, name, told, counted)
        for project_id, counters in sorted(sides.items())
        for name, (told, counted) in counters.items()
        if told != counted
    ]


@engine.retry
def mend(database: engine.Database, project_id: str) -> None:
    """Set a project's usage to what its rows are; services may be at work."""
    with database.writer() as conn:
        quotas.lock(conn, project_id)
        quotas.recount(conn, project_id)
