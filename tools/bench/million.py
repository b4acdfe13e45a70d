#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times pages of a list, and creations, among few and among a million rows of one project.

Pages: for each list order, with a marker at the beginning, in the middle and near the end, and for
each filter; on each database. Beside the times stands what the database's EXPLAIN says of the page
in the middle, since a plan that sorts or reads the whole list would show there first.

Creations: a group and a volume are accepted, with finite quotas, by the service call: one in each
of the databases in turn, so that whatever else the machine does touches all of them.
"""

import argparse
import atexit
import itertools
import os
import re
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from cg_extension.contract import context as cg_context
from cg_extension.reference.db import (
    engine,
    migration,
    paging,
    quota_check,
    services,
    tables,
    volume_types,
)
from cg_extension.reference.service import ReferenceService, quotas
from cg_extension.tests import databases
from cg_extension.tests.deployment import processes, servers
from cg_extension.tests.unit.reference.service import base

TABLE = tables.consistencygroups
PROJECT = "bench"
PAGE = 20
REPEATS = 15
ROUNDS = 200
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
HASH = {
    "sqlite": "printf('%08x-0000-4000-8000-%012x', (n * 2654435761) % 4294967296, n)",
    "postgresql": "md5(n::text)::uuid::text",
    "mysql": "concat(left(md5(n), 8), '-0000-4000-8000-', lpad(n, 12, '0'))",
}
# Lines of PostgreSQL's plans that are not shown; the sub-plans hold the marker's values.
_DULL = ("Index Cond", "Limit", "InitPlan", "Result")
_ANALYZE = {"sqlite": "ANALYZE", "postgresql": "VACUUM ANALYZE", "mysql": "ANALYZE TABLE {table}"}


def fill(
    database: engine.Database, dialect: str, table: sa.Table, count: int, **columns: str
) -> None:
    """Insert so many rows of one project.

    :param columns: SQL expressions for columns besides those that most tables have.
    """
    name, zone, created_at = _TEXT[dialect]
    with database.writer() as conn:
        # Building them at the end takes a fraction of the time. Foreign keys need theirs.
        indexes = [
            index for index in table.indexes if not any(each.foreign_keys for each in index.columns)
        ]
        for index in indexes:
            index.drop(conn)
        expressions = {
            "id": HASH[dialect],
            "project_id": f"'{PROJECT}'",
            "user_id": "'user'",
            "name": name,
            "status": "CASE WHEN n % 20 = 0 THEN 'error' ELSE 'available' END",
            "host": "'host@backend'",
            "availability_zone": zone,
            "created_at": created_at,
            **columns,
        }
        known = {column: value for column, value in expressions.items() if column in table.c}
        conn.exec_driver_sql(
            f"INSERT INTO {table.name} ({', '.join(known)}) SELECT {', '.join(known.values())}"
            f" FROM {_NUMBERS[dialect].format(count=count)}".replace(
                "%", "%%" if dialect != "sqlite" else "%"
            )
        )
        for index in indexes:
            index.create(conn)
    with database.engines[0].connect() as conn:
        conn = conn.execution_options(isolation_level="AUTOCOMMIT")
        conn.exec_driver_sql(_ANALYZE[dialect].format(table=table.name))


class Groups:
    """One database with so many groups of one project."""

    def __init__(self, dialect: str, count: int) -> None:
        self.dialect = dialect
        self._database = engine.Database(databases.configuration(databases.new(dialect)))
        migration.sync(self._database)
        fill(self._database, dialect, TABLE, count)
        self._statements: list[tuple[str, Any]] = []
        sa.event.listen(self._database.engines[1], "before_cursor_execute", self._note)

    def _note(self, _conn: Any, _cursor: Any, statement: str, values: Any, *_more: Any) -> None:
        if statement.startswith("SELECT"):  # Not what ends the transaction.
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


class Creations:
    """One database where the project has so many groups and volumes, or none."""

    def __init__(self, dialect: str, count: int) -> None:
        conf = databases.configuration(databases.new(dialect))
        for resource in quotas.RESOURCES:
            conf.set_override(f"quota_{resource}", quotas.MAX_LIMIT)
        # Longer than all of it takes: there is one heartbeat.
        conf.set_override("service_down_time", 86_400)
        self._database = engine.Database(conf)
        migration.sync(self._database)
        with self._database.writer() as conn:
            volume_types.ensure(conn, conf.default_volume_type)
            services.report(
                conn, host=base.HOST, availability_zone="nova", state_ok=True, stats=base.STATS
            )
        if count:
            fill(self._database, dialect, TABLE, count)
            fill(self._database, dialect, tables.volumes, count, size="1")
        started = time.perf_counter()
        quota_check.mend(self._database, PROJECT)
        # Seconds that counting its usage anew takes.
        self.counting = time.perf_counter() - started
        self._service = ReferenceService(conf, self._database, base.FakeManagerClient())
        self._context = cg_context.RequestContext(user_id="u", project_id=PROJECT)
        self._type = conf.default_volume_type

    def group(self) -> None:
        """Accept a group."""
        self._service.create_group(
            self._context,
            name=None,
            description=None,
            volume_types=[self._type],
            availability_zone=None,
        )

    def volume(self) -> None:
        """Accept a volume on its own."""
        rest: dict[str, Any] = dict.fromkeys(
            ("name", "description", "volume_type", "availability_zone", "metadata")
        )
        origin = dict.fromkeys(("consistencygroup_id", "snapshot_id", "source_volid"))
        self._service.create_volume(self._context, size=1, **rest, **origin)

    def pages_read(self) -> int:
        """How many pages the server has read from its files so far, where it says so."""
        if self._database.dialect != "mysql":
            return 0
        with self._database.reader(single=True) as conn:
            found = conn.exec_driver_sql("SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_reads'")
            return int(found.one().Value)

    def close(self) -> None:
        self._database.dispose()


def creations(dialect: str, counts: Sequence[int]) -> None:
    """Print a table of what creations cost beside so many rows."""
    projects = [Creations(dialect, count) for count in counts]
    head = " | ".join(f"{count:,}" for count in counts)
    print(f"\n{dialect}: milliseconds of a creation, median of {ROUNDS}\n")
    print(f"| | {head} | times | spread in one column |")
    print("| --- | " + "---: | " * (len(counts) + 2), flush=True)
    for what in ("group", "volume"):
        times: list[list[float]] = [[] for _ in counts]
        pages = [0 for _ in counts]
        for _ in range(ROUNDS):
            for number, project in enumerate(projects):
                before = project.pages_read()
                started = time.perf_counter()
                getattr(project, what)()
                times[number].append((time.perf_counter() - started) * 1000)
                pages[number] += project.pages_read() - before
        middles = [statistics.median(found) for found in times]
        # How far apart two halves of one column are, which are of the same kind.
        halves = [statistics.median(times[0][half::2]) for half in (0, 1)]
        shown = " | ".join(f"{middle:.2f}" for middle in middles)
        print(
            f"| {what} | {shown} | {max(middles[1:]) / middles[0]:.2f} "
            f"| {max(halves) / min(halves):.2f} |",
            flush=True,
        )
        if dialect == "mysql":
            read = " | ".join(f"{count / ROUNDS:.2f}" for count in pages)
            print(f"| pages read from files, each {what} | {read} | | |", flush=True)
    shown = " | ".join(f"{project.counting * 1000:.0f}" for project in projects)
    print(f"| usage counted anew | {shown} | | |", flush=True)
    for project in projects:
        project.close()


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
    parser.add_argument("--creations", action="store_true", help="time these instead of pages")
    parser.add_argument(
        "--mysql-options",
        nargs="+",
        metavar="OPTION",
        help="start a MariaDB with these, such as innodb_buffer_pool_size=2G, in place of the "
        "tests' own, which does not wait for the disk",
    )
    arguments = parser.parse_args()
    processes.end_cleanly_on_sigterm()
    if arguments.mysql_options:
        server = servers.MariaDB(*arguments.mysql_options)
        server.setUp()
        # Its databases are dropped at exit, too, by what is registered after this.
        atexit.register(server.cleanUp)
        os.environ["CG_TEST_MYSQL_URL"] = server.url.render_as_string(hide_password=False)
    few, many = arguments.counts
    for dialect in arguments.database or databases.DIALECTS:
        if arguments.creations:
            creations(dialect, (0, few * 10, many))
            continue
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
