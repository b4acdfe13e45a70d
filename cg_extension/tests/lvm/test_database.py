# SPDX-License-Identifier: Apache-2.0
"""A database over two mounted volumes survives in every group snapshot of them."""

import pathlib
import sqlite3
import subprocess
import sys
import time

from cg_extension.drivers.lvm import engine
from cg_extension.tests.lvm import base

# Keeps a number in two databases on two file systems: first in ``ahead``, then in ``behind``.
_COUNT = """
import sqlite3, sys
ahead, behind = (sqlite3.connect(path, isolation_level=None) for path in sys.argv[1:])
for database in (ahead, behind):
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE IF NOT EXISTS count (number INTEGER PRIMARY KEY)")
print("ready", flush=True)
number = 0
while True:
    number += 1
    for database in (ahead, behind):
        database.execute("INSERT INTO count VALUES (?)", (number,))
"""


class DatabaseTest(base.LVMTestCase):
    def _mounted(self, device: str, name: str) -> pathlib.Path:
        point = pathlib.Path(self.vg.system_dir) / name
        point.mkdir()
        base.run("mount", device, str(point))
        self.addCleanup(base.run, "umount", str(point))
        return point

    def test_two_databases_in_wal_mode_are_of_one_instant_when_restored(self) -> None:
        eng = self.use_engine(thin=True)
        names, devices = self.make_volumes(eng, 2, 64 * base.MIB)
        for device in devices:
            base.run("mkfs.ext4", "-q", device)
        paths = [str(self._mounted(d, n) / "db") for d, n in zip(devices, names, strict=True)]
        counting = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _COUNT, *paths], stdout=subprocess.PIPE, text=True
        )
        self.addCleanup(counting.communicate)
        self.addCleanup(counting.kill)
        counting.stdout.readline()
        for turn in range(3):
            time.sleep(0.3)
            eng.snapshot_group(self.copies(names, f"s{turn}-"))
            eng.restore_group(
                [engine.Copy(source=f"s{turn}-{n}", target=f"r{turn}-{n}") for n in names]
            )
            counts = []
            for name in names:
                target = f"r{turn}-{name}"
                database = sqlite3.connect(self._mounted(eng.device_path(target), target) / "db")
                self.addCleanup(database.close)
                self.assertEqual(("ok",), database.execute("PRAGMA integrity_check").fetchone())
                counts.append(
                    database.execute("SELECT COUNT(*), MAX(number) FROM count").fetchone()
                )
            (ahead, highest), (behind, _) = counts
            self.assertEqual(ahead, highest)
            self.assertIn(ahead - behind, (0, 1))
            self.assertGreater(behind, 0)
