# SPDX-License-Identifier: Apache-2.0
"""Which logical volumes are meant by what people say."""

import os
import pathlib
from collections.abc import Iterator
from unittest import mock

import fixtures
from oslotest import base

from cg_extension.drivers.lvm import errors, machine, places

# Devices of this machine, each with those that it lies on; the logical volumes among them.
BELOW = {
    "8:1": ["8:0"],
    "8:0": [],
    "254:1": ["8:1"],
    "254:2": ["8:1"],
    "254:3": ["254:1"],  # LUKS on vg/data
    "254:4": ["8:1"],
    "254:5": ["254:4"],  # a partition on vg/disk
    "7:0": ["254:2"],
}
VOLUMES = {
    "254:1": ("vg", "data"),
    "254:2": ("other", "log"),
    "254:4": ("vg", "disk"),
}


class PlacesTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.root = pathlib.Path(self.useFixture(fixtures.TempDir()).path).resolve()
        self.mounts = [machine.Mount("/", ["8:1"], "ext4", "/dev/sda1")]
        for name, stand_in in (
            ("read", lambda: machine.Machine(BELOW, self.mounts, [])),
            ("volume_of", VOLUMES.get),
            ("kernel_name", lambda number: f"/dev/{number}"),
        ):
            self.useFixture(fixtures.MockPatchObject(machine, name, stand_in))
        self._fstab()
        units = self.root / "units"
        units.mkdir()
        self.useFixture(fixtures.MockPatchObject(machine, "_UNIT_DIRECTORIES", (str(units),)))

    def _mount(self, name: str, *devices: str, kind: str = "ext4", source: str = "/dev/x") -> str:
        point = self.root / name
        point.mkdir(parents=True, exist_ok=True)
        self.mounts.append(machine.Mount(str(point), devices, kind, source))
        return str(point)

    def _found(self, *words: str, with_submounts: bool = False) -> list[str]:
        found = places.find(words, with_submounts)
        self.warnings = "\n".join(found.warnings)
        return ["/".join(volume) for volume in found.volumes]

    def _refusal(self, *words: str) -> str:
        return str(self.assertRaises(errors.Refusal, places.find, words))

    def test_group_and_volume_are_what_they_say(self) -> None:
        self.assertEqual(["vg/data", "other/log"], self._found("vg/data", "other/log", "vg/data"))

    def test_a_device_that_is_not_there_is_an_inactive_volume(self) -> None:
        self.assertEqual(["nowhere/lv"], self._found("/dev/nowhere/lv"))

    def test_a_mount_point_a_directory_and_a_file_are_the_volume_below_them(self) -> None:
        point = self._mount("data", "254:1")
        (self.root / "data/deep").mkdir()
        (self.root / "data/deep/file").touch()
        for path in (point, f"{point}/deep", f"{point}/deep/file"):
            self.assertEqual(["vg/data"], self._found(path))

    def test_a_relative_path_and_a_link_lead_there_as_well(self) -> None:
        point = self._mount("data", "254:1")
        (self.root / "link").symlink_to(point)
        self.assertEqual(["vg/data"], self._found(str(self.root / "link")))
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.root)
        for word in ("./data", "data"):
            self.assertEqual(["vg/data"], self._found(word))

    def test_luks_a_partition_and_a_loop_device_hide_nothing(self) -> None:
        for number, volume in (("254:3", "vg/data"), ("254:5", "vg/disk"), ("7:0", "other/log")):
            self.assertEqual([volume], self._found(self._mount(number, number)))

    def test_a_file_system_on_several_volumes_is_all_of_them(self) -> None:
        point = self._mount("wide", "254:1", "254:2", kind="btrfs")
        self.assertEqual(["vg/data", "other/log"], self._found(point))
        self.assertEqual("", self.warnings)

    def test_a_part_of_a_file_system_is_warned_of_with_the_rest(self) -> None:
        self._mount("wide", "254:1", "254:2", kind="btrfs")
        self.assertEqual(["vg/data"], self._found("vg/data"))
        self.assertIn("only a part of the btrfs", self.warnings)
        self.assertIn("other/log", self.warnings)

    def test_what_is_mounted_below_is_named_or_taken_along(self) -> None:
        point = self._mount("data", "254:1")
        self._mount("data/log", "254:2")
        self._mount("data/tmp", "0:40", kind="tmpfs", source="tmpfs")
        self.assertEqual(["vg/data"], self._found(point))
        self.assertIn("data/log, which is on other/log", self.warnings)
        self.assertNotIn("tmp,", self.warnings)
        self.assertEqual(["vg/data", "other/log"], self._found(point, with_submounts=True))
        self.assertEqual("", self.warnings)

    def test_a_bind_mount_below_of_the_same_volume_is_not_warned_of(self) -> None:
        point = self._mount("data", "254:1")
        self._mount("data/bound", "254:1")
        self._found(point)
        self.assertEqual("", self.warnings)

    def test_what_below_is_on_no_volume_is_warned_of_by_name(self) -> None:
        point = self._mount("data", "254:1")
        self._mount("data/boot", "8:1")
        self.assertEqual(["vg/data"], self._found(point, with_submounts=True))
        self.assertIn("data/boot", self.warnings)
        self.assertIn("no logical volume", self.warnings)

    def test_what_lies_on_no_volume_is_refused_by_name(self) -> None:
        self.assertIn("/usr is in the ext4 at /, on /dev/8:0", self._refusal("/usr"))
        half = self._mount("half", "254:1", "8:1", kind="btrfs")
        self.assertIn(f"{half} is in the btrfs", self._refusal(half))
        memory = self._mount("memory", "0:40", kind="tmpfs", source="tmpfs")
        self.assertIn(f"{memory} is in a tmpfs", self._refusal(memory))
        network = self._mount("net", "0:41", kind="nfs4", source="nas:/x")
        self.assertIn("nfs4 of nas:/x", self._refusal(network))
        self.assertIn("character device", self._refusal("/dev/null"))
        self.assertIn("/nowhere: No such file", self._refusal("/nowhere"))

    def _fstab(self, *lines: str) -> None:
        path = self.root / "fstab"
        path.write_text("".join(f"{line}\n" for line in lines))
        self.useFixture(fixtures.MockPatchObject(machine, "_FSTAB", str(path)))

    def test_a_path_where_fstab_has_what_is_not_mounted_is_refused_by_name(self) -> None:
        """What is mounted above it would be taken for it."""
        point = self._mount("data", "254:1")
        (self.root / "data/a b/log").mkdir(parents=True)
        self._fstab(f"/dev/other/log {point}/a\\040b ext4 noauto 0 2", f"/dev/vg/data {point} ext4")
        for path in (f"{point}/a b", f"{point}/a b/log"):
            refusal = self._refusal(path)
            self.assertIn(f"/dev/other/log, which /etc/fstab has at {point}/a b, is not", refusal)
        self.assertEqual(["vg/data"], self._found(point))
        self.assertEqual("", self.warnings)
        self._mount("data/a b/log", "254:5")
        self.assertEqual(["vg/disk"], self._found(f"{point}/a b/log"))
        self._mount("data/a b", "254:2")
        self.assertEqual(["other/log"], self._found(f"{point}/a b"))

    def test_what_fstab_has_mounted_below_at_boot_is_warned_of_if_it_is_not(self) -> None:
        point = self._mount("data", "254:1")
        self._fstab(
            f"/dev/other/log {point}/log ext4 defaults 0 2",
            f"/dev/sdb1 {point}/disk vfat rw,noauto 0 0",
            "/dev/sdb2 none swap sw 0 0",
        )
        for with_submounts in (False, True):
            self.assertEqual(["vg/data"], self._found(point, with_submounts=with_submounts))
            self.assertIn(f"{point}/log, which is not mounted", self.warnings)
            self.assertNotIn("disk", self.warnings)

    def _unit(self, point: str, text: str) -> pathlib.Path:
        escaped = point.strip("/").replace("-", "\\x2d").replace(" ", "\\x20").replace("/", "-")
        path = self.root / "units" / f"{escaped}.mount"
        path.write_text(text)
        return path

    def test_what_a_unit_of_systemd_has_there_belongs_there_as_well(self) -> None:
        point = self._mount("data", "254:1")
        (self.root / "data/a b-c").mkdir()
        text = f"[Unit]\nDescription=x\n[Mount]\nWhat = /dev/other/log \nWhere={point}/a b-c\n"
        unit = self._unit(f"{point}/a b-c", text)
        refusal = self._refusal(f"{point}/a b-c")
        self.assertIn(f"/dev/other/log, which {unit} has at {point}/a b-c, is not mo", refusal)
        self.assertIn(f"systemctl start {point}/a b-c", refusal)
        self.assertEqual(["vg/data"], self._found(point))
        self.assertEqual("", self.warnings)
        wanted = self.root / "units/local-fs.target.wants"
        wanted.mkdir()
        (wanted / unit.name).symlink_to(unit)
        self.assertEqual(["vg/data"], self._found(point))
        self.assertIn(f"by {unit}: {point}/a b-c, which is not mounted", self.warnings)
        self._mount("data/a b-c", "254:2")
        self.assertEqual(["other/log"], self._found(f"{point}/a b-c"))

    def test_a_unit_that_is_masked_or_dangling_has_nothing_anywhere(self) -> None:
        point = self._mount("data", "254:1")
        unit = self._unit(point + "/log", "")
        (self.root / "data/log").mkdir()
        for target in (os.devnull, "/nowhere"):
            unit.unlink()
            unit.symlink_to(target)
            self.assertEqual(["vg/data"], self._found(f"{point}/log"))

    def test_what_autofs_has_not_mounted_is_mounted_and_else_not_there(self) -> None:
        point = self._mount("data", "0:40", kind="autofs", source="systemd-1")
        self._fstab(f"/dev/vg/data {point} ext4 x-systemd.automount 0 2")
        self.assertIn(f"which /etc/fstab has at {point}, is not mounted", self._refusal(point))
        real = os.scandir

        def scandir(path: str) -> Iterator[os.DirEntry[str]]:
            self._mount("data", "254:1")
            return real(path)

        with mock.patch("os.scandir", scandir):
            self.assertEqual(["vg/data"], self._found(point))

    def test_what_is_neither_path_nor_volume_is_refused_with_both_forms(self) -> None:
        self.assertIn("VG/LV", self._refusal("nothing-of-that-name"))
        self.assertIn("a path begins with / or ./", self._refusal("a/b/c"))


class NamesTest(base.BaseTestCase):
    """Device-mapper's names and UUIDs."""

    def setUp(self) -> None:
        super().setUp()
        self.root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        stand_in = str(self.root)
        self.useFixture(fixtures.MockPatchObject(machine, "_DEVICES_BY_NUMBER", stand_in))

    def _volume(self, name: str, uuid: str) -> tuple[str, str] | None:
        directory = self.root / "254:1/dm"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "name").write_text(f"{name}\n")
        (directory / "uuid").write_text(f"{uuid}\n")
        return machine.volume_of("254:1")

    def test_doubled_dashes_are_single_ones(self) -> None:
        uuid = "LVM-" + "a" * 64
        self.assertEqual(("v-g", "l-v"), self._volume("v--g-l--v", uuid))
        self.assertEqual(("v-", "l"), self._volume("v---l", uuid))
        self.assertEqual(("vg", "pool"), self._volume("vg-pool", f"{uuid}-pool"))

    def test_what_lvm_keeps_below_a_volume_is_none(self) -> None:
        self.assertIsNone(self._volume("vg-lv-real", "LVM-" + "a" * 64 + "-real"))

    def test_what_others_made_is_none(self) -> None:
        self.assertIsNone(self._volume("vg-lv", "CRYPT-LUKS2-0123-vg-lv"))
        self.assertIsNone(machine.volume_of("254:9"))
