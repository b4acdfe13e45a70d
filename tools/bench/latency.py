#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures the latency of an API process under load, its longest answers included.

All the time another API process accepts so many creations and deletions of groups a second, which a
manager carries out. First the highest throughput of a mix of show, list and create beside them is
found: from what a closed loop of clients gets, it is lowered until the manager keeps up. Then
requests are sent at a part of that rate for some minutes. Each is sent at its time, whether earlier
ones are answered or not; a latency counts from that time on, so that what waits behind a slow
answer counts, too. The database is a private server with its ordinary durability.

Prints a table, and of the longest answers what they waited for: how long the application took for
each by its own log, and for how long nothing at all ran on the machine, or a checkpoint did in the
database. Writes OUTPUT.svg, the longest answer of each second.
"""

import argparse
import collections
import dataclasses
import datetime
import json
import os
import pathlib
import random
import re
import selectors
import statistics
import threading
import time
from collections.abc import Iterator, Mapping

import load

from cg_extension.reference.wsgi import middleware
from cg_extension.tests import http_client, waiting
from cg_extension.tests.deployment import deployment, processes, servers

PROJECT = "latency"
BESIDE = "beside"
TYPE = "__DEFAULT__"
# Of the answers to clients; what dashboards and automation ask for, mostly.
MIX = {"show": 60, "list": 30, "create": 10}
ACCEPTED = (200, 202)
CLIENTS = 16
GROUPS = 100
# Seconds after which what was asked for is deleted again.
KEPT = 2
# Of the search for the highest throughput: seconds of a try, the next one's rate, and which part of
# the operations must have been accepted. A deletion is not, of what the manager has not made yet.
TRY, LOWER, KEEPS_UP = 15, 0.9, 0.97
LONGEST = 15
COLOURS = {"show": "#1b6ca8", "list": "#e07a1f", "create": "#2c8c4b"}

_REQUEST_ID = re.compile(rb"req-[0-9a-f-]{36}")
_LOGGED = re.compile(r"(req-[0-9a-f-]{36}).* status: \d+ time: ([0-9.]+) s")
_CHECKPOINT = re.compile(r"^(\S+ \S+) UTC .*checkpoint (starting|complete)", re.MULTILINE)


def token(project: str) -> str:
    """A ``noauth`` token of an administrator in the project."""
    return f"admin:{project}:admin"


class Requests:
    """The requests of the mix, built beforehand."""

    def __init__(self, endpoint: str, group_ids: list[str]) -> None:
        base = f"{endpoint}/v3/{PROJECT}/consistencygroups"
        body = {"consistencygroup": {"volume_types": TYPE}}
        self._shows = [load.request("GET", f"{base}/{id}", token(PROJECT)) for id in group_ids]
        self._others = {
            "list": load.request("GET", f"{base}?limit=20", token(PROJECT)),
            "create": load.request("POST", base, token(PROJECT), body),
        }
        self._random = random.Random(1)

    def next(self) -> tuple[str, bytes]:
        """A kind by its weight, and a request of it."""
        (kind,) = self._random.choices(list(MIX), list(MIX.values()))
        if kind == "show":
            return kind, self._random.choice(self._shows)
        return kind, self._others[kind]

    def answered(self, kind: str, body: bytes) -> None:
        """Nothing follows from an answer."""


class Operations:
    """Requests for operations: creations, and deletions of what was created by them."""

    def __init__(self, endpoint: str, rate: float) -> None:
        self._base = f"{endpoint}/v3/{BESIDE}/consistencygroups"
        body = {"consistencygroup": {"volume_types": TYPE}}
        self._creation = load.request("POST", self._base, token(BESIDE), body)
        self._made: collections.deque[str] = collections.deque()
        self._kept = KEPT * rate

    def next(self) -> tuple[str, bytes]:
        """A deletion of what was asked for some seconds ago; until there is that, a creation."""
        if len(self._made) < self._kept:
            return "create", self._creation
        url = f"{self._base}/{self._made.popleft()}"
        return "delete", load.request("DELETE", url, token(BESIDE))

    def answered(self, kind: str, body: bytes) -> None:
        """Keep the identifier of a group that will be there."""
        if kind == "create":
            self._made.append(json.loads(body)["consistencygroup"]["id"])


@dataclasses.dataclass
class Answer:
    """One answer: its kind, when it was due to be asked for, and for how long it was waited.

    ``others`` are the requests that were under way when it came.
    """

    kind: str
    due: float
    took: float
    status: int
    request_id: str
    others: int


def open_loop(
    address: load.Target, requests: Requests | Operations, seconds: float, rate: float
) -> Iterator[Answer]:
    """The answers to ``rate`` requests a second, sent at random times (a Poisson process)."""
    selector = selectors.DefaultSelector()
    idle: list[load.Client] = []
    busy: dict[load.Client, tuple[str, float]] = {}
    chance = random.Random(2)
    begun = now = time.perf_counter()
    due = begun
    while busy or now < begun + seconds:
        while due <= now < begun + seconds:
            client = idle.pop() if idle else load.Client(address)
            kind, payload = requests.next()
            busy[client] = (kind, due)
            client.send(payload)
            selector.register(client.socket, selectors.EVENT_READ, client)
            due += chance.expovariate(rate)
        for key, _events in selector.select(max(due - now, 0) if now < begun + seconds else 1.0):
            client = key.data
            status = client.receive()
            if status is None:
                continue
            selector.unregister(key.fileobj)
            if status == load.CLOSED:
                client.send_again()
                selector.register(client.socket, selectors.EVENT_READ, client)
                continue
            kind, asked = busy.pop(client)
            idle.append(client)
            if status in ACCEPTED:
                requests.answered(kind, client.body)
            found = _REQUEST_ID.search(client.head)
            request_id = found[0].decode() if found else ""
            took = time.perf_counter() - asked
            yield Answer(kind, asked - begun, took, status, request_id, len(busy))
        now = time.perf_counter()
    for client in idle:
        client.socket.close()


class Stalls(threading.Thread):
    """Notes for how long a thread that wants to run every few milliseconds did not."""

    _PAUSE = 0.005

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._begun = time.perf_counter()
        self._seen: list[tuple[float, float]] = []

    def run(self) -> None:
        last = time.perf_counter()
        while True:
            time.sleep(self._PAUSE)
            now = time.perf_counter()
            if now - last > 2 * self._PAUSE:
                self._seen.append((last - self._begun, now - self._begun))
            last = now

    def longest(self, begin: float, end: float) -> float:
        """Seconds of the longest within that time, in seconds since the start."""
        overlaps = [min(end, until) - max(begin, since) for since, until in self._seen]
        return max([0.0, *overlaps])


class Beside(threading.Thread):
    """Asks another API process for ``rate`` operations a second, until it is stopped."""

    def __init__(self, endpoint: str, rate: float) -> None:
        super().__init__(daemon=True)
        self._endpoint = endpoint
        self._rate = rate
        self._stopping = threading.Event()
        self.accepted = 0
        self._client = http_client.Client(lambda: endpoint, BESIDE, token(BESIDE))

    def run(self) -> None:
        operations = Operations(self._endpoint, self._rate)
        address = load.target(self._endpoint)
        for answer in open_loop(address, operations, float("inf"), self._rate):
            self.accepted += answer.status in ACCEPTED
            if self._stopping.is_set():
                break

    def stop(self) -> None:
        self._stopping.set()
        self.join()

    def waiting(self) -> int:
        """How many groups the manager has still to make or delete."""
        groups = self._client.get("/consistencygroups/detail")["consistencygroups"]
        return sum(group["status"] in ("creating", "deleting") for group in groups)

    def rest(self) -> None:
        """Wait until the manager has caught up."""
        waiting.eventually(lambda: self.waiting() < self._rate / 10, "the manager catches up", 120)


def highest_throughput(
    address: load.Target, requests: Requests, beside: Beside, operations: float
) -> float:
    """Requests a second that are answered while the manager keeps up with the operations."""
    mix = (payload for _kind, payload in iter(requests.next, None))
    rate = load.run([address], mix, clients=CLIENTS, seconds=TRY).rate
    while True:
        beside.rest()
        accepted, begun = beside.accepted, time.monotonic()
        collections.deque(open_loop(address, requests, TRY, rate), maxlen=0)
        got = (beside.accepted - accepted) / (time.monotonic() - begun)
        print(f"{rate:.0f} a second, and {got:.0f} operations", flush=True)
        if got >= KEEPS_UP * operations:
            beside.rest()
            return rate
        rate *= LOWER


def table(answers: list[Answer]) -> str:
    """Median, 99th percentile and longest of each kind, in milliseconds."""
    lines = ["| | answers | p50 | p99 | longest | errors |", "|---|---:|---:|---:|---:|---:|"]
    for kind in MIX:
        mine = [answer for answer in answers if answer.kind == kind]
        cuts = statistics.quantiles([1e3 * answer.took for answer in mine], n=100)
        longest = max(1e3 * answer.took for answer in mine)
        errors = sum(answer.status not in ACCEPTED for answer in mine)
        lines.append(
            f"| {kind} | {len(mine):,} | {cuts[49]:.1f} | {cuts[98]:.1f} | {longest:.1f} "
            f"| {errors} |"
        )
    return "\n".join(lines)


def application_times(log: pathlib.Path) -> dict[str, float]:
    """Seconds that the application took for each request, by id."""
    with open(log, errors="replace") as lines:
        return {found[1]: float(found[2]) for line in lines if (found := _LOGGED.search(line))}


def longest(answers: list[Answer], application: dict[str, float], stalls: Stalls) -> str:
    """The longest answers, and what they waited for."""
    lines = [
        "| at, s | | took, ms | in the application | machine stood still | others under way |",
        "|---:|---|---:|---:|---:|---:|",
    ]
    for answer in sorted(answers, key=lambda each: -each.took)[:LONGEST]:
        inside = 1e3 * application.get(answer.request_id, 0.0)
        stall = 1e3 * stalls.longest(answer.due, answer.due + answer.took)
        lines.append(
            f"| {answer.due:.1f} | {answer.kind} | {1e3 * answer.took:.1f} | {inside:.1f} "
            f"| {stall:.1f} | {answer.others} |"
        )
    return "\n".join(lines)


def checkpoints(log: pathlib.Path, begun: float) -> str:
    """When PostgreSQL's were at work, in seconds since ``begun``, a time of the epoch."""
    times = [
        f"{kind} {datetime.datetime.fromisoformat(f'{at}+00:00').timestamp() - begun:.0f} s"
        for at, kind in _CHECKPOINT.findall(log.read_text(errors="replace"))
    ]
    return f"Checkpoints of the database: {', '.join(times) or 'its log tells of none'}."


def plot(answers: list[Answer]) -> str:
    """SVG: the longest answer of each second, by kind."""
    width, height, left, bottom = 800, 240, 50, 210
    seconds = max(answer.due for answer in answers)
    highest = max(1e3 * answer.took for answer in answers)
    worst: dict[str, dict[int, float]] = {kind: {} for kind in MIX}
    for answer in answers:
        second = int(answer.due)
        mine = worst[answer.kind]
        mine[second] = max(mine.get(second, 0), 1e3 * answer.took)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="11">'
    ]
    for number, (kind, points) in enumerate(worst.items()):
        line = " ".join(
            f"{left + (width - left) * second / seconds:.1f},{bottom - 190 * ms / highest:.1f}"
            for second, ms in sorted(points.items())
        )
        colour = COLOURS[kind]
        parts += [
            f'<polyline fill="none" stroke="{colour}" points="{line}"/>',
            f'<text x="{left + 10 + 70 * number}" y="14" fill="{colour}">{kind}</text>',
        ]
    parts += [
        f'<text x="{left - 5}" y="24" text-anchor="end">{highest:.0f} ms</text>',
        f'<text x="{left - 5}" y="{bottom}" text-anchor="end">0</text>',
        f'<text x="{width}" y="{bottom + 15}" text-anchor="end">{seconds:.0f} s</text>',
    ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("postgresql", "mysql"), default="postgresql")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--part", type=float, default=0.7, help="of the highest throughput")
    parser.add_argument("--operations", type=float, default=100, help="a second, beside")
    parser.add_argument("output", type=pathlib.Path)
    arguments = parser.parse_args()
    processes.end_cleanly_on_sigterm()
    options: Mapping[str, object] = {
        "operation_poll_interval": 5,
        "operation_lease": 30,
        # Of reads, too, how long the application took.
        "default_log_levels": f"{middleware.__name__}=DEBUG,oslo.messaging=INFO,amqp=WARN",
    }
    with (
        servers.DATABASE_SERVERS[arguments.database]() as server,
        deployment.Deployment(
            server.new_database(),
            managers=deployment.MANAGERS[:1],
            api_servers=["cg-api", "cg-api"],
            options=options,
        ) as running,
    ):
        address = load.target(running.endpoints[0])
        client = running.connect(PROJECT)
        made = [client.begin("consistencygroups", volume_types=TYPE) for _ in range(GROUPS)]
        for group_id in made:
            client.wait(f"/consistencygroups/{group_id}")
        requests = Requests(running.endpoints[0], made)
        beside = Beside(running.endpoints[1], arguments.operations)
        beside.start()
        highest = highest_throughput(address, requests, beside, arguments.operations)
        before, started, at = beside.accepted, time.monotonic(), time.time()
        stalls = Stalls()
        stalls.start()
        rate = arguments.part * highest
        answers = list(open_loop(address, requests, arguments.seconds, rate))
        operations = (beside.accepted - before) / (time.monotonic() - started)
        unfinished = beside.waiting()
        beside.stop()
        application = application_times(running.apis["api0"].log)
        found = checkpoints(server.directory / "server.log", at)
    print(
        f"{arguments.database}: {highest:.0f} answers a second at most; asked for "
        f"{rate:.0f} a second for {arguments.seconds:.0f} s, with "
        f"{operations:.0f} operations a second accepted beside, of whose groups {unfinished} were "
        f"not ready at the end; times in ms. Load average at the end {os.getloadavg()[0]:.1f} on "
        f"{os.cpu_count()} cores.\n\n{table(answers)}\n\n"
        f"The longest:\n\n{longest(answers, application, stalls)}\n\n{found}"
    )
    arguments.output.with_suffix(".svg").write_text(plot(answers))


if __name__ == "__main__":
    main()
