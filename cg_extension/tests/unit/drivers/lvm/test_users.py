# SPDX-License-Identifier: Apache-2.0
"""Who uses a volume is told by what people can look for: mount points, devices, processes."""

import os
import pathlib
from unittest import mock

import fixtures
from oslotest import base

from cg_extension.drivers.lvm import machine, privileged, removal, users
from cg_extension.tests.unit.drivers.lvm import reported

_NUMBER = "254:1"
_VOLUME = reported.volume("v", number=_NUMBER)


class UsersTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        privileged.run_in_process()
        self.processes = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.useFixture(fixtures.MockPatchObject(users, "_PROCESSES", str(self.processes)))
        self._add_process("self", "own")
        self.useFixture(fixtures.MockPatchObject(users, "_is_device", self._is_device))
        self.opened = ""

    def _is_device(self, path: str, number: str) -> bool:
        return number == _NUMBER and os.path.relpath(path, self.processes) == self.opened

    def _add_process(self, number: str, namespace: str, mountinfo: str = "") -> None:
        directory = self.processes / number
        (directory / "ns").mkdir(parents=True)
        (directory / "ns" / "mnt").symlink_to(namespace)
        (directory / "comm").write_text("postgres\n")
        (directory / "mountinfo").write_text(mountinfo)
        (directory / "fd").mkdir()
        (directory / "fd" / "7").write_text("")

    def _told(self, **found: object) -> list[str]:
        parts = {"below": {}, "mounts": [], "swaps": [], **found}
        with (
            mock.patch.object(removal, "kept_open", lambda devices: devices),
            mock.patch.object(machine, "read", return_value=machine.Machine(**parts)),
        ):
            return users.find({"vg/v": _VOLUME})

    def test_mount_points_are_told(self) -> None:
        mounts = [machine.Mount(point, ["254:7"]) for point in ("/srv", "/mnt", "/srv")]
        below = {"254:7": [_NUMBER]}
        self.assertEqual(["vg/v is mounted at /srv, /mnt"], self._told(mounts=mounts, below=below))

    def test_swap_is_told(self) -> None:
        self.assertEqual(["vg/v holds swap of this machine (swapoff)"], self._told(swaps=[_NUMBER]))

    def test_mounts_of_a_container_are_told_with_a_process_in_it(self) -> None:
        self._add_process("12", "other", f"36 35 {_NUMBER} / /data rw - ext4 /dev/x rw\n")
        self._add_process("13", "other", f"36 35 {_NUMBER} / /data rw - ext4 /dev/x rw\n")
        self.assertEqual(["vg/v is mounted at /data for process 12 (postgres)"], self._told())

    def test_users_can_not_hide_others_behind_names(self) -> None:
        self._add_process("12", "theirs")
        self._add_process("13", "other", f"36 35 {_NUMBER} / /data rw - ext4 /dev/x rw\n")
        (self.processes / "12/mountinfo").write_bytes(b"36 35 0:9 / /\xff\r rw - tmpfs x rw\n")
        (self.processes / "13/comm").write_bytes(b"\xff\n")
        self.assertEqual(["vg/v is mounted at /data for process 13 (\ufffd)"], self._told())

    def test_devices_on_it_are_told(self) -> None:
        (told,) = self._told(below={"259:99": [_NUMBER]})
        self.assertEqual("vg/v is in use by 259:99, which lies on it", told)

    def test_processes_that_have_it_open_are_told(self) -> None:
        self._add_process("12", "own")
        self.opened = "12/fd/7"
        self.assertEqual(["vg/v is open in process 12 (postgres)"], self._told())

    def test_processes_that_keep_a_mount_point_busy_are_told(self) -> None:
        for process, name, path in (
            ("12", "cwd", "/mnt/there/below"),
            ("13", "fd/8", "/mnt/there"),
            ("14", "root", "/mnt/there-too"),
            ("15", "exe", "/mnt"),
        ):
            self._add_process(process, "own")
            (self.processes / process / name).symlink_to(path)
        found = ["process 12 (postgres)", "process 13 (postgres)"]
        self.assertEqual(found, users.at("/mnt/there"))

    def test_who_can_not_be_seen_is_said_to_be(self) -> None:
        (told,) = self._told()
        self.assertIn("by whom can't be seen here", told)

    def test_what_nobody_uses_is_not_told(self) -> None:
        with mock.patch.object(removal, "kept_open", return_value=[]):
            self.assertEqual([], users.find({"vg/v": _VOLUME}))
