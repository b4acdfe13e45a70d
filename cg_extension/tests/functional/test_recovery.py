# SPDX-License-Identifier: Apache-2.0
"""Kills the process at every step boundary of every kind of operation, and audits what follows."""

import atexit
import contextlib
import dataclasses
import functools
import pathlib
import sqlite3
import tempfile
from collections.abc import Callable, Iterator

import requests
import testscenarios
from testtools import content

from cg_extension.drivers import steps
from cg_extension.tests import long, usage
from cg_extension.tests.functional import base

RUNNER = ("claimed", "carried_out", "written", "ended")
GIVEN_UP = ("claimed", "failed", "cleaned_up", "written", "ended")
ONE_FILE = ("file.begun", "file.synced", "file.renamed")
# Two members; the last one of a pair is passed at the second file.
TWO_FILES = ("file.begun", "file.synced", "file.renamed", "file.renamed:2")
ONE_REMOVED = ("file.removed",)
TWO_REMOVED = ("file.removed", "file.removed:2")

CONFIG = {
    "DEFAULT": {
        # So long that only a start that knows its predecessor to be dead ends the work in time.
        "operation_lease": 3600,
        "operation_poll_interval": 0.5,
        "operation_retry_delay": 0.1,
        "quota_volumes": -1,
        "quota_snapshots": -1,
        "quota_groups": -1,
        "quota_gigabytes": -1,
    }
}
SIZE = 1
TYPE = "__DEFAULT__"


@dataclasses.dataclass(frozen=True)
class Case:
    """One request, the boundary at which the process dies, and how the resource must end."""

    kind: str
    boundary: str
    # Makes what the request needs, and gives the request: it sends it and gives the path to watch.
    prepare: Callable[["World"], Callable[[], str | None]]
    status: str | None

    def __str__(self) -> str:
        return f"{self.prepare.__name__}: {self.kind}/{self.boundary}"


class World:
    """One service with two volumes in a group, and what is made from them."""

    def __init__(self, service: base.Standalone, fault_file: pathlib.Path) -> None:
        self.service = service
        self.client = service.client()
        self._fault_file = fault_file
        self.volumes = [self.volume(), self.volume()]
        for number, volume in enumerate(self.volumes):
            self.write(f"volume-{volume}", f"content {number}")
        self.group = self.new_group(self.volumes)
        self.cgsnapshot = self.client.create(
            "/cgsnapshots", {"cgsnapshot": {"consistencygroup_id": self.group}}
        )

    def volume(self, **values: object) -> str:
        return self.client.create("/volumes", {"volume": {"size": SIZE, **values}})

    def snapshot(self) -> str:
        return self.client.create("/snapshots", {"snapshot": {"volume_id": self.volume()}})

    def new_group(self, volumes: list[str]) -> str:
        group = self.client.create(
            "/consistencygroups", {"consistencygroup": {"volume_types": TYPE}}
        )
        if volumes:
            self.client.put(
                f"/consistencygroups/{group}",
                {"consistencygroup": {"add_volumes": ",".join(volumes)}},
            )
            self.client.wait(f"/consistencygroups/{group}")
        return group

    def path(self, name: str) -> pathlib.Path:
        return self.service.state_path / "volumes" / name

    def write(self, name: str, text: str) -> None:
        with self.path(name).open("r+") as file:
            file.write(text)

    @contextlib.contextmanager
    def death_at(self, kind: str, boundary: str) -> Iterator[None]:
        """The process must die within the block, at that boundary; it runs again afterwards."""
        count = "" if ":" in boundary else ":1"
        self._fault_file.write_text(f"{kind}/{boundary}{count}")
        try:
            yield
            code = self.service.wait_until_dead()
        finally:
            self._fault_file.unlink()
        if code != -9:
            raise AssertionError(f"ended with {code} instead of being killed")
        self.service.start()

    def log(self) -> Iterator[bytes]:
        yield self.service.log.encode()

    def audit(self) -> None:
        """No work is left, no file is an orphan, usage is what rows say.

        :raises AssertionError: with all that is wrong.
        """
        path = self.service.state_path / "cg_extension.sqlite"
        with contextlib.closing(sqlite3.connect(path)) as database:
            rows = {
                table: database.execute(f"SELECT id, status FROM {table}").fetchall()
                for table in ("volumes", "snapshots")
            }
            left = database.execute("SELECT kind, attempts FROM operations").fetchall()
        expected = {
            f"{table[:-1]}-{row_id}"
            for table, found in rows.items()
            for row_id, status in found
            if status in ("available", "in-use")
        }
        found = {path.name for path in self.path("").iterdir()}
        drifted = usage.findings_at(f"sqlite:///{path}")
        if left or expected != found or drifted:
            raise AssertionError(
                f"operations left: {left}; files missing: {expected - found}; orphans: "
                f"{found - expected}; usage: {drifted}"
            )


Request = Callable[[], str | None]
# What a request ends with when the process dies before, or in the middle of, its answer.
DEAD = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)


def _post(world: World, path: str, body: dict[str, object]) -> Request:
    def send() -> str | None:
        try:
            (resource,) = world.client.post(path, body).values()
        except DEAD:
            return None
        return f"/{path.split('/')[1]}/{resource['id']}"

    return send


def _change(world: World, method: str, path: str, watched: str, body: object = None) -> Request:
    def send() -> str:
        with contextlib.suppress(*DEAD):
            answer = world.client.request(method, path, body)
            if not answer.ok:
                raise AssertionError(f"{path}: {answer.status_code} {answer.text}")
        return watched

    return send


def create_volume(world: World) -> Request:
    return _post(world, "/volumes", {"volume": {"size": SIZE}})


def clone_volume(world: World) -> Request:
    body = {"volume": {"size": SIZE, "source_volid": world.volumes[0]}}
    return _post(world, "/volumes", body)


def create_volume_from_snapshot(world: World) -> Request:
    return _post(world, "/volumes", {"volume": {"size": SIZE, "snapshot_id": world.snapshot()}})


def delete_volume(world: World) -> Request:
    path = f"/volumes/{world.volume()}"
    return _change(world, "DELETE", path, path)


def create_snapshot(world: World) -> Request:
    return _post(world, "/snapshots", {"snapshot": {"volume_id": world.volume()}})


def delete_snapshot(world: World) -> Request:
    path = f"/snapshots/{world.snapshot()}"
    return _change(world, "DELETE", path, path)


def create_group(world: World) -> Request:
    return _post(world, "/consistencygroups", {"consistencygroup": {"volume_types": TYPE}})


def create_group_from_cgsnapshot(world: World) -> Request:
    body = {"consistencygroup-from-src": {"cgsnapshot_id": world.cgsnapshot}}
    return _post(world, "/consistencygroups/create_from_src", dict(body))


def create_group_from_group(world: World) -> Request:
    body = {"consistencygroup-from-src": {"source_cgid": world.group}}
    return _post(world, "/consistencygroups/create_from_src", dict(body))


def update_group(world: World) -> Request:
    old, new = world.volume(), world.volume()
    path = f"/consistencygroups/{world.new_group([old])}"
    body = {"consistencygroup": {"add_volumes": new, "remove_volumes": old}}
    return _change(world, "PUT", path, path, body)


def delete_group(world: World) -> Request:
    path = f"/consistencygroups/{world.new_group([world.volume(), world.volume()])}"
    return _change(world, "POST", f"{path}/delete", path, {"consistencygroup": {"force": True}})


def create_cgsnapshot(world: World) -> Request:
    return _post(world, "/cgsnapshots", {"cgsnapshot": {"consistencygroup_id": world.group}})


def create_cgsnapshot_of_attached(world: World) -> Request:
    volumes = [world.volume(), world.volume()]
    group = world.new_group(volumes)
    action = {"os-attach": {"instance_uuid": volumes[0], "mountpoint": "/dev/vdb"}}
    world.client.post(f"/volumes/{volumes[1]}/action", action)
    return _post(world, "/cgsnapshots", {"cgsnapshot": {"consistencygroup_id": group}})


def delete_cgsnapshot(world: World) -> Request:
    body = {"cgsnapshot": {"consistencygroup_id": world.group}}
    path = f"/cgsnapshots/{world.client.create('/cgsnapshots', body)}"
    return _change(world, "DELETE", path, path)


# Each kind, in each way that makes the driver do something else, with all of its boundaries.
REQUESTS = (
    ("volume.create", create_volume, (*RUNNER, *ONE_FILE), "available"),
    ("volume.create", clone_volume, (*RUNNER, *ONE_FILE), "available"),
    ("volume.create", create_volume_from_snapshot, (*RUNNER, *ONE_FILE), "available"),
    ("volume.delete", delete_volume, (*RUNNER, *ONE_REMOVED), None),
    ("snapshot.create", create_snapshot, (*RUNNER, *ONE_FILE), "available"),
    ("snapshot.delete", delete_snapshot, (*RUNNER, *ONE_REMOVED), None),
    ("consistencygroup.create", create_group, RUNNER, "available"),
    (
        "consistencygroup.create_from_src",
        create_group_from_cgsnapshot,
        (*RUNNER, *TWO_FILES),
        "available",
    ),
    (
        "consistencygroup.create_from_src",
        create_group_from_group,
        (*RUNNER, *TWO_FILES),
        "available",
    ),
    ("consistencygroup.update", update_group, RUNNER, "available"),
    ("consistencygroup.delete", delete_group, (*RUNNER, *TWO_REMOVED), None),
    ("cgsnapshot.create", create_cgsnapshot, (*RUNNER, *TWO_FILES), "available"),
    ("cgsnapshot.create", create_cgsnapshot_of_attached, GIVEN_UP, "error"),
    ("cgsnapshot.delete", delete_cgsnapshot, (*RUNNER, *TWO_REMOVED), None),
)

# A long run has all of them. Else each request dies at every boundary of the driver's, and at one
# of the runner's, which are the same code for all requests.
CASES = [
    Case(kind, boundary, prepare, status)
    for number, (kind, prepare, boundaries, status) in enumerate(REQUESTS)
    for boundary in boundaries
    if long.WANTED or boundary not in RUNNER or boundary == RUNNER[number % len(RUNNER)]
]


class RecoveryTest(testscenarios.WithScenarios, base.FunctionalTest):
    scenarios = [(str(case), {"case": case}) for case in CASES]
    case: Case

    def test_a_request_ends_whatever_step_the_process_dies_at(self) -> None:
        world, case = _world(), self.case
        self.addOnException(lambda _raised: _world.cache_clear())
        self.addDetail("log", content.Content(content.UTF8_TEXT, world.log))
        send = case.prepare(world)
        with world.death_at(case.kind, case.boundary):
            watched = send()
        if watched is None:
            watched = _newest(world, case)
        ended = world.client.wait(watched)
        self.assertEqual(case.status, ended and ended["status"], ended)
        world.audit()
        if case.kind == "consistencygroup.create_from_src":
            _compare(world, watched)


# For load_tests: a test for each case, so that workers can share them.
load_tests = testscenarios.load_tests_apply_scenarios


@functools.cache
def _world() -> World:
    """The one service of this test process; a new one after a test that failed."""
    resources = contextlib.ExitStack()
    atexit.register(resources.close)
    directory = resources.enter_context(tempfile.TemporaryDirectory(dir=base.TEMPORARY))
    fault_file = pathlib.Path(directory) / "fault"
    service = base.Standalone(CONFIG, {steps.FAULT_VARIABLE: str(fault_file)})
    return World(resources.enter_context(service), fault_file)


def _newest(world: World, case: Case) -> str:
    """Path of what the request made whose answer was lost."""
    collection = case.kind.partition(".")[0] + "s"
    return f"/{collection}/{world.client.get(f'/{collection}?limit=1')[collection][0]['id']}"


def _compare(world: World, group: str) -> None:
    """The group's volumes hold what the sources' hold."""
    group_id = group.rpartition("/")[2]
    volumes = world.client.get("/volumes/detail")["volumes"]
    found = {
        world.path(f"volume-{volume['id']}").open().read(9)
        for volume in volumes
        if volume["consistencygroup_id"] == group_id
    }
    if found != {"content 0", "content 1"}:
        raise AssertionError(f"the volumes hold {found}")
