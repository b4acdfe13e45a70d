# SPDX-License-Identifier: Apache-2.0
"""Names become lines that LVM's shell can't misread; LVM's lock is taken as LVM takes it."""

import os
import pathlib
import threading

import fixtures
from oslotest import base

from cg_extension.drivers.lvm import commands, errors, vg_lock


class WordsTest(base.BaseTestCase):
    def test_hyphens_in_names_are_doubled_for_device_mapper(self) -> None:
        self.assertEqual("vg--a-p--1-tpool", commands.device_name("vg-a", "p-1", "tpool"))

    def test_warnings_are_no_complaint(self) -> None:
        self.assertEqual("No such", commands._gist("  WARNING: not backed up.\n  No such\n"))


class ScriptTest(base.BaseTestCase):
    def test_words_that_would_end_a_line_or_a_quote_are_refused(self) -> None:
        for word in ("a\nlvremove -f vg", "a'b", "a\0"):
            self.assertRaises(errors.Refusal, commands._script_line, ["lvcreate", word])


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
