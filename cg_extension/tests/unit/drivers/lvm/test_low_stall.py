# SPDX-License-Identifier: Apache-2.0
"""The engine's commands have the machine's configuration of LVM, and settings of their own."""

import errno
import os
import pathlib
from unittest import mock

import fixtures
from oslotest import base

from cg_extension.drivers.lvm import low_stall


class SystemDirTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.theirs = root / "lvm"
        (self.theirs / "backup").mkdir(parents=True)
        (self.theirs / "lvm.conf").write_text("devices { use_devicesfile=0 }\n")
        self.useFixture(
            fixtures.MonkeyPatch("cg_extension.drivers.lvm.low_stall.OURS", root / "ours")
        )

    def ours(self) -> pathlib.Path:
        return pathlib.Path(low_stall.system_dir(str(self.theirs)))

    def test_it_has_all_that_theirs_has_and_what_is_written_goes_there(self) -> None:
        ours = self.ours()
        self.assertEqual("devices { use_devicesfile=0 }\n", (ours / "lvm.conf").read_text())
        (ours / "backup" / "vg").touch()
        self.assertTrue((self.theirs / "backup" / "vg").exists())
        self.assertIn("mlock_filter", (ours / "lvmlocal.conf").read_text())

    def test_reports_have_the_form_that_is_read_whatever_theirs_have(self) -> None:
        theirs = "report { compact_output=1 }\nlog { command_names=1 }"
        (self.theirs / "lvmlocal.conf").write_text(theirs)
        local = (self.ours() / "lvmlocal.conf").read_text()
        self.assertLess(local.index("compact_output=1"), local.index("compact_output=0"))
        self.assertLess(local.index("command_names=1"), local.index("command_names=0"))
        self.assertIn('list_item_separator=","', local)

    def test_their_local_settings_stay_before_ours(self) -> None:
        (self.theirs / "lvmlocal.conf").write_text('local { system_id="here" }')
        text = (self.ours() / "lvmlocal.conf").read_text()
        self.assertTrue(text.startswith('local { system_id="here" }\n'), text)
        self.assertIn("mlock_filter", text)

    def test_it_follows_their_changes(self) -> None:
        ours = self.ours()
        (self.theirs / "backup").rmdir()
        (self.theirs / "devices").mkdir()
        (self.theirs / "lvmlocal.conf").write_text("local { }")
        self.assertEqual(ours, self.ours())
        names = {path.name for path in ours.iterdir()}
        self.assertEqual({"devices", "lvm.conf", "lvmlocal.conf"}, names)
        self.assertIn("local { }", (ours / "lvmlocal.conf").read_text())

    def test_few_disks_are_read_one_after_another(self) -> None:
        disks = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.useFixture(fixtures.MockPatchObject(low_stall, "_DISKS", disks))
        for number in range(20):
            (disks / f"dm-{number}").symlink_to(f"../devices/virtual/block/dm-{number}")
        (disks / "loop0").symlink_to("../devices/virtual/block/loop0")
        for name in "abcdefgh":
            (disks / f"sd{name}").symlink_to(f"../devices/pci0000:00/host0/block/sd{name}")
        self.assertIn("use_aio=0", (self.ours() / "lvmlocal.conf").read_text())
        (disks / "sdi").symlink_to("../devices/pci0000:00/host1/block/sdi")
        self.assertNotIn("use_aio", (self.ours() / "lvmlocal.conf").read_text())

    def test_what_can_not_be_written_is_named(self) -> None:
        full = OSError(errno.ENOSPC, "No space left on device")
        with mock.patch("pathlib.Path.write_bytes", side_effect=full):
            error = self.assertRaises(OSError, self.ours)
        self.assertIn("/ours/", error.filename)

    def test_only_root_reads_it_whatever_the_umask(self) -> None:
        self.addCleanup(os.umask, os.umask(0))
        ours = self.ours()
        for path in (ours, ours.parent):
            self.assertEqual(0o700, path.stat().st_mode & 0o777)

    def test_none_means_the_one_of_the_environment(self) -> None:
        self.useFixture(fixtures.EnvironmentVariable("LVM_SYSTEM_DIR", str(self.theirs)))
        self.assertEqual(str(self.ours()), low_stall.system_dir(None))
