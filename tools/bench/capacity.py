#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what a deployment's size costs: bytes and depth of indexes, and a queue of many hosts.

Sizes: tables of groups, volumes and snapshots are filled; how many bytes a row of each takes with
its indexes, and how many pages a look into the deepest of these reads.

Requests: what a show, and a group's creation until it is available, write to the log of the
database's server, and how often that goes to the disk, with one API process and one manager; a
second without requests is given apart.

Hosts: so many backends have reported, and each has operations in the queue; a claim for one of
them, a heartbeat, and reading all of them, as each creation does to choose one, are timed.
"""

import argparse
import json
import pathlib
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import machine
import million
import sqlalchemy as sa

from cg_extension.contract import operations
from cg_extension.reference.db import engine, migration, queue, services, tables
from cg_extension.reference.service import scheduler
from cg_extension.tests import databases
from cg_extension.tests.deployment import deployment, processes, servers
from cg_extension.tests.unit.reference.service import base

REPEATS = 200
# Operations of each host in the queue.
QUEUED = 10

# InnoDB's pages have 16 KiB, and their level in the index at this byte ("InnoDB page header").
_INNODB_PAGE, _INNODB_LEVEL = 16 * 1024, 64


def open_database(url: str) -> engine.Database:
    """With the newest schema."""
    database = engine.Database(databases.configuration(url))
    migration.sync(database)
    return database


def fill(database: engine.Database, count: int) -> None:
    """So many groups, each with a volume, a group snapshot and that one's snapshot."""
    dialect = database.dialect
    million.fill(database, dialect, tables.consistencygroups, count)
    id_ = million.HASH[dialect]
    million.fill(database, dialect, tables.volumes, count, size="1", consistencygroup_id=id_)
    million.fill(database, dialect, tables.cgsnapshots, count, consistencygroup_id=id_)
    origin = {"volume_id": id_, "volume_size": "1", "cgsnapshot_id": id_}
    million.fill(database, dialect, tables.snapshots, count, **origin)


RESOURCES = (tables.consistencygroups, tables.volumes, tables.cgsnapshots, tables.snapshots)


def sqlite_sizes(database: engine.Database) -> dict[str, tuple[int, int]]:
    """Bytes of each table with its indexes, and pages from the root to a leaf of the deepest."""
    path = str(database.engines[0].url.database)
    with sqlite3.connect(path) as conn:
        found: dict[str, tuple[int, int]] = {}
        for table in RESOURCES:
            size, depth = conn.execute(
                # A path is /page/page…, see "The DBSTAT Virtual Table".
                "SELECT sum(pgsize), max(length(path) - length(replace(path, '/', '')))"
                " FROM dbstat WHERE name IN (SELECT name FROM sqlite_schema WHERE tbl_name = ?)",
                (table.name,),
            ).fetchone()
            found[table.name] = size, depth
        return found


def postgresql_sizes(database: engine.Database) -> dict[str, tuple[int, int]]:
    """As ``sqlite_sizes``; of a table itself a look reads one page, by its number."""
    found = {}
    with database.session() as conn:
        conn.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS pageinspect")
        for table in RESOURCES:
            size = conn.exec_driver_sql(f"SELECT pg_total_relation_size('{table.name}')")
            levels = conn.exec_driver_sql(
                "SELECT max((bt_metap(indexrelid::regclass::text)).level) FROM pg_index"
                f" WHERE indrelid = '{table.name}'::regclass"
            )
            found[table.name] = size.scalar_one(), levels.scalar_one() + 1
        conn.rollback()
    return found


def mysql_sizes(database: engine.Database, data: pathlib.Path) -> dict[str, tuple[int, int]]:
    """As ``sqlite_sizes``, from the server's files."""
    found = {}
    name = str(database.engines[0].url.database)
    with database.session() as conn:
        for table in RESOURCES:
            roots = conn.exec_driver_sql(
                "SELECT i.page_no FROM information_schema.innodb_sys_indexes i"
                " JOIN information_schema.innodb_sys_tables t USING (table_id)"
                f" WHERE t.name = '{name}/{table.name}'"
            ).scalars()
            pages = list(roots)
            # Everything that the file is to hold is in it then.
            conn.exec_driver_sql(f"FLUSH TABLES {table.name} FOR EXPORT")
            path = data / name / f"{table.name}.ibd"
            levels = []
            with path.open("rb") as file:
                for page in pages:
                    file.seek(page * _INNODB_PAGE + _INNODB_LEVEL)
                    levels.append(int.from_bytes(file.read(2), "big"))
            conn.exec_driver_sql("UNLOCK TABLES")
            found[table.name] = path.stat().st_size, max(levels) + 1
        conn.rollback()
    return found


def sizes(dialect: str, counts: list[int]) -> Iterator[str]:
    """The table of what so many rows take."""
    yield f"\n{dialect}: bytes a row with its indexes, and pages a look into the deepest reads\n"
    head = " | ".join(f"{count:,}: bytes | pages" for count in counts)
    yield f"| | {head} |"
    yield "| --- |" + " ---: |" * (2 * len(counts))
    columns = []
    for count in counts:
        if dialect == "sqlite":
            database = open_database(databases.new(dialect))
            fill(database, count)
            columns.append(sqlite_sizes(database))
            database.dispose()
            continue
        with servers.DATABASE_SERVERS[dialect]() as server:
            database = open_database(server.new_database())
            fill(database, count)
            if dialect == "postgresql":
                columns.append(postgresql_sizes(database))
            else:
                columns.append(mysql_sizes(database, server.directory / "data"))
            database.dispose()
    for table in RESOURCES:
        shown = " | ".join(
            f"{found[table.name][0] / count:,.0f} | {found[table.name][1]}"
            for count, found in zip(counts, columns, strict=True)
        )
        yield f"| {table.name} | {shown} |"


# Counters of the server: how often its log was put on the disk, bytes written to it, commits.
_COUNTERS = {
    "postgresql": (
        "SELECT wal_sync, wal_bytes, (SELECT sum(xact_commit) FROM pg_stat_database)"
        " FROM pg_stat_wal"
    ),
    "mysql": (
        "SELECT"
        " max(CASE variable_name WHEN 'INNODB_LOG_WRITES' THEN variable_value END),"
        " max(CASE variable_name WHEN 'INNODB_OS_LOG_WRITTEN' THEN variable_value END),"
        " max(CASE variable_name WHEN 'HANDLER_COMMIT' THEN variable_value END)"
        " FROM information_schema.global_status"
    ),
}
# PostgreSQL's backends report what they have done after a second.
_SETTLED = 2.0
_REQUESTS = 200


def requests(dialect: str) -> Iterator[str]:
    """The table of what one request writes."""
    yield f"\n{dialect}: written for one request, in the mean of {_REQUESTS}\n"
    yield "| | times to the disk | KiB | commits |"
    yield "| --- | ---: | ---: | ---: |"
    options = {"report_interval": 10, "operation_poll_interval": 10, "operation_lease": 60}
    with (
        servers.DATABASE_SERVERS[dialect]() as server,
        deployment.Deployment(
            server.new_database(),
            managers=deployment.MANAGERS[:1],
            api_servers=["cg-api"],
            options={**options, "service_down_time": 60},
        ) as running,
    ):
        client = running.connect("bench")

        def create() -> None:
            made = [
                client.begin("consistencygroups", volume_types="__DEFAULT__")
                for _ in range(_REQUESTS)
            ]
            for group_id in made:
                client.wait(f"/consistencygroups/{group_id}")

        def show() -> None:
            (group, *_rest) = client.get("/consistencygroups")["consistencygroups"]
            for _ in range(_REQUESTS):
                client.get(f"/consistencygroups/{group['id']}")

        calls: dict[str, tuple[Callable[[], object], int]] = {
            "a creation, until available": (create, _REQUESTS),
            "a show": (show, _REQUESTS),
            "a second without requests": (lambda: time.sleep(20), 20),
        }
        for what, (call, count) in calls.items():
            before = _counters(dialect, server)
            call()
            after = _counters(dialect, server)
            syncs, written, commits = (
                (new - old) / count for old, new in zip(before, after, strict=True)
            )
            yield f"| {what} | {syncs:.2f} | {written / 1024:.1f} | {commits:.2f} |"


def _counters(dialect: str, server: servers.DatabaseServer) -> list[float]:
    time.sleep(_SETTLED)
    [row] = server.execute(_COUNTERS[dialect])
    return [float(value) for value in row]


def median(call: Callable[[], object]) -> float:
    """Milliseconds."""
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        call()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


def hosts(dialect: str, counts: list[int]) -> Iterator[str]:
    """The table of what so many hosts cost."""
    head = " | ".join(f"{count:,}" for count in counts)
    yield f"\n{dialect}: milliseconds by number of hosts, medians of {REPEATS}\n"
    yield f"| | {head} |"
    yield "| --- |" + " ---: |" * len(counts)
    columns = [_Hosts(dialect, count).measure() for count in counts]
    for what in columns[0]:
        yield f"| {what} | " + " | ".join(f"{column[what]:.2f}" for column in columns) + " |"


class _Hosts:
    def __init__(self, dialect: str, count: int) -> None:
        self._database = open_database(databases.new(dialect))
        self._conf = databases.configuration("sqlite://")
        self._names = [f"host{number:04}@backend" for number in range(count)]
        now = engine.utcnow()
        reports = [
            {
                "host": name,
                "binary": services.BINARY,
                "availability_zone": "nova",
                "disabled": False,
                "frozen": False,
                "state_ok": True,
                "stats": json.dumps(base.STATS),
            }
            for name in self._names
        ]
        work = [
            {
                "id": f"{number:08}-0000-4000-8000-{host:012}",
                "kind": str(operations.OperationKind.GROUP_CREATE),
                "resource_id": f"{number:08}-0000-4000-9000-{host:012}",
                "project_id": "bench",
                "host": name,
                "arguments": json.dumps({"version": 1, "values": {}}),
                "context": "{}",
                "attempts": 0,
            }
            for host, name in enumerate(self._names)
            for number in range(QUEUED)
        ]
        with self._database.writer() as conn:
            statement = sa.insert(tables.services).values(heartbeat_at=now, created_at=now)
            conn.execute(statement, reports)
            statement = sa.insert(tables.operations).values(run_after=now, created_at=now)
            conn.execute(statement, work)

    def measure(self) -> dict[str, float]:
        """Milliseconds of each."""
        chosen = self._names[len(self._names) // 2]

        def claim() -> None:
            with self._database.writer() as conn:
                arguments: dict[str, Any] = {"owner": "manager", "lease_seconds": 60, "limit": 8}
                queue.claim(conn, host=chosen, **arguments)
                conn.rollback()

        def heartbeat() -> None:
            with self._database.writer() as conn:
                report = {"state_ok": True, "stats": base.STATS}
                services.report(conn, host=chosen, availability_zone="nova", **report)

        def choose() -> None:
            with self._database.reader(single=True) as conn:
                scheduler.choose(scheduler.list_services(conn, self._conf), "nova", [{}])

        found = {
            f"a claim of 8 operations of one host's {QUEUED}": median(claim),
            "a heartbeat": median(heartbeat),
            "choosing a host for a creation": median(choose),
        }
        self._database.dispose()
        return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=databases.DIALECTS, nargs="+")
    parser.add_argument("--counts", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--hosts", type=int, nargs="+", default=[1, 100, 1_000])
    parser.add_argument("--only", choices=("sizes", "requests", "hosts"))
    arguments = parser.parse_args()
    processes.end_cleanly_on_sigterm()
    noise = machine.Noise(time.perf_counter)
    print(f"{machine.description()}.")
    for dialect in arguments.database or databases.DIALECTS:
        tables_ = {
            "hosts": hosts(dialect, arguments.hosts),
            "requests": requests(dialect) if dialect in _COUNTERS else iter(()),
            "sizes": sizes(dialect, arguments.counts),
        }
        for name, lines in tables_.items():
            if arguments.only in (None, name):
                for line in lines:
                    print(line, flush=True)
        noise.look()
    print(f"\n{noise}")


if __name__ == "__main__":
    main()
