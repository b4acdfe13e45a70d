# SPDX-License-Identifier: Apache-2.0
"""What is removed leaves nothing on the disk, also what was half-made."""

import os
from typing import Any
from unittest import mock

from cg_extension.drivers.lvm import commands, contents, engine, errors, removal, sets
from cg_extension.tests.lvm import base

_SECRET = b"a tenant's own data, sixty-four bytes of it, again and again".ljust(64)
_GONE_PROCESS = "0-1-0"


class WipeTest(base.LVMTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.eng = self.use_engine(thin=False, size=100)
        self.remover = removal.Removal(self.eng.settings, self.eng.group)
        self.names, (self.device,) = self.make_volumes(self.eng, 1)
        with open(self.device, "r+b") as file:
            file.write(_SECRET * (16 * base.MIB // len(_SECRET)))
            os.fsync(file.fileno())

    def _fail_to_clone(self) -> None:
        def copy_all(*arguments: object) -> None:
            real(*arguments)
            with open(self.device, "r+b", buffering=0) as file:  # the store gets what was there
                file.write(os.urandom(base.MIB))
                os.fsync(file.fileno())
            raise errors.LVMError("made to fail")

        real = contents.copy_all
        with mock.patch.object(contents, "copy_all", copy_all):
            self.assertRaises(errors.LVMError, self.eng.clone_group, self.copies(self.names, "c-"))

    def _free_space_has_it(self) -> bool:
        base.run(
            *("lvcreate", "--yes", "--wipesignatures", "n", "--zero", "n"),
            *("--extents", "100%FREE", "--name", "rest", self.vg.name),
        )
        with open(self.eng.device_path("rest"), "rb") as file:
            return any(_SECRET in block for block in iter(lambda: file.read(base.MIB), b""))

    def test_a_copy_that_failed_is_wiped(self) -> None:
        self._fail_to_clone()
        self.assert_sound(self.eng, self.names)
        self.assertFalse(self._free_space_has_it())

    def test_what_a_crash_left_is_wiped(self) -> None:
        with (
            mock.patch.object(sets, "process", return_value=_GONE_PROCESS),
            mock.patch.object(removal.Removal, "discard"),
        ):
            self._fail_to_clone()
        left = self.eng.recover()
        self.assertEqual(2, len(left))
        # What has to be wiped waits, and is in nobody's way.
        self.assert_sound(self.eng, [*self.names, *left])
        self.eng.clone_group(self.copies(self.names, "c-"))
        self.assertEqual(set(left), set(self.eng.recover()))
        self.eng.wipe(left)
        self.assert_sound(self.eng, [*self.names, "c-v0"])
        self.eng.delete(["v0", "c-v0"])
        self.assertFalse(self._free_space_has_it())

    def test_writes_beside_the_wiping_of_a_snapshot_put_nothing_into_it(self) -> None:
        def clear(*arguments: Any) -> None:
            real(*arguments)
            with open(self.device, "r+b", buffering=0) as file:
                file.write(os.urandom(16 * base.MIB))
                os.fsync(file.fileno())

        real = contents.clear
        self.eng.snapshot_group(self.copies(self.names, "s-"))
        with mock.patch.object(contents, "clear", clear):
            self.eng.delete(["s-v0"])
        self.assert_sound(self.eng, self.names)
        self.eng.delete(self.names)
        self.assertFalse(self._free_space_has_it())

    def test_a_half_made_snapshot_that_is_not_split_lets_others_be_wiped(self) -> None:
        def split_none_of_v1(group: commands.VolumeGroup, script: list[list[str]]) -> str:
            real(group, [command for command in script if not command[-1].endswith("s-v1")])
            return "made to fail"

        real = commands.VolumeGroup.run_all
        self.eng.create_volume("v1", 16 * base.MIB)
        self.eng.snapshot_group(self.copies(["v0", "v1"], "s-"))
        with open(self.device, "r+b", buffering=0) as file:
            file.write(os.urandom(16 * base.MIB))
            os.fsync(file.fileno())
        volumes = self.eng.volumes()
        with mock.patch.object(commands.VolumeGroup, "run_all", split_none_of_v1):
            self.remover.remove_half_made([volumes["s-v0"], volumes["s-v1"]], volumes)
        self.assert_sound(self.eng, ["v0", "v1"])
        self.assertFalse(self._free_space_has_it())

    def test_a_snapshot_in_use_stays(self) -> None:
        self.eng.snapshot_group(self.copies(self.names, "s-"))
        with open(self.eng.device_path("s-v0"), "rb") as file:
            self.assertRaises(errors.LVMError, self.eng.delete, ["s-v0"])
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            self.assertEqual(_SECRET, file.read(64))
        self.eng.restore_group(self.copies(["s-v0"], "r-"))
        self.eng.delete(["s-v0", "r-s-v0"])
        self.assert_sound(self.eng, self.names)

    def test_without_volume_clear_it_stays(self) -> None:
        """The judge itself."""
        self.eng = engine.Engine(
            engine.Settings(
                volume_group=self.vg.name,
                system_dir=str(self.vg.system_dir),
                clear_size=None,
            )
        )
        self._fail_to_clone()
        self.assertTrue(self._free_space_has_it())
