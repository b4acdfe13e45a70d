# SPDX-License-Identifier: Apache-2.0
"""``cg-lvm rollback`` with thin and thick volumes in two volume groups, whole and cut."""

import contextlib
import json
import pathlib
import signal
import sqlite3
from collections.abc import Iterator
from typing import Any

from cg_extension.drivers import steps
from cg_extension.drivers.lvm import commands, device_mapper, engine
from cg_extension.tests import long
from cg_extension.tests.lvm import base, callers

_NOTES = pathlib.Path("/etc/cg-lvm")
# By the boundary at which the command dies, and at the how manieth time: whether all are new then.
_DEATHS = {"new_made:1": False, "old_inactive:1": False, "decided:1": True, "renamed:1": True}
if long.WANTED:
    _DEATHS |= {
        **dict.fromkeys(["begun:1", "back_marked:1", "piece_copied:1"], False),
        **dict.fromkeys(["finished:1", "old_told:1", "old_told:2", "old_aside:1"], True),
        **dict.fromkeys(["old_aside:2", "renamed:2", "activated:1", "activated:2"], True),
        **dict.fromkeys(["told:1", "told:2", "rolled_back:1", "rolled_back:2"], True),
    }


class RollbackTest(base.LVMTestCase):
    def setUp(self) -> None:
        super().setUp()
        # The notes for the boot belong to this guest, whose /etc may be the machine's.
        _NOTES.mkdir(exist_ok=True)
        base.run("mount", "-t", "tmpfs", "none", str(_NOTES))
        self.addCleanup(base.run, "umount", str(_NOTES))
        self.use_engine(thin=True, size=400, pool_size=120)
        self.one, self.other = self.vg.name, f"{self.vg.name}-b"
        self.vg.add_group(self.other, 300)
        self.members, self.devices = [], []
        for group, pool, name in (
            (self.one, "pool", "data"),
            (self.one, None, "wal"),
            (self.other, None, "conf"),
        ):
            eng = engine.Engine(engine.Settings(volume_group=group, pool=pool))
            eng.create_volume(name, 16 * base.MIB)
            self.members.append((group, name))
            self.devices.append(eng.device_path(name))
        base.run("lvchange", "--addtag", "mine", f"{self.one}/data")

    def _call(self, *arguments: str, status: int = 0) -> Any:
        done = base.cg_lvm(*arguments, "--json")
        self.assertEqual(status, done.returncode, done.stderr)
        return done.stderr if status else json.loads(done.stdout)

    def _snapshot(self, name: str) -> None:
        self._call("snapshot", *("/".join(member) for member in self.members), "--name", name)

    def _write(self, content: bytes) -> None:
        for device in self.devices:
            with open(device, "r+b") as file:
                file.write(content * base.MIB)

    def _content(self) -> set[bytes]:
        found = set()
        for device in self.devices:
            with open(device, "rb") as file:
                found |= {bytes([byte]) for byte in set(file.read(base.MIB))}
        return found

    def _assert_nothing_pending(self) -> None:
        with device_mapper.Control() as control:
            for group in (self.one, self.other):
                for volume in commands.VolumeGroup(group).volumes().values():
                    self.assertEqual(frozenset(), volume.group_tags)
                    self.assertFalse(volume.name.startswith("cgback-"), volume.name)
                    self.assertEqual([], [t for t in volume.tags if t.startswith("cg_ext.takes")])
                    if volume.active:
                        self.assertFalse(control.is_suspended(volume.device_name))
                base.run("vgck", group)
        self.assertEqual([], list((_NOTES / "rollbacks").iterdir()))
        self.assert_pool_sound()

    def test_back_and_forth_between_group_snapshots_and_the_states_before(self) -> None:
        self._write(b"1")
        self._snapshot("one")
        self._write(b"2")
        self._snapshot("two")
        self._write(b"3")
        back = self._call("rollback", "one", "--keep-as", "three")
        self.assertEqual(("one", "three"), (back["rolled_back"], back["state_before"]))
        self.assertEqual({b"1"}, self._content())
        self.assertIn("mine", commands.VolumeGroup(self.one).volumes()["data"].tags)
        # To a younger one, to the state before, and to the first again.
        for number, (name, content) in enumerate(
            [("two", b"2"), ("three", b"3"), ("one", b"1")] if long.WANTED else [("three", b"3")]
        ):
            self._call("rollback", name, "--keep-as", f"kept{number}")
            self.assertEqual({content}, self._content(), name)
            listed = {each["snapshot"]: each["state"] for each in self._call("list")["listed"]}
            self.assertEqual({"complete"}, set(listed.values()))
        shown = self._call("show", "three")
        self.assertEqual(
            sorted(self.members),
            sorted((v["volume_group"], v["source"]) for v in shown["volumes"]),
        )
        self.assertEqual(3, len({v["source_uuid"] for v in shown["volumes"]}))
        self._assert_nothing_pending()
        # A thick one of the state before bears the snapshots that were taken of it.
        self.assertIn("has a snapshot", self._call("delete", "three", status=1))
        for name in ("one", "two", "three"):
            self._call("delete", name)

    def test_killed_at_any_step_all_are_old_or_all_are_new_after_the_next_command(self) -> None:
        self._write(b"1")
        self._snapshot("one")
        file = self.vg.system_dir / "fault"
        for turn, (boundary, new) in enumerate(_DEATHS.items()):
            self._write(b"2")
            file.write_text(f"test/lvm.{boundary}")
            fault = {steps.FAULT_VARIABLE: str(file)}
            arguments = ["rollback", "one", "--keep-as", "before"]
            with callers.Caller(callers.run_cg_lvm, arguments, fault) as caller:
                self.assertEqual(-signal.SIGKILL, caller.wait(), caller.complaint())
            if turn % 2:
                self._call("finish")
            else:  # any other command does, and on either volume group
                group = (self.one, self.other)[turn // 2 % 2]
                name = dict(self.members)[group] if group == self.other else "data"
                self._call("snapshot", f"{group}/{name}", "--name", "next")
                self._call("delete", "next")
                self._call("finish")
            self.assertEqual({b"1" if new else b"2"}, self._content(), boundary)
            self._assert_nothing_pending()
            kept = {each["snapshot"] for each in self._call("list")["listed"]} - {"one"}
            self.assertEqual({"before"} if new else set(), kept, boundary)
            if new:
                self._start_anew()

    def _start_anew(self) -> None:
        """Without the states before, of which a thick one bears the snapshot."""
        for name in ("one", "before"):
            self._call("delete", name)
        self._write(b"1")
        self._snapshot("one")

    @contextlib.contextmanager
    def _mounted(self) -> Iterator[list[pathlib.Path]]:
        with contextlib.ExitStack() as mounts:
            points = []
            for device, (_group, name) in zip(self.devices, self.members, strict=True):
                point = pathlib.Path(self.vg.system_dir) / name
                point.mkdir(exist_ok=True)
                base.run("mount", device, str(point))
                mounts.callback(base.run, "umount", str(point))
                points.append(point)
            yield points

    def _database(self, points: list[pathlib.Path]) -> sqlite3.Connection:
        database = sqlite3.connect(points[0] / "db", isolation_level=None)
        for point in points[1:]:
            database.execute(f"ATTACH '{point / 'db'}' AS {point.name}")
        return database

    def test_a_database_over_mounted_file_systems_is_what_it_was(self) -> None:
        for device in self.devices:
            base.run("mkfs.ext4", "-q", device)
        names = ["main", "wal", "conf"]
        with self._mounted() as points:
            with contextlib.closing(self._database(points)) as database:
                for name in names:
                    database.execute(f"CREATE TABLE {name}.version (number)")
                    database.execute(f"INSERT INTO {name}.version VALUES (1)")
                self._snapshot("upgrade")
                for name in names:
                    database.execute(f"UPDATE {name}.version SET number = 2")
                refusal = self._call("rollback", "upgrade", status=1)
        self.assertIn(f"{self.one}/data is mounted at {points[0]}", refusal)
        self.assertIn(f"{self.other}/conf is mounted at {points[2]}", refusal)
        with open(self.devices[1], "rb"):
            self.assertRegex(
                self._call("rollback", "upgrade", status=1),
                rf"{self.one}/wal is open in process \d+ \(\S+\)",
            )
        self._assert_nothing_pending()
        # At boot, that is: before they are mounted.
        self._call("rollback", "upgrade", "--at-boot", "--keep-as", "never")
        self._call("rollback", "upgrade", "--cancel")
        self.assertIn("nothing was to be", self._call("finish", "--at-boot")["finished"])
        self._call("rollback", "upgrade", "--at-boot", "--keep-as", "before")
        self.assertEqual("upgrade", self._call("finish")["waiting_for_the_boot"])
        self.assertEqual("upgrade", self._call("finish", "--at-boot")["finished"])
        self._assert_nothing_pending()
        for state, number in (("upgrade", 1), ("before", 2)):
            if state == "before":
                self._call("rollback", "before")
            with self._mounted() as points:
                with contextlib.closing(self._database(points)) as database:
                    for name in names:
                        self.assertEqual(
                            [("ok",)], database.execute(f"PRAGMA {name}.integrity_check").fetchall()
                        )
                        found = database.execute(f"SELECT number FROM {name}.version").fetchall()
                        self.assertEqual([(number,)], found, f"{name} of {state}")

    def test_volumes_that_were_extended_removed_or_renamed_since(self) -> None:
        self._write(b"1")
        self._snapshot("one")
        self._write(b"2")
        group, other = commands.VolumeGroup(self.one), commands.VolumeGroup(self.other)
        size = group.volumes()["data"].size
        base.run("lvextend", "--size", "+8M", f"{self.one}/data")
        base.run("lvrename", self.other, "conf", "renamed")
        self.assertIn(
            f"{self.other}/conf was renamed: it is {self.other}/renamed now",
            self._call("rollback", "one", status=1),
        )
        base.run("lvrename", self.other, "renamed", "conf")
        self._call("rollback", "one", "--keep-as", "two")
        self.assertEqual({b"1"}, self._content())
        volumes = group.volumes()
        self.assertEqual(
            (size, size + 8 * base.MIB), (volumes["data"].size, volumes["data.two"].size)
        )
        # Successors are known by the UUIDs of those in whose place they stand.
        base.run("lvrename", self.one, "data", "elsewhere")
        self.assertIn("was renamed", self._call("rollback", "one", status=1))
        base.run("lvremove", "--yes", f"{self.one}/elsewhere")
        self._call("rollback", "one", "--keep-as", "three")
        self.assertEqual({b"1"}, self._content())
        self.assertNotIn("data.three", group.volumes())
        self.assertIn("conf.three", other.volumes())
        base.run("lvremove", "--yes", f"{self.one}/data")
        base.run("lvcreate", "--yes", "-V", "16M", "--thin", "-n", "data", f"{self.one}/pool")
        self.assertIn("is not the volume that", self._call("rollback", "one", status=1))
        self._assert_nothing_pending()
