# SPDX-License-Identifier: Apache-2.0
"""Starts, stops and kills of the unit with the lvm driver, as root and as a user with sudo.

The pool lies on a device that can be made slow, so that a group snapshot takes its time.
"""

import os
import pathlib
import signal

import fixtures

from cg_extension.tests import waiting
from cg_extension.tests.lvm import base, writer
from cg_extension.tests.machine import service

TYPE = "__DEFAULT__"
# Seconds for one operation, in a guest and on a slow device.
PATIENCE = 900
# MiB of the pool's device, which is a file with holes, and of the pool.
_SIZE, _POOL = 3500, 3000
# Milliseconds that each write to it takes while it is slow.
_DELAY = "100"
# Seconds that writes may be held: the flush of a slow device takes its time.
_DEADLINE = 20
# What LVM is told to do at the moment; the engine's ``at_work``.
_AT_WORK = pathlib.Path("/run/cg_extension-lvm/at-work")
# What systemd says of processes that it did not let end by themselves.
_KILLED = ("Killing process", "timed out", "signal SIGKILL")


class Units:
    """The rules, whoever runs the service."""

    as_root: bool

    def setUp(self) -> None:
        super().setUp()
        self.useFixture(fixtures.EnvironmentVariable(base.OWN_CONFIGURATION, "1"))
        self.eng = self.use_engine(thin=False, size=100, odd_size=_SIZE)
        self.vg.pool = "pool"
        base.run(
            *("lvcreate", "--type", "thin-pool", "--size", f"{_POOL}M", "--name", "pool"),
            *("--poolmetadatasize", "8M", self.vg.name, f"/dev/mapper/{self.vg.odd}"),
        )
        options = {
            "volume_group": self.vg.name,
            "lvm_pool_name": "pool",
            "lvm_freeze_deadline": _DEADLINE,
        }
        self.service = self.useFixture(service.Service(options, self.as_root))
        self.client = self.service.client()
        self.addOnException(lambda _error: print(self.service.journal()))

    def test_a_stop_in_the_middle_of_a_group_snapshot_is_in_order(self) -> None:
        group, volumes = self._start_with_group()
        with writer.Writer(self._devices(volumes)):
            self.vg.make_odd("delay", "0", *self.vg.odd_place, _DELAY)
            cgsnapshot = self._take(group)
            waiting.eventually(_snapshots_are_being_made, "snapshots", PATIENCE)
            self._assert_stops_in_order()
            self.vg.make_odd("linear")
        self._assert_ends_well(volumes, cgsnapshot)

    def test_after_a_kill_in_the_freeze_all_that_was_accepted_ends(self) -> None:
        group, volumes = self._start_with_group()
        main = int(self.service.property("MainPID"))
        with writer.Writer(self._devices(volumes)):
            cgsnapshot = self._take(group)
            waiting.eventually(
                lambda: any("freeze.py" in line for line in self.service.helpers()),
                *("a freezer", PATIENCE),
            )
            os.kill(main, signal.SIGKILL)
            self._wait_for_property("NRestarts", "1")
            self._wait_for_property("ActiveState", "active")
            self._assert_available(f"/cgsnapshots/{cgsnapshot}")
        self._assert_none_was_killed()
        self._assert_ends_well(volumes, cgsnapshot)

    def _start_with_group(self) -> tuple[str, list[str]]:
        """Make a group as soon as the unit is active; its id, and the names of its volumes."""
        base.run("systemctl", "start", "--no-block", service.UNIT)

        def is_active() -> bool:
            state = self.service.property("ActiveState")
            self.assertIn(state, ("activating", "active"))
            self.assertEqual("0", self.service.property("NRestarts"))
            return state == "active"

        waiting.eventually(is_active, "active", PATIENCE, 0.5)
        self.assertIn("Ready for work: up:", self.service.property("StatusText"))
        group = self._create("/consistencygroups", {"consistencygroup": {"volume_types": TYPE}})
        volume = {"size": 1, "volume_type": TYPE, "consistencygroup_id": group}
        made = [self._create("/volumes", {"volume": volume}) for _ in range(2)]
        return group, [f"volume-{volume}" for volume in made]

    def _devices(self, volumes: list[str]) -> list[str]:
        return [self.eng.device_path(volume) for volume in volumes]

    def _create(self, path: str, body: dict[str, dict[str, object]]) -> str:
        (resource,) = self.client.post(path, body).values()
        collection = "/" + path.split("/")[1]
        self._assert_available(f"{collection}/{resource['id']}")
        return str(resource["id"])

    def _take(self, group: str) -> str:
        body = {"cgsnapshot": {"consistencygroup_id": group}}
        return str(self.client.post("/cgsnapshots", body)["cgsnapshot"]["id"])

    def _assert_available(self, path: str) -> None:
        ended = self.client.wait(path, PATIENCE)
        self.assertEqual("available", ended and ended["status"], ended)

    def _wait_for_property(self, name: str, value: str) -> None:
        waiting.eventually(
            lambda: self.service.property(name) == value, f"{name} = {value}", PATIENCE, 0.5
        )

    def _assert_stops_in_order(self) -> None:
        took = self.service.stop()
        self.assertLess(took, service.STOP_LIMIT)
        self.assertEqual("inactive", self.service.property("ActiveState"))
        self.assertEqual("success", self.service.property("Result"))
        self.assertEqual([], self.service.helpers())
        self._assert_none_was_killed()
        held = base.run("dmsetup", "info", "-c", "--noheadings", "-o", "name,suspended")
        self.assertNotIn("Suspended", held)

    def _assert_none_was_killed(self) -> None:
        journal = self.service.journal().splitlines()
        self.assertEqual([], [line for line in journal if any(word in line for word in _KILLED)])
        self.assertNotIn("Traceback", "\n".join(journal))

    def _assert_ends_well(self, volumes: list[str], cgsnapshot: str) -> None:
        """After the next start there is the whole group snapshot, of one instant, and no more."""
        self.service.start()
        self._assert_available(f"/cgsnapshots/{cgsnapshot}")
        found = self.eng.volumes().values()
        by_origin = {v.origin: v.name for v in found if v.name.startswith("_snapshot-")}
        snapshots = [by_origin.pop(volume) for volume in volumes]
        self.assertEqual({}, by_origin)
        self.assertEqual(0, writer.gap(self.readable(self.eng, snapshots)))
        self._assert_stops_in_order()
        self.assert_sound(self.eng, [*volumes, *snapshots])


def _snapshots_are_being_made() -> bool:
    """LVM has been told to make snapshots, and is not done."""
    try:
        return any("lvcreate" in work.read_text() for work in _AT_WORK.iterdir())
    except FileNotFoundError:  # done just now
        return False


class RootTest(Units, base.LVMTestCase):
    as_root = True


class SudoTest(Units, base.LVMTestCase):
    as_root = False
