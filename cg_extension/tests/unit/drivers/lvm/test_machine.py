# SPDX-License-Identifier: Apache-2.0
"""What lies on what, by /proc and /sys."""

import errno
import os
import pathlib

import fixtures
from oslotest import base

from cg_extension.drivers.lvm import machine


class MachineTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        (self.root / "class").mkdir()
        for name, path in (("_BLOCK_DEVICES", "class"), ("_FILE_SYSTEMS", "fs")):
            self.useFixture(fixtures.MockPatchObject(machine, name, str(self.root / path)))

    def _add_devices(self, numbers: dict[str, str]) -> None:
        for name, number in numbers.items():
            (self.root / name / "slaves").mkdir(parents=True)
            (self.root / name / "dev").write_text(f"{number}\n")
            (self.root / "class" / os.path.basename(name)).symlink_to(self.root / name)

    def _mount(self, *lines: str) -> None:
        (self.root / "mountinfo").write_text("".join(f"{line}\n" for line in lines))
        path = str(self.root / "mountinfo")
        self.useFixture(fixtures.MockPatchObject(machine, "_MOUNTINFO", path))

    def test_a_partition_lies_on_its_disk_and_that_on_its_slaves(self) -> None:
        self._add_devices({"md0": "9:0", "md0/md0p1": "259:0", "dm-1": "254:1"})
        (self.root / "md0/slaves/dm-1").touch()
        (self.root / "md0/md0p1/partition").write_text("1\n")
        self.assertEqual({"259:0", "9:0", "254:1"}, machine.read().under("259:0"))

    def test_devices_that_go_meanwhile_are_left_out(self) -> None:
        self._add_devices({"dm-1": "254:1", "dm-2": "254:2", "dm-3": "254:3"})
        for gone in ("dm-2", "dm-3"):
            (self.root / "dm-1/slaves" / gone).touch()
        (self.root / "class/dm-2").unlink()
        number = machine._number

        def go(name: str) -> str:
            if name == "dm-3":
                raise OSError(errno.ENODEV, "No such device")
            return number(name)

        self.useFixture(fixtures.MockPatchObject(machine, "_number", go))
        self.assertEqual({"254:1"}, machine.read().under("254:1"))

    def test_a_mount_tells_which_directory_of_the_file_system_it_shows(self) -> None:
        self._mount("22 1 254:1 /sub /bound rw - ext4 nowhere rw")
        (mount,) = machine.read().mounts
        self.assertEqual(("/bound", "/sub"), (mount.point, mount.root))

    def test_a_mount_lies_on_its_device_whatever_has_that_name_by_now(self) -> None:
        """A volume can be renamed while it is mounted, and another get its name."""
        self._mount(
            "22 1 254:1 / /data rw - ext4 /dev/null rw",
            "23 1 0:40 / /more rw - bcachefs /dev/null rw",
        )
        self.assertEqual([["254:1"], ["1:3"]], [each.devices for each in machine.read().mounts])

    def test_what_users_call_a_mount_point_is_not_taken_for_other_fields(self) -> None:
        self._add_devices({"dm-1": "254:1"})
        names = [
            b"/\xc2\xa0-\xc2\xa0ext4",
            b"/\x0b-\x0bext4\x0b/dev/null",
            b"/\x1c",
            b"/\xff\r-",
            b"/-",
        ]
        lines = [b"22 1 0:%d /sub%s %s rw - fuse.x u rw\n" % (n, p, p) for n, p in enumerate(names)]
        self._mount()
        (self.root / "mountinfo").write_bytes(b"".join(lines))
        found = machine.read().mounts
        self.assertEqual(names, [os.fsencode(mount.point) for mount in found])
        self.assertEqual({("fuse.x", "u")}, {(mount.kind, mount.source) for mount in found})

    def test_swap_is_in_a_file_of_any_name(self) -> None:
        name = self.root / "a b\x0b\udcff"
        name.touch()
        path = os.fsencode(name).replace(b" ", b"\\040")
        (self.root / "swaps").write_bytes(b"Filename\tType\n" + path + b"   file\t1\t0\t-2\n")
        self.useFixture(fixtures.MockPatchObject(machine, "_SWAPS", str(self.root / "swaps")))
        self.assertEqual([machine.device_behind(str(name))], machine.read().swaps)

    def test_a_loop_device_lies_on_a_file_of_any_name(self) -> None:
        self._add_devices({"loop0": "7:0"})
        name = self.root / "disk \udcff "
        name.touch()
        (self.root / "loop0/loop").mkdir()
        (self.root / "loop0/loop/backing_file").write_bytes(os.fsencode(name) + b"\n")
        self.assertEqual([machine.device_behind(str(name))], machine.read().below["7:0"])

    def test_a_device_has_its_name_by_what_its_uuid_begins_with(self) -> None:
        self.useFixture(fixtures.MockPatchObject(machine, "_DEVICES_BY_NUMBER", str(self.root)))
        (self.root / "254:3/dm").mkdir(parents=True)
        (self.root / "254:3/dm/uuid").write_text("CRYPT-LUKS2-0123-name\n")
        (self.root / "254:3/dm/name").write_text("opened\n")
        self.assertEqual("opened", machine.name_of("254:3", "CRYPT-LUKS"))
        self.assertIsNone(machine.name_of("254:3", "LVM-"))
        self.assertIsNone(machine.name_of("8:0", "CRYPT-LUKS"))

    def test_an_overlay_lies_on_what_its_directories_lie_on(self) -> None:
        upper, lower = self.root / "upper dir ö", self.root / "lower"
        upper.mkdir()
        lower.mkdir()
        shown = str(upper).replace(" ", "\\040")
        self._mount(
            f"22 1 254:1 / {shown} rw - ext4 nowhere rw",
            f"23 1 254:2 / {lower} rw - ext4 nowhere rw",
            f"24 1 0:50 / /merged rw - overlay overlay"
            f" rw,lowerdir=/not/seen:{lower},upperdir={shown}",
        )
        self.assertEqual({"254:1", "254:2"}, machine.read().under_path("/merged/log"))

    def test_a_btrfs_of_several_devices_lies_on_all(self) -> None:
        self._add_devices({"dm-1": "254:1", "dm-2": "254:2"})
        devices = self.root / "fs/btrfs/uuid/devices"
        devices.mkdir(parents=True)
        for name in ("dm-1", "dm-2"):
            (devices / name).touch()
        self._mount("22 1 254:1 / /data rw - btrfs nowhere rw")
        self.assertEqual({"254:1", "254:2"}, machine.read().under_path("/data/log"))

    def test_an_xfs_lies_on_the_devices_of_its_log_and_its_realtime_files_as_well(self) -> None:
        self.useFixture(
            fixtures.MockPatchObject(
                machine,
                "device_behind",
                lambda path: {"/dev/null": "254:2", "/dev/zero": "254:3"}[path],
            )
        )
        self._mount(
            "22 1 254:1 / /data rw - xfs nowhere rw,logdev=/dev/null,rtdev=/dev/zero,noquota"
        )
        self.assertEqual({"254:1", "254:2", "254:3"}, machine.read().under_path("/data/log"))
