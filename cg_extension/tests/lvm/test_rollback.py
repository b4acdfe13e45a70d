# SPDX-License-Identifier: Apache-2.0
"""``cg-lvm rollback`` with thin and thick volumes in two volume groups, whole and cut."""

import contextlib
import pathlib
import sqlite3
from collections.abc import Iterator

from cg_extension.drivers.lvm import commands
from cg_extension.tests.lvm import base, rollbacks


class RollbackTest(rollbacks.RollbackTestCase):
    def test_killed_all_are_old_or_all_are_new_after_the_next_command(self) -> None:
        self.write(b"1")
        self.snapshot("one")
        self.write(b"2")
        self.kill("old_inactive:1", "before", f"{self.other}/conf")
        self.assert_all(b"2", None, "killed before the decision")
        self.kill("renamed:1", "before", "finish")
        self.assert_all(b"1", "before", "killed after it")

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
                self.snapshot("upgrade")
                for name in names:
                    database.execute(f"UPDATE {name}.version SET number = 2")
                refusal = self.call("rollback", "upgrade", status=1)
        self.assertIn(f"{self.one}/data is mounted at {points[0]}", refusal)
        self.assertIn(f"{self.other}/conf is mounted at {points[2]}", refusal)
        with open(self.devices[1], "rb"):
            self.assertRegex(
                self.call("rollback", "upgrade", status=1),
                rf"{self.one}/wal is open in process \d+ \(\S+\)",
            )
        self.assert_nothing_pending()
        # At boot, that is: before they are mounted.
        self.call("rollback", "upgrade", "--at-boot", "--keep-as", "before")
        self.assertEqual("upgrade", self.call("finish", "--at-boot")["finished"])
        self.assert_nothing_pending()
        self._assert_number(names, 1)
        # At a boot nothing of the state before comes up, nor the thick snapshots.
        for group in (self.one, self.other):
            base.run("vgchange", "--activate", "y", group)
            kept = [v for v in commands.VolumeGroup(group).volumes().values() if "." in v.name]
            self.assertEqual([], [v.name for v in kept if v.active])
        self.call("rollback", "before")
        self._assert_number(names, 2)

    def _assert_number(self, names: list[str], number: int) -> None:
        with self._mounted() as points, contextlib.closing(self._database(points)) as database:
            for name in names:
                checked = database.execute(f"PRAGMA {name}.integrity_check").fetchall()
                self.assertEqual([("ok",)], checked)
                found = database.execute(f"SELECT number FROM {name}.version").fetchall()
                self.assertEqual([(number,)], found, name)
