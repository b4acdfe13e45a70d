#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times pages of a list among a thousand and among a million groups of one project.

For each list order, with a marker at the beginning, in the middle and near the end, and for each
filter; on each database. Beside the times stands what the database's EXPLAIN says of the page in
the middle, since a plan that sorts or reads the whole list would show there first.
"""

import argparse
import itertools
import re
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from cg_extension.reference.db import engine, migration, paging, tables
from cg_extension.tests import databases
from cg_extension.tests.deployment import processes

TABLE = tables.consistencygroups
PROJECT = "bench"
PAGE = 20
REPEATS = 15
KEYS = ("created_at", "name", "status", "availability_zone", "id")
# Each takes every tenth row or less; ``name`` one row only.
FILTERS: dict[str, str] = {"status": "error", "availability_zone": "zone3", "name": "group 500"}

_NUMBERS = {
    "sqlite": "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count})"
    " SELECT n FROM s) AS numbers",
    "postgresql": "generate_series(1, {count}) AS numbers(n)",
    "mysql": "(SELECT seq AS n FROM seq_1_to_{count}) AS numbers",
}
_TEXT = {
    "sqlite": ("'group ' || n", "'zone' || (n % 10)", "datetime('2026-01-01', n || ' seconds')"),
    "postgresql": (
        "'group ' || n",
        "'zone' || (n % 10)",
        "timestamp '2026-01-01' + n * interval '1 second'",
    ),
    "mysql": (
        "concat('group ', n)",
        "concat('zone', n % 10)",
        "timestamp '2026-01-01 00:00:00' + interval n second",
    ),
}
_HASH = {
    "sqlite": "printf('%08x-0000-4000-8000-%012x', (n * 2654435761) % 4294967296, n)",
    "postgresql": "md5(n::text)::uuid::text",
    "mysql": "concat(left(md5(n), 8), '-0000-4000-8000-', lpad(n, 12, '0'))",
}
# Lines of PostgreSQL's plans that are not shown; the sub-plans hold the marker's values.
_DULL = ("Index Cond", "Limit", "InitPlan", "Result")
_ANALYZE = {"sqlite": "ANALYZE", "postgresql": "VACUUM ANALYZE", "mysql": "ANALYZE TABLE {table}"}


class Groups:
    """One database with so many groups of one project."""

    def __init__(self, dialect: str, count: int) -> None:
        self.dialect = dialect
        self._database = engine.Database(databases.configuration(databases.new(dialect)))
        migration.sync(self._database)
        name, zone, created_at = _TEXT[dialect]
        with self._database.writer() as conn:
            # Building them at the end takes a fraction of the time.
            for index in TABLE.indexes:
                index.drop(conn)
            conn.exec_driver_sql(
                f"INSERT INTO {TABLE.name} (id, project_id, user_id, name, status, host,"
                " availability_zone, created_at)"
                f" SELECT {_HASH[dialect]}, '{PROJECT}', 'user', {name},"
                " CASE WHEN n % 20 = 0 THEN 'error' ELSE 'available' END, 'host@backend',"
                f" {zone}, {created_at} FROM {_NUMBERS[dialect].format(count=count)}".replace(
                    "%", "%%" if dialect != "sqlite" else "%"
                )
            )
            for index in TABLE.indexes:
                index.create(conn)
        with self._database.engines[0].connect() as conn:
            conn = conn.execution_options(isolation_level="AUTOCOMMIT")
            conn.exec_driver_sql(_ANALYZE[dialect].format(table=TABLE.name))
        self._statements: list[tuple[str, Any]] = []
        sa.event.listen(self._database.engines[1], "before_cursor_execute", self._note)

    def _note(self, _conn: Any, _cursor: Any, statement: str, values: Any, *_more: Any) -> None:
        self._statements.append((statement, values))

    def marker(self, key: str, fraction: float) -> str | None:
        """The id of the row that far into the order; None for the beginning."""
        if fraction == 0:
            return None
        column = TABLE.c.name_key if key == "name" else TABLE.c[key]
        with self._database.reader() as conn:
            count = conn.execute(sa.select(sa.func.count()).select_from(TABLE)).scalar_one()
            query = sa.select(TABLE.c.id).order_by(column.desc(), TABLE.c.id.desc())
            found: str = conn.execute(query.offset(int(count * fraction) - 1).limit(1)).scalar_one()
            return found

    def page(self, key: str, filters: dict[str, str], marker: str | None) -> float:
        """Milliseconds of a page: the fastest of several, which others' load touches least."""
        times = []
        for _ in range(REPEATS):
            started = time.perf_counter()
            with self._database.reader() as conn:
                paging.page(
                    conn,
                    TABLE,
                    scope={"project_id": PROJECT},
                    filters=filters,
                    sort=[(key, "desc")],
                    marker=marker,
                    limit=PAGE,
                )
            times.append((time.perf_counter() - started) * 1000)
        return min(times)

    def plan(self) -> str:
        """What EXPLAIN says of the last page, in one line."""
        statement, values = self._statements[-1]
        prefix = "EXPLAIN QUERY PLAN" if self.dialect == "sqlite" else "EXPLAIN"
        with self._database.reader() as conn:
            found = conn.exec_driver_sql(f"{prefix} {statement}", values).all()
        return _shorten(self.dialect, found)

    def close(self) -> None:
        self._database.dispose()


def _shorten(dialect: str, found: Sequence[Any]) -> str:
    if dialect == "sqlite":
        return "; ".join(row[-1] for row in found)
    if dialect == "mysql":
        return "; ".join(
            f"{row.type} {row.key} {row.rows} rows {row.Extra or ''}".strip() for row in found
        )
    lines = [re.sub(r"\s*\(cost.*", "", row[0]).strip(" ->") for row in found]
    return "; ".join(line for line in lines if not line.startswith(_DULL))


def cases() -> Iterator[tuple[str, dict[str, str], float]]:
    """Sort key, filters, and how far into the list the page begins."""
    for key, fraction in itertools.product(KEYS, (0.0, 0.5, 0.95)):
        yield key, {}, fraction
    for name, value in FILTERS.items():
        yield "created_at", {name: value}, 0.0
    yield "created_at", {"status": "error"}, 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs=2, default=[1_000, 1_000_000])
    parser.add_argument("--database", choices=databases.DIALECTS, nargs="+")
    arguments = parser.parse_args()
    processes.end_cleanly_on_sigterm()
    few, many = arguments.counts
    for dialect in arguments.database or databases.DIALECTS:
        small, large = Groups(dialect, few), Groups(dialect, many)
        print(f"\n{dialect}: milliseconds of a page of {PAGE}, the fastest of {REPEATS}\n")
        print(f"| order | filter | begins at | {few:,} | {many:,} | times | plan at {many:,} |")
        print("| --- | --- | ---: | ---: | ---: | ---: | --- |", flush=True)
        for key, filters, fraction in cases():
            times = [
                groups.page(key, filters, groups.marker(key, fraction)) for groups in (small, large)
            ]
            shown = ", ".join(f"{name}={value}" for name, value in filters.items())
            print(
                f"| {key} | {shown} | {fraction:.0%} | {times[0]:.2f} | {times[1]:.2f} "
                f"| {times[1] / times[0]:.2f} | {large.plan()} |",
                flush=True,
            )
        small.close()
        large.close()


if __name__ == "__main__":
    sys.exit(main())
