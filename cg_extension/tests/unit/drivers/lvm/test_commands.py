# SPDX-License-Identifier: Apache-2.0
"""Names become lines that LVM's shell can't misread; LVM's lock is taken as LVM takes it."""

import os
import pathlib
import threading

import fixtures
from oslotest import base

from cg_extension.drivers.lvm import commands, errors, leftovers, vg_lock


class WordsTest(base.BaseTestCase):
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
