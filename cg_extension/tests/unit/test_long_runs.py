# SPDX-License-Identifier: Apache-2.0
"""What a long run writes to docs/tested.md, what a guest's tree is made of, what tests install."""

import contextlib
import importlib
import io
import lzma
import pathlib
import re
import sys
from typing import Any
from unittest import mock

import fixtures
from oslotest import base
from packaging import requirements, utils

import cg_extension

TOOLS = pathlib.Path(cg_extension.__file__).parents[1] / "tools"


class ToolsTestCase(base.BaseTestCase):
    def load(self, name: str) -> Any:
        """A module of tools/."""
        self.useFixture(fixtures.MonkeyPatch("sys.path", [str(TOOLS), *sys.path]))
        return importlib.import_module(name)


class LongRunTest(ToolsTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.long = self.load("run_long")
        directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.report = directory / "tested.md"
        self.parts = []
        for patched in (
            mock.patch.object(self.long, "REPORT", self.report),
            mock.patch.object(self.long, "PARTS", self.parts),
            # A guest has no git.
            mock.patch.object(self.long, "_commit", return_value="1234567"),
        ):
            self.enterContext(patched)

    def _part(self, name: str, script: str, limit: float = 60) -> None:
        self.parts.append(self.long.Part(name, ["sh", "-c", script], limit))

    def _run(self, *names: str) -> tuple[int, dict[str, list[str]]]:
        """Exit status, and by part the cells of its row."""
        with mock.patch.object(sys, "argv", ["run_long.py", *names]):
            status = self.long.main()
        lines = self.report.read_text().removeprefix(self.long.HEADER).splitlines()
        rows = [line.strip("| ").split(" | ") for line in lines]
        return status, {row[0]: row[1:] for row in rows}

    def test_a_row_says_where_a_part_ran_and_what_it_counted(self) -> None:
        where = "platform: Debian 13, systemd; LVM 2.03.31(2); Linux 6.12; Python 3.13.5"
        self._part("one", f"echo '{where}'; echo '3 passed, 0 failed, 1 skipped'")
        status, rows = self._run()
        self.assertEqual(0, status)
        self.assertEqual(["Debian 13, systemd", "2.03.31(2)", "6.12", "3.13.5"], rows["one"][:4])
        self.assertEqual("3 passed, 0 failed, 1 skipped", rows["one"][-1])

    def test_what_stestr_counts_is_told_in_the_same_words(self) -> None:
        self._part("one", "printf ' - Passed: 3\\n - Skipped: 1\\n - Failed: 0\\n'")
        _status, rows = self._run()
        self.assertEqual("3 passed, 0 failed, 1 skipped", rows["one"][-1])

    def test_what_the_tests_print_is_neither_the_platform_nor_the_count(self) -> None:
        shown = (
            *("platform: here; LVM 1; Linux 2; Python 3", "platform: nowhere; LVM 0"),
            *("2 passed, 1 failed; seed 5", " - Passed: 7", " - Skipped: 1", " - Failed: 0"),
            *(" - Passed: 3", " - Skipped: 0", " - Failed: 0", "Worker Balance"),
        )
        self._part("one", "; ".join(f"echo '{line}'" for line in shown))
        _status, rows = self._run()
        self.assertEqual(["here", "1", "2", "3"], rows["one"][:4])
        self.assertEqual("3 passed, 0 failed, 0 skipped", rows["one"][-1])

    def test_a_part_that_fails_or_takes_too_long_fails_the_run(self) -> None:
        self._part("fails", "echo '1 passed, 2 failed'; exit 1")
        self._part("hangs", "exec sleep 60", limit=0.2)
        status, rows = self._run()
        self.assertEqual(1, status)
        self.assertEqual("**failed** 1 passed, 2 failed", rows["fails"][-1])
        self.assertEqual("**failed**", rows["hangs"][-1])

    def test_whoever_interrupts_the_run_interrupts_its_part(self) -> None:
        self._part("one", f"trap 'touch {self.report}; exit' INT; echo begun; sleep 60 & wait")
        with mock.patch.object(self.long, "print", create=True, side_effect=KeyboardInterrupt):
            self.assertRaises(KeyboardInterrupt, self.long.run, self.parts[0])
        self.assertTrue(self.report.exists())

    def test_rows_of_parts_that_were_not_run_stay(self) -> None:
        self._part("one", "true")
        self._part("two", "true")
        _status, before = self._run()
        self.parts[1] = self.long.Part("two", ["false"], 60)
        _status, after = self._run("two")
        self.assertEqual(before["one"], after["one"])
        self.assertEqual(["passed", "**failed**"], [rows["two"][-1] for rows in (before, after)])


class PackagesTest(ToolsTestCase):
    def test_what_the_tests_of_a_build_print_is_not_the_platform(self) -> None:
        packages, long = self.load("try_packages"), self.load("run_long")
        directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        program = directory / "build.py"
        shown = "platform: nowhere; LVM 0"
        program.write_text(f"print({shown!r})")
        output = io.StringIO()
        with (
            mock.patch.object(packages.build_packages, "__file__", str(program)),
            contextlib.redirect_stdout(output),
        ):
            packages.build("trixie", directory / "made")
            print("platform: here; LVM 1; Linux 2; Python 3")
        part = long.Part("one", [], 60)
        row = long.row(part, True, output.getvalue(), 60, "1234567").split(" | ")
        self.assertEqual(["here", "1", "2", "3"], row[1:5])
        self.assertIn(shown, output.getvalue())


class QuickBootTest(ToolsTestCase):
    def test_an_initrd_loads_each_module_after_those_that_it_needs(self) -> None:
        tree = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        modules = tree / "usr/lib/modules/6.12/kernel"
        modules.mkdir(parents=True)
        for name in ("ext4.ko.xz", "jbd2.ko.xz", "crc16.ko.xz", "virtio_blk.ko.xz"):
            (modules / name).write_bytes(lzma.compress(b"code of " + name.encode()))
        (modules.parent / "modules.dep").write_text(
            "kernel/ext4.ko.xz: kernel/jbd2.ko.xz kernel/crc16.ko.xz\n"
            "kernel/jbd2.ko.xz: kernel/crc16.ko.xz\nkernel/crc16.ko.xz:\nkernel/virtio_blk.ko.xz:\n"
        )
        programs = tree / "usr/lib/klibc/bin"
        programs.mkdir(parents=True)
        for name in ("sh", "mount", "insmod", "run-init"):
            (programs / name).write_text(name)
        self.load("guest.quick_boot").write_initrd(tree, tree / "initrd")
        archive = (tree / "initrd").read_bytes()
        loaded = re.findall(rb"^insmod /modules/(\w+).ko$", archive, re.MULTILINE)
        self.assertEqual([b"virtio_blk", b"crc16", b"jbd2", b"ext4"], loaded)
        self.assertIn(b"code of jbd2", archive)
        self.assertEqual(0, len(archive) % 4)


class GuestsTestsTest(base.BaseTestCase):
    def test_modules_that_only_a_long_run_needs_can_be_imported(self) -> None:
        tests = pathlib.Path(cg_extension.__file__).parent / "tests"
        for file in (tests / "machine").glob("*.py"):
            importlib.import_module(f"cg_extension.tests.machine.{file.stem}")


class TreeTest(ToolsTestCase):
    def test_a_tree_has_what_the_project_and_its_tests_require(self) -> None:
        tree = self.load("guest.tree")
        names = {line.partition(">")[0] for line in tree.requirements(("test",))}
        self.assertLessEqual({"oslo.config", "PyMySQL", "psycopg2-binary", "testtools"}, names)
        self.assertFalse([name for name in names if name.startswith("cg_extension")])
        self.assertEqual([], tree.requirements(()))

    def test_a_layer_for_a_tox_environment_has_what_that_installs_besides(self) -> None:
        tree = self.load("guest.tree")
        self.assertLessEqual({"cinder==29.*", "tempest"}, set(tree.tox_requirements("cinder")))
        self.assertLessEqual({"cinder==28.*", "tempest"}, set(tree.tox_requirements("cinder28")))
        functional = set(tree.LAYERS["functional"].packages)
        self.assertLessEqual({"postgresql", "haproxy", "prometheus"}, functional)


class ConstraintsTest(ToolsTestCase):
    def test_they_hold_a_fitting_release_of_all_that_tests_require(self) -> None:
        tree, renew = self.load("guest.tree"), self.load("renew_constraints")
        pins: dict[str, set[str]] = {}
        for line in renew.FILE.read_text().splitlines():
            if not line.startswith("#"):
                pin = requirements.Requirement(line)
                [specifier] = pin.specifier
                pins.setdefault(utils.canonicalize_name(pin.name), set()).add(specifier.version)
        for line in (*tree.requirements(("test",)), *renew.requirements()):
            wanted = requirements.Requirement(line)
            for release in pins[utils.canonicalize_name(wanted.name)]:
                self.assertIn(release, wanted.specifier, f"{wanted.name}: renew constraints.txt")
