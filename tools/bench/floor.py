#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times our API beside the floor: the least that gives the same bytes with the same durable effect.

The floor is a WSGI function over the database driver alone, without policy, validation, visibility
or a choice of the backend. Both are called in this process, without a server, in turns; what
counts is the processor time of the process, so the database server's own is no part of it. Before
anything is timed, the run compares answers and, for a creation, the rows that it left in every
table.

A development install and servers suffice (``tests.databases`` finds or starts them); for MariaDB
by its C driver ``mysqlclient``, too.
"""

import argparse
import dataclasses
import datetime
import functools
import io
import json
import pathlib
import re
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import floors
import layers
import machine
import sqlalchemy as sa

from cg_extension.reference.db import engine, migration, services, tables, volume_types
from cg_extension.reference.service import ReferenceService, manager_client
from cg_extension.reference.wsgi import pipeline
from cg_extension.tests import databases
from cg_extension.tests.deployment import processes

REPORT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "bench" / "floor.md"
# What the script writes there comes after this line.
MEASURED = "## Measured\n"

TYPE = "bench"
HOST = "host@backend"
ZONE = "nova"
SIZES = (20, 300)

Answer = tuple[str, list[tuple[str, str]], bytes]
Application = Callable[[dict[str, Any], Any], Any]


@dataclasses.dataclass(frozen=True)
class Case:
    """A call, how often it is made in one turn, and how many times the floor it may cost."""

    name: str
    method: str
    path: str
    calls: int
    target: float
    body: bytes = b""


def project(size: int) -> str:
    """The project that has so many groups."""
    return f"{size:032x}"


def group_id(size: int, number: int) -> str:
    return str(uuid.UUID(int=size << 64 | number, version=4))


_CREATE = {
    "consistencygroup": {
        "name": "database",
        "description": "Tables and log",
        "volume_types": TYPE,
        "availability_zone": ZONE,
    }
}
CASES = (
    Case("show", "GET", f"/v3/{project(20)}/consistencygroups/{group_id(20, 7)}", 25, 2.5),
    Case("list of 20", "GET", f"/v3/{project(20)}/consistencygroups", 25, 2.5),
    Case("detail of 20", "GET", f"/v3/{project(20)}/consistencygroups/detail", 15, 2.0),
    Case("detail of 300", "GET", f"/v3/{project(300)}/consistencygroups/detail", 5, 1.5),
    Case(
        "create",
        "POST",
        f"/v3/{project(0)}/consistencygroups",
        10,
        2.0,
        json.dumps(_CREATE).encode(),
    ),
)


def environ(case: Case) -> dict[str, Any]:
    """What a WSGI server would hand over."""
    _, _, owner, _ = case.path.split("/", 3)
    made = {
        "REQUEST_METHOD": case.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": case.path,
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8776",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "localhost:8776",
        "HTTP_ACCEPT": "application/json",
        "HTTP_USER_AGENT": "floor",
        "HTTP_X_AUTH_TOKEN": f"user:{owner}:member",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(case.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if case.body:
        made |= {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(case.body))}
    return made


def call(application: Application, case: Case) -> Answer:
    """The status line, the headers and the body of an answer."""
    started: list[Any] = []
    parts = application(environ(case), lambda *arguments: started.extend(arguments))
    body = b"".join(parts)
    if hasattr(parts, "close"):
        parts.close()
    return started[0], started[1], body


class _NoManagers(manager_client.ManagerClient):
    """Nobody is woken: a message to the broker is no part of the comparison."""

    def wake(self, host: str) -> None:
        pass

    def initialize_connection(self, host: str, context: Any, volume_id: str, connector: Any) -> Any:
        raise NotImplementedError

    def terminate_connection(self, host: str, context: Any, volume_id: str, connector: Any) -> None:
        raise NotImplementedError


class Sides:
    """Ours and the floor over one database, with a type, a backend and a project for each size."""

    def __init__(self, driver: floors.Driver) -> None:
        url = sa.make_url(databases.new(driver.dialect)).set(drivername=driver.drivername)
        conf = databases.configuration(url.render_as_string(hide_password=False))
        conf.set_override("quota_groups", -1)
        conf.set_override("service_down_time", 24 * 60 * 60)
        self.database = engine.Database(conf)
        migration.sync(self.database)
        with self.database.writer() as conn:
            _fill(conn)
        service = ReferenceService(conf, self.database, _NoManagers())
        self.applications: dict[str, Application] = {
            "ours": pipeline.load(conf, service),
            "floor": driver.floor(url),
        }

    def compare(self, case: Case) -> None:
        """See to it that both do the same.

        :raises AssertionError: they don't.
        """
        seen = []
        for application in self.applications.values():
            before = self._rows()
            answer = call(application, case)
            left = [row for row in self._rows() if row not in before]
            seen.append(_alike(answer, left))
        ours, floor = seen
        assert ours == floor, f"{case.name}: {ours}\nis not\n{floor}"

    def measure(self, case: Case, rounds: int) -> dict[str, list[float]]:
        """Processor milliseconds of a call, for each side and turn."""
        costs: dict[str, list[float]] = {side: [] for side in self.applications}
        for _ in range(rounds):
            for side, application in self.applications.items():
                started = time.process_time()
                for _ in range(case.calls):
                    call(application, case)
                costs[side].append((time.process_time() - started) * 1000 / case.calls)
        return costs

    def _rows(self) -> list[tuple[str, str]]:
        with self.database.reader() as conn:
            return [
                (table.name, str(dict(row)))
                for table in tables.metadata.sorted_tables
                for row in conn.execute(table.select()).mappings()
            ]


def _fill(conn: sa.Connection) -> None:
    volume_types.ensure(conn, TYPE)
    stats = {"total_capacity_gb": 1000.0, "free_capacity_gb": 900.0}
    services.report(conn, host=HOST, availability_zone=ZONE, state_ok=True, stats=stats)
    type_id = conn.execute(sa.select(tables.volume_types.c.id)).scalar_one()
    began = datetime.datetime(2026, 1, 1, 12)
    for size in SIZES:
        groups = [
            {
                "id": group_id(size, number),
                "project_id": project(size),
                "user_id": "user",
                "name": f"group {number}",
                "description": f"Number {number} of {size}",
                "status": "available",
                "created_at": began + datetime.timedelta(seconds=1.5 * number),
                "host": HOST,
                "availability_zone": ZONE,
            }
            for number in range(size)
        ]
        conn.execute(tables.consistencygroups.insert(), groups)
        conn.execute(
            tables.consistencygroup_volume_types.insert(),
            [{"consistencygroup_id": row["id"], "volume_type_id": type_id} for row in groups],
        )


# What no two calls have alike.
_CHANGING = (
    (re.compile(r"req-[0-9a-f-]{36}"), "REQUEST"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}"), "TIME"),
    (re.compile(r"datetime\.datetime\([0-9, ]*\)"), "TIME"),
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "ID"),
    (re.compile(r"'(groups|serial)': \d+"), "USAGE"),
)


def _alike(answer: Answer, rows: list[tuple[str, str]]) -> str:
    """An answer and the rows that a call left, as text that the other side's must be equal to.

    With new rows, that is without what is new each time; what was read is compared as it is.
    """
    status, headers, body = answer
    text = str((status, sorted(headers), body, sorted(rows)))
    for pattern, name in _CHANGING if rows else _CHANGING[:1]:
        text = pattern.sub(name, text)
    return text


def report(driver: floors.Driver, rounds: int) -> Iterator[str]:
    """The lines of a driver's table."""
    sides = Sides(driver)
    yield f"\n### {driver.title}\n"
    yield "| | ours, ms | floor, ms | times | half of the turns | target |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for case in CASES:
        # The first call of a project may leave rows that the later ones find.
        call(sides.applications["ours"], case)
        for _ in range(3):
            sides.compare(case)
        sides.measure(case, 1)  # Caches fill.
        costs = sides.measure(case, rounds)
        ours, floor = (min(costs[side]) for side in ("ours", "floor"))
        times = [mine / least for mine, least in zip(costs["ours"], costs["floor"], strict=True)]
        low, median, high = statistics.quantiles(times, n=4)
        yield (
            f"| {case.name} | {ours:.3f} | {floor:.3f} | {median:.2f} "
            f"| {low:.2f} to {high:.2f} | {case.target:g} |"
        )
    sides.database.dispose()


def shares(driver: floors.Driver) -> Iterator[str]:
    """The lines of a table of what takes the time of ours."""
    sides = Sides(driver)
    found = {}
    for case in CASES:
        sides.measure(case, 2)
        ours = functools.partial(call, sides.applications["ours"], case)
        found[case.name] = layers.shares(ours, 10 * case.calls)
    yield f"\n### {driver.title}\n"
    yield "| | " + " | ".join(found) + " |"
    yield "| --- |" + " ---: |" * len(found)
    every = {layer: None for each in found.values() for layer in each}
    for layer in every:
        shown = " | ".join(f"{each.get(layer, 0):.0%}" for each in found.values())
        yield f"| {layer} | {shown} |"
    sides.database.dispose()


def lines(drivers: list[str], rounds: int) -> Iterator[str]:
    """The whole report."""
    yield f"{machine.description()}; {rounds} turns of each side, a turn of 5 to 25 calls."
    noise = machine.Noise(time.process_time)
    for name in drivers:
        yield from report(floors.DRIVERS[name], rounds)
        noise.look()
    yield f"\n{noise}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60, help="turns of each side (default: 60)")
    parser.add_argument(
        "--drivers", nargs="+", choices=floors.DRIVERS, default=list(floors.DRIVERS)
    )
    parser.add_argument("--write", action="store_true", help=f"into {REPORT.name}, too")
    parser.add_argument("--layers", action="store_true", help="what takes the time, by profiler")
    arguments = parser.parse_args()
    processes.end_cleanly_on_sigterm()
    if arguments.layers:
        for name in arguments.drivers:
            print("\n".join(shares(floors.DRIVERS[name])), flush=True)
        return
    written = []
    for line in lines(arguments.drivers, arguments.rounds):
        print(line, flush=True)
        written.append(line)
    if arguments.write:
        text, _, _ = REPORT.read_text().partition(MEASURED)
        REPORT.write_text(f"{text}{MEASURED}\n" + "\n".join(written) + "\n")


if __name__ == "__main__":
    main()
