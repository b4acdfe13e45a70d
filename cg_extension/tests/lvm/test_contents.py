# SPDX-License-Identifier: Apache-2.0
"""What is wiped or copied is on the disk, and not in a cache that a power cut empties."""

import os
import pathlib
import subprocess
import uuid

import fixtures

from cg_extension.drivers.lvm import contents
from cg_extension.tests.lvm import base
from cg_extension.tests.power_cuts import write_log

_SIZE = 4 * base.MIB


class DurableTest(base.LVMTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.log = self._loop("log", 32 * base.MIB)
        self.name = f"logged-{uuid.uuid4().hex[:8]}"
        table = f"0 {_SIZE // 512} log-writes {self._loop('disk', _SIZE)} {self.log}"
        base.run("dmsetup", "create", self.name, "--table", table)
        self.addCleanup(subprocess.run, ["dmsetup", "remove", self.name], capture_output=True)
        self.device = f"/dev/mapper/{self.name}"

    def _loop(self, name: str, size: int) -> str:
        with open(self.directory / name, "wb") as file:
            file.truncate(size)
        loop = base.run("losetup", "--find", "--show", str(self.directory / name)).strip()
        self.addCleanup(base.run, "losetup", "--detach", loop)
        return loop

    def _bytes_on_the_disk(self) -> int:
        """How many of the device's bytes were written and flushed until now."""
        base.run("dmsetup", "message", self.name, "0", "mark", "now")
        base.run("dmsetup", "remove", "--retry", self.name)
        log = os.open(self.log, os.O_RDONLY)
        self.addCleanup(os.close, log)
        written = 0
        for entry in write_log.entries(log):
            if entry.mark:
                break
            written += entry.length
        return written

    def test_what_was_wiped(self) -> None:
        contents.clear(self.device, 0, _SIZE)
        self.assertEqual(_SIZE, self._bytes_on_the_disk())

    def test_what_was_copied(self) -> None:
        source = self._loop("source", _SIZE)
        with open(source, "r+b", buffering=0) as file:
            file.write(os.urandom(_SIZE))
            os.fsync(file.fileno())
        contents.copy_all([(source, self.device, _SIZE)], workers=1)
        self.assertEqual(_SIZE, self._bytes_on_the_disk())
