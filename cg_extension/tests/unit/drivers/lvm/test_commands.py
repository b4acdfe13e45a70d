# SPDX-License-Identifier: Apache-2.0
"""Names become lines that LVM's shell can't misread; LVM's lock is taken as LVM takes it."""

import errno
import os
import pathlib
import threading
from unittest import mock

import fixtures
from oslotest import base

from cg_extension.drivers.lvm import at_work, commands, errors, low_stall, privileged, vg_lock


class WordsTest(base.BaseTestCase):
    def test_hyphens_in_names_are_doubled_for_device_mapper(self) -> None:
        self.assertEqual("vg--a-p--1-tpool", commands.device_name("vg-a", "p-1", "tpool"))

    def test_warnings_are_no_complaint(self) -> None:
        self.assertEqual("No such", commands._gist("  WARNING: not backed up.\n  No such\n"))


class NotRunTest(base.BaseTestCase):
    """What keeps ``lvm`` from being run is an error like its own, so that callers go on as they do.

    What they undo, say, is undone in the other volume groups.
    """

    def setUp(self) -> None:
        super().setUp()
        privileged.run_in_process()
        self.ours = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.useFixture(fixtures.MockPatchObject(low_stall, "OURS", self.ours))
        self.useFixture(fixtures.MockPatchObject(at_work, "_DIRECTORY", self.ours / "at-work"))

    def test_a_full_run_is_told_with_the_file_that_has_no_room(self) -> None:
        full = OSError(errno.ENOSPC, "No space left on device")
        for function in ("pathlib.Path.write_bytes", "os.pwrite"):
            with mock.patch(function, side_effect=full):
                error = self.assertRaises(errors.LVMError, commands.lvm, [], "vgs\n", None)
            self.assertRegex(str(error), f"^lvm can't be run: {self.ours}/.*: No space left")

    def test_a_machine_without_lvm_is_told(self) -> None:
        self.useFixture(fixtures.MockPatch("subprocess.run", side_effect=FileNotFoundError))
        error = self.assertRaises(errors.LVMError, commands.lvm, ["vgs"], "", None)
        self.assertEqual("lvm is not installed (lvm2)", str(error))


class AnswerTest(base.BaseTestCase):
    """What ``lvm`` answers, by a stand-in for it."""

    def setUp(self) -> None:
        super().setUp()
        self.calls: list[list[str]] = []
        self.answers: dict[str, tuple[int, str, str]] = {}
        self.useFixture(fixtures.MockPatchObject(commands, "lvm", self._lvm))
        self.group = commands.VolumeGroup("vg")

    def _lvm(self, arguments: list[str], _script: str, _dir: str | None) -> tuple[int, str, str]:
        self.calls.append(arguments)
        return self.answers[arguments[0] if arguments else ""]

    def test_lvms_version_is_asked_for_and_told_with_a_form_that_is_not_known_only(self) -> None:
        row = '{"vg_size": "%s", "vg_free": "1", "vg_tags": ""}'
        self.answers["version"] = (0, "  LVM version:     2.03.99(2) (2030-01-01)\n", "")
        self.answers["vgs"] = (0, '{"report": [{"vg": [%s]}]}' % (row % "7"), "")
        self.assertEqual(7, self.group.usage().size)
        self.assertNotIn(["version"], self.calls)
        self.answers["vgs"] = (0, '{"report": [{"vg": [%s]}]}' % (row % "7.00g"), "")
        text = str(self.assertRaises(errors.LVMError, self.group.usage))
        for word in ("vg_size", "7.00g", "2.03.99"):
            self.assertIn(word, text)

    def test_an_lvm_that_was_killed_has_not_made_what_is_missing(self) -> None:
        self.answers[""] = (-9, "", "")
        self.answers["lvs"] = (0, '{"report": [{"lv": []}]}', "")
        script = [["lvcreate", "--name", "a", "vg"]]
        text = str(self.assertRaises(errors.LVMError, self.group.make, script, {"a": None}))
        self.assertIn("signal 9", text)

    def test_a_disk_that_can_not_be_flushed_is_named(self) -> None:
        privileged.run_in_process()
        text = str(self.assertRaises(errors.LVMError, commands.flush, ["/nowhere/sdz"]))
        self.assertIn("flushing /nowhere/sdz failed: No such file", text)

    def test_tags_of_the_volume_group_change_in_one_command(self) -> None:
        self.answers["vgchange"] = (0, "", "")
        self.group.change_tags(add=["a"], remove=["b", "c"])
        changes = ["--addtag", "a", "--deltag", "b", "--deltag", "c"]
        self.assertEqual([["vgchange", *changes, "vg"]], self.calls)


class ScriptTest(base.BaseTestCase):
    def test_words_that_would_end_a_line_or_a_quote_are_refused(self) -> None:
        for word in ("a\nlvremove -f vg", "a'b", "a\0"):
            self.assertRaises(errors.Refusal, commands._script_line, ["lvcreate", word])


class LockingDirectoryTest(base.BaseTestCase):
    """LVM's directory of locks, by a stand-in for LVM."""

    def setUp(self) -> None:
        super().setUp()
        privileged.run_in_process()
        root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.theirs, self.program = root / "lvm", root / "program"
        self.theirs.mkdir()
        self.config = self.theirs / "lvm.conf"
        self.config.write_text("global { }")
        self.program.touch()
        self.asked = 0
        for module, name, stand_in in (
            (low_stall, "OURS", root / "ours"),
            (commands, "program", lambda: str(self.program)),
            (commands, "lvm", self._lvm),
        ):
            self.useFixture(fixtures.MockPatchObject(module, name, stand_in))

    def _lvm(self, _arguments: list[str], _script: str, _dir: str | None) -> tuple[int, str, str]:
        self.asked += 1
        return 0, f'locking_dir="/run/{self.asked}"\n', ""

    def _directory(self) -> str:
        return vg_lock.directory(str(self.theirs))

    def test_it_is_asked_for_once(self) -> None:
        self.assertEqual(["/run/1", "/run/1"], [self._directory(), self._directory()])

    def test_it_is_asked_for_again_after_any_change_on_which_it_depends(self) -> None:
        changes = [
            lambda: self.config.write_text('global { locking_dir="/a" }'),
            lambda: self.config.write_text('global { locking_dir="/b" }'),
            lambda: (self.theirs / "lvmlocal.conf").write_text("global { }"),
            lambda: (self.theirs / "lvm_tag.conf").write_text("global { }"),
            lambda: (self.theirs / "lvm_tag.conf").unlink(),
            lambda: self.program.write_text("another release"),
        ]
        for number, change in enumerate(changes, 1):
            self.assertEqual(f"/run/{number}", self._directory())
            change()
        self.assertEqual(f"/run/{len(changes) + 1}", self._directory())

    def test_what_changes_while_lvm_is_asked_is_not_kept(self) -> None:
        def lvm(*_: object) -> tuple[int, str, str]:
            self.config.write_text("global { another }")
            return 0, 'locking_dir="/run/old"\n', ""

        with mock.patch.object(commands, "lvm", lvm):
            self.assertEqual("/run/old", self._directory())
        self.assertEqual("/run/1", self._directory())


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
        thread.join(60)
        self.assertEqual(["first", "second"], order)
        self.assertEqual([], list(pathlib.Path(directory).iterdir()))
