# SPDX-License-Identifier: Apache-2.0
"""What is wiped or copied is the volume that was meant, whatever has its name by now."""

import os
import pathlib

import fixtures
from oslotest import base

from cg_extension.drivers.lvm import at_work, contents, errors, low_stall, machine, privileged

_SIZE = 4096


class MeantTest(base.BaseTestCase):
    """Files are the devices, each with a UUID of its own; all is done in two pieces."""

    def setUp(self) -> None:
        super().setUp()
        privileged.run_in_process()
        self.directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.device = self._made("device", b"a")
        self.replaced = False
        for module, name, stand_in in (
            (low_stall, "OURS", self.directory),
            (at_work, "_DIRECTORY", self.directory / "at-work"),
            (machine, "volume_uuid", lambda path: str(os.stat(path).st_ino)),
            (contents, "_PIECE", _SIZE // 2),
            (contents, "_BUFFER", _SIZE // 2),
            (contents, "_zero", self._zero),
            (os, "O_DIRECT", 0),
        ):
            self.useFixture(fixtures.MockPatchObject(module, name, stand_in))

    def _made(self, name: str, content: bytes) -> pathlib.Path:
        path = self.directory / name
        path.write_bytes(content * _SIZE)
        return path

    def _zero(self, fd: int, offset: int, size: int) -> None:
        os.pwrite(fd, bytes(size), offset)
        if not self.replaced:
            self.replaced = True
            self._made("another", b"b").replace(self.device)

    def _assert_left(self) -> None:
        self.assertEqual(b"b" * _SIZE, self.device.read_bytes())

    def test_one_that_gets_the_name_amid_a_wipe_is_left(self) -> None:
        error = self.assertRaises(errors.LVMError, contents.clear, str(self.device), 0, _SIZE)
        self.assertIn("device is another volume by now", str(error))
        self._assert_left()

    def test_one_that_has_got_the_name_before_a_wipe_is_left(self) -> None:
        meant = machine.volume_uuid(str(self.device))
        self._made("another", b"b").replace(self.device)
        self.assertRaises(errors.LVMError, contents.clear, str(self.device), 0, _SIZE, (), meant)
        self._assert_left()

    def test_one_that_gets_the_name_amid_a_copy_is_left(self) -> None:
        copies = [(str(self._made("source", b"\0")), str(self.device), _SIZE)]
        error = self.assertRaises(errors.LVMError, contents.copy_all, copies, 1)
        self.assertIn("device is another volume by now", str(error))
        self._assert_left()
