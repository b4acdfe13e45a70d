# SPDX-License-Identifier: Apache-2.0
"""LVM's reports become records; names become lines that LVM's shell can't misread."""

import os
import pathlib
import threading

import fixtures
from oslotest import base

from cg_extension.drivers.lvm import commands, errors, leftovers, vg_lock

ROW = {
    "lv_name": "s",
    "lv_size": "37748736",
    "lv_tags": "cg_ext,cg=1",
    "segtype": "linear",
    "origin": "v",
    "origin_size": "33554432",
    "pool_lv": "",
    "thin_id": "",
    "lv_dm_path": "/dev/mapper/vg--a-s",
    "lv_kernel_major": "254",
    "lv_kernel_minor": "8",
    "lv_layout": "linear",
    "lv_role": "public,snapshot,thicksnapshot",
    "lv_modules": "snapshot",
    **dict.fromkeys(commands.TRAITS.values(), "0"),
}


class ReportTest(base.BaseTestCase):
    def test_a_thick_snapshot_has_the_size_of_its_origin(self) -> None:
        volume = commands._volume(ROW)
        self.assertEqual((33554432, 37748736), (volume.size, volume.allocated))
        self.assertEqual(("254:8", "/dev/mapper/vg--a-s"), (volume.number, volume.path))
        self.assertEqual({"cg_ext", "cg=1"}, volume.tags)

    def test_a_thin_volume_has_its_own_size_not_that_of_its_external_origin(self) -> None:
        thin = {"lv_layout": "thin,sparse", "lv_role": "public,snapshot,thinsnapshot"}
        volume = commands._volume({**ROW, **thin, "pool_lv": "pool"})
        self.assertEqual((37748736, "v", "pool"), (volume.size, volume.origin, volume.pool))

    def test_a_cached_volume_is_neither_a_snapshot_nor_in_a_thin_pool(self) -> None:
        for kind in ("cache", "writecache"):
            names = {"origin": "[s_corig]", "pool_lv": "[fast_cvol]", "origin_size": ""}
            words = {"lv_layout": kind, "lv_role": "public"}
            volume = commands._volume({**ROW, **names, **words})
            self.assertEqual((None, None), (volume.origin, volume.pool))
            self.assertEqual({kind, "cachevol", "public"}, volume.traits)

    def test_a_hidden_volume_has_its_name_without_brackets(self) -> None:
        self.assertEqual("s_rimage_0", commands._volume({**ROW, "lv_name": "[s_rimage_0]"}).name)

    def test_yes_and_no_are_told_from_what_means_neither(self) -> None:
        self.assertIn("merging", commands._volume({**ROW, "lv_merging": "1"}).traits)
        for word in ("", "-1", "merging"):
            row = {**ROW, "lv_merging": word}
            self.assertIn(
                "lv_merging", str(self.assertRaises(errors.LVMError, commands._volume, row))
            )

    def test_an_inactive_volume_has_no_device_number(self) -> None:
        volume = commands._volume({**ROW, "lv_kernel_major": "-1", "lv_kernel_minor": "-1"})
        self.assertEqual((None, False), (volume.number, volume.active))

    def test_hyphens_in_names_are_doubled_for_device_mapper(self) -> None:
        self.assertEqual("vg--a-p--1-tpool", commands.device_name("vg-a", "p-1", "tpool"))

    def test_warnings_are_no_complaint(self) -> None:
        self.assertEqual("No such", commands._gist("  WARNING: not backed up.\n  No such\n"))


class ScriptTest(base.BaseTestCase):
    def test_words_that_would_end_a_line_or_a_quote_are_refused(self) -> None:
        for word in ("a\nlvremove -f vg", "a'b", "a\0"):
            self.assertRaises(errors.Refusal, commands._script_line, ["lvcreate", word])


class LeftoverTest(base.BaseTestCase):
    def test_work_of_a_living_process_is_no_leftover(self) -> None:
        self.assertFalse(leftovers.is_leftover(frozenset([leftovers.unfinished_tag()])))

    def test_work_of_a_process_that_is_gone_is_one(self) -> None:
        boot, pid, start = leftovers.unfinished_tag().rpartition("=")[2].split("-")
        for tag in (
            f"cg_ext.unfinished={boot}-4194999-{start}",
            f"cg_ext.unfinished={boot}-{pid}-1",
            f"cg_ext.unfinished=00000000-{pid}-{start}",
        ):
            self.assertTrue(leftovers.is_leftover(frozenset([tag])), tag)

    def test_what_others_tagged_alike_is_none(self) -> None:
        for tag in ("cg_ext.unfinished=", "cg_ext.unfinished=x-y-z", "cg_ext.unfinished=1-2-3-4"):
            self.assertFalse(leftovers.is_leftover(frozenset([tag])), tag)

    def test_a_finished_volume_is_none(self) -> None:
        self.assertFalse(leftovers.is_leftover(frozenset([leftovers.OWNED, "cg=1"])))


class LockTest(base.BaseTestCase):
    def test_one_holds_it_at_a_time_and_it_leaves_no_file(self) -> None:
        directory = self.useFixture(fixtures.TempDir()).path
        order: list[str] = []

        def second() -> None:
            with vg_lock.held(directory, "vg"):
                order.append("second")

        with vg_lock.held(directory, "vg"):
            self.assertTrue(os.path.exists(f"{directory}/V_vg"))
            thread = threading.Thread(target=second)
            thread.start()
            thread.join(0.2)
            order.append("first")
        thread.join(10)
        self.assertEqual(["first", "second"], order)
        self.assertEqual([], list(pathlib.Path(directory).iterdir()))
