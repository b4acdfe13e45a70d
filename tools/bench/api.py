#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times our API and Cinder's with the same requests, in one run, over the same MariaDB server.

Needs an environment with both installed (``tox -e bench``). Each side runs one API process, then
two; each has one volume manager, whose driver does next to nothing. Both sides take turns, so
that whatever else the machine does hits both; the figures are medians over the turns. Beside the
rates stands the processor time of the API processes for one answer, which others' load hardly
touches.
"""

import argparse
import contextlib
import dataclasses
import importlib.metadata
import itertools
import os
import pathlib
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import load
import machine
import requests
import sqlalchemy as sa

from cg_extension.tests.cinder import deployment as cinder_deployment
from cg_extension.tests.deployment import deployment, processes, servers

CLIENTS = 16
SIZES = (20, 300)
TYPE = "bench"
# Cinder's default, where tests have another; and its limits that would stop the benchmark.
CINDER_OPTIONS = {"wsgi_keep_alive": True}
CINDER_OPTIONS |= {"quota_groups": -1, "quota_volumes": -1, "osapi_max_limit": 1000}


@dataclasses.dataclass
class Side:
    """One of the two services, ready to be asked."""

    name: str
    endpoints: list[str]
    # Of an administrator in a project, as its ``noauth`` understands it.
    token: str
    # The first of its API processes; workers are its children.
    pid: int
    groups: dict[int, list[str]] = dataclasses.field(default_factory=dict)

    def call(self, method: str, project: str, path: str, body: Any = None) -> Any:
        """One request as administrator, outside the timing."""
        answer = requests.request(
            method,
            f"{self.endpoints[0]}/v3/{project}{path}",
            headers={"X-Auth-Token": self.token.format(project)},
            json=body,
            timeout=120,
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def load(self, method: str, project: str, path: str, body: Any = None, **limits: Any) -> Any:
        """The timed loop."""
        url = f"{self.endpoints[0]}/v3/{project}{path}"
        return load.run(
            [load.target(endpoint) for endpoint in self.endpoints],
            itertools.repeat(load.request(method, url, self.token.format(project), body)),
            clients=CLIENTS,
            **limits,
        )

    def processor_seconds(self) -> float:
        """Processor time that its API processes have taken so far, as user and in the kernel."""
        ticks = 0
        for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                # Counted from the state on: proc(5), fields 4, 14 and 15.
                stat = path.read_text().rpartition(")")[2].split()
                if self.pid in (int(path.parent.name), int(stat[1])):
                    ticks += int(stat[11]) + int(stat[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def prepare(self) -> None:
        """The type, and a project for each size of list."""
        self.call("POST", _project(0), "/types", {"volume_type": {"name": TYPE}})
        for size in SIZES:
            self.create(_project(size), size)
            self.wait(_project(size), size)
            listed = self.call("GET", _project(size), "/consistencygroups")
            self.groups[size] = [group["id"] for group in listed["consistencygroups"]]

    def create(self, project: str, count: int) -> Any:
        """Create groups; gives the timing."""
        body = {"consistencygroup": {"volume_types": TYPE, "name": "bench"}}
        result = self.load("POST", project, "/consistencygroups", body, requests=count)
        if result.statuses != {202: count}:
            raise RuntimeError(f"{self.name}: {result.statuses}")
        return result

    def wait(self, project: str, count: int) -> None:
        """Until so many groups are available."""
        while True:
            listed = self.call("GET", project, "/consistencygroups?status=available&limit=1000")
            if len(listed["consistencygroups"]) >= count:
                return
            time.sleep(0.1)


def _project(number: int) -> str:
    return f"{number:032x}"


@contextlib.contextmanager
def ours(api_processes: int, database: str, broker: str) -> Iterator[Side]:
    """cg-api, or gunicorn with two workers, and one cg-manager with the file driver."""
    kind = {1: "cg-api", 2: "gunicorn"}[api_processes]
    options = {"operation_poll_interval": 5, "operation_lease": 30, "report_interval": 10}
    with deployment.Deployment(
        database,
        broker=broker,
        managers=deployment.MANAGERS[:1],
        api_servers=[kind],
        options={**options, "service_down_time": 60},
    ) as running:
        yield Side("ours", running.endpoints, "admin:{}:admin", running.apis["api0"].pid)


@contextlib.contextmanager
def cinders(api_processes: int, database: servers.MariaDB, broker: str) -> Iterator[Side]:
    """cinder-api, cinder-scheduler and one cinder-volume with Cinder's driver for tests."""
    os.environ["CG_TEST_MYSQL_URL"] = database.url.render_as_string(hide_password=False)
    os.environ["CG_TEST_RABBIT_URL"] = broker
    options = {**CINDER_OPTIONS, "osapi_volume_workers": api_processes}
    with cinder_deployment.CinderDeployment(options={"DEFAULT": options}, noauth=True) as running:
        yield Side("cinder", [running.endpoint], "admin:{}", _cinder_api(str(running.directory)))


def _cinder_api(directory: str) -> int:
    """Process id of the cinder-api whose configuration is there, not of its workers."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            command = path.read_text()
            if "cinder-api" in command and directory in command:
                found.append(int(path.parent.name))
    return min(found)


@dataclasses.dataclass
class Sample:
    """One turn of one side: answers per second, and processor milliseconds per answer."""

    rate: float
    cost: float


def sample(side: Side, work: Callable[[], tuple[int, float]]) -> Sample:
    """Do some work, which gives the number of answers and the seconds that they took."""
    before = side.processor_seconds()
    count, seconds = work()
    return Sample(count / seconds, 1000 * (side.processor_seconds() - before) / count)


def cases(seconds: float) -> dict[str, Callable[[Side], Sample]]:
    """Name of a measurement → what makes one turn of it."""

    def reads(size: int, path: str) -> Callable[[Side], Sample]:
        def measure(side: Side) -> Sample:
            found = path.format(id=side.groups[size][0])

            def work() -> tuple[int, float]:
                result = side.load("GET", _project(size), found, seconds=seconds)
                if set(result.statuses) != {200}:
                    raise RuntimeError(f"{side.name} {found}: {result.statuses}")
                return len(result.latencies), result.seconds

            return sample(side, work)

        return measure

    def create(side: Side) -> Sample:
        def work() -> tuple[int, float]:
            return 50, side.create(os.urandom(16).hex(), 50).seconds

        return sample(side, work)

    def create_to_available(side: Side) -> Sample:
        def work() -> tuple[int, float]:
            project, count = os.urandom(16).hex(), 100
            started = time.perf_counter()
            side.create(project, count)
            side.wait(project, count)
            return count, time.perf_counter() - started

        return sample(side, work)

    return {
        "show": reads(20, "/consistencygroups/{id}"),
        "list of 20": reads(20, "/consistencygroups"),
        "list of 300": reads(300, "/consistencygroups"),
        "detail of 20": reads(20, "/consistencygroups/detail"),
        "detail of 300": reads(300, "/consistencygroups/detail"),
        "create": create,
        "create to available (100)": create_to_available,
    }


def measure(api_processes: int, rounds: int, seconds: float, driver: str) -> None:
    """Run everything with so many API processes per side, and print a table."""
    with servers.MariaDB() as database, servers.RabbitMQ() as broker:
        url = sa.make_url(database.new_database()).set(drivername=f"mysql+{driver}")
        with ours(api_processes, url.render_as_string(hide_password=False), broker.url) as us:
            with cinders(api_processes, database, broker.url) as them:
                us.prepare()
                them.prepare()
                print(f"\n{api_processes} API process(es) per side, {rounds} turns\n")
                print("| | ours/s | Cinder/s | times | ours ms | Cinder ms | times |")
                print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
                noise = machine.Noise(time.perf_counter)
                for name, case in cases(seconds).items():
                    samples: dict[str, list[Sample]] = {"ours": [], "cinder": []}
                    for _turn in range(rounds):
                        for side in (us, them):
                            samples[side.name].append(case(side))
                            noise.look()
                    print(f"| {name} {_row(samples['ours'], samples['cinder'])}", flush=True)
                print(f"\n{noise}")


def _row(ours: list[Sample], theirs: list[Sample]) -> str:
    rates = [[each.rate for each in samples] for samples in (ours, theirs)]
    my_rate, their_rate = map(statistics.median, rates)
    my_cost, their_cost = (
        statistics.median(each.cost for each in samples) for samples in (ours, theirs)
    )
    shown = [f"{statistics.median(r):.1f} ({min(r):.1f} to {max(r):.1f})" for r in rates]
    return (
        f"| {shown[0]} | {shown[1]} | {my_rate / their_rate:.1f} "
        f"| {my_cost:.2f} | {their_cost:.1f} | {their_cost / my_cost:.1f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="turns of each side (default: 3)")
    parser.add_argument("--seconds", type=float, default=4, help="of one turn (default: 4)")
    parser.add_argument("--processes", type=int, nargs="+", choices=(1, 2), default=[1, 2])
    parser.add_argument(
        "--driver",
        choices=("pymysql", "mysqldb"),
        default="pymysql",
        help="by which our side reaches MariaDB; Cinder's is always pymysql, as the other one "
        "(mysqlclient, in C) would stop all of eventlet's threads at each query",
    )
    arguments = parser.parse_args()
    processes.end_cleanly_on_sigterm()
    version = importlib.metadata.version("cinder")
    print(f"{machine.description()}; Cinder {version}, {CLIENTS} clients")
    for api_processes in arguments.processes:
        measure(api_processes, arguments.rounds, arguments.seconds, arguments.driver)


if __name__ == "__main__":
    main()
