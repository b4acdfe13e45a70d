# SPDX-License-Identifier: Apache-2.0
"""What ``cg-lvm`` says, apart from what it does (tests/lvm/test_command.py)."""

import contextlib
import io
import os
import pathlib
import subprocess
import sys
from importlib import metadata
from unittest import mock

import fixtures
import testtools
from oslotest import base

from cg_extension.cmd import lvm
from cg_extension.cmd.lvm import machinery, mounting, naming, programs, text
from cg_extension.drivers.lvm import at_work, errors, reports, together
from cg_extension.tests.unit.drivers.lvm import fake_lvm, reported


class IdentifiersTest(base.BaseTestCase):
    """A clone may be found in its original's place: whoever makes one is told."""

    def test_the_help_of_clone_tells_of_them(self) -> None:
        output = io.StringIO()
        with contextlib.redirect_stdout(output), testtools.ExpectedException(SystemExit):
            lvm.main(["clone", "--help"])
        self.assertIn("/dev/disk/by-uuid may point to either", " ".join(output.getvalue().split()))

    def test_a_new_clone_is_told_with_them_and_a_snapshot_without(self) -> None:
        volumes = [{"volume": "v.x", "path": "/dev/mapper/vg-v.x"}]
        cloned = text.text({"clone": "x", "volumes": volumes})
        self.assertIn("path=/dev/mapper/vg-v.x\nA clone has the UUIDs", cloned)
        self.assertNotIn("UUID", text.text({"snapshot": "x", "volumes": volumes}))


class VersionTest(base.BaseTestCase):
    def version(self) -> str:
        output = io.StringIO()
        with contextlib.redirect_stdout(output), testtools.ExpectedException(SystemExit):
            lvm.main(["--version"])
        return output.getvalue()

    def test_it_is_that_of_what_is_installed(self) -> None:
        self.assertEqual(f"cg-lvm {metadata.version('cg_extension')}\n", self.version())

    def test_a_source_that_is_not_installed_says_so(self) -> None:
        missing = mock.patch.object(
            metadata, "version", side_effect=metadata.PackageNotFoundError("cg_extension")
        )
        with missing:
            self.assertEqual(
                "cg-lvm, run from its source, which is not installed\n", self.version()
            )


class WordsTest(base.BaseTestCase):
    """Words that mean nothing are refused at once, and reach no command of LVM's."""

    def setUp(self) -> None:
        super().setUp()
        self.useFixture(fixtures.MockPatch("os.geteuid", return_value=0))
        self.lvm = self.useFixture(fake_lvm.FakeLVM(thin=True, groups=["vg", "vh"]))
        self.lvm.volumes["a"] = fake_lvm.Volume(set(), pool="pool")

    def _complaint(self, *arguments: str) -> tuple[int, str]:
        complaint, status = io.StringIO(), 0
        with contextlib.redirect_stderr(complaint):
            try:
                status = lvm.main(arguments)
            except SystemExit as ended:
                status = int(ended.code or 0)
        return status, complaint.getvalue()

    def test_what_is_no_name_is_taken_for_no_volume_group(self) -> None:
        for word in ("-v", "@tag", "vg/a", "/dev/vg", "", ".."):
            for action in (["list"], ["delete"], ["selftest"]):
                name = ["one"] if action == ["delete"] else []
                status, complaint = self._complaint(*action, "--", word, *name)
                self.assertEqual(2, status, complaint)
                self.assertIn(f"VG: {word!r} is no name of a volume group", complaint)
        self.assertEqual(0, self.lvm.processes)

    def test_what_is_no_name_is_taken_for_no_member(self) -> None:
        for word in ("-v/a", "@tag/a", "vg/@tag", "vg/a b"):
            status, complaint = self._complaint("snapshot", "--name", "x", "--", word)
            self.assertEqual((1, 0), (status, self.lvm.processes), complaint)
            self.assertIn(f"not VG/LV: {word}", complaint)

    def test_what_a_script_has_left_empty_stands_for_nothing(self) -> None:
        for arguments, named in (
            (("snapshot", "", "--name", "x"), "MEMBER"),
            (("snapshot", "vg/a", "--name", ""), "--name"),
            (("clone", "vg/a", "--from", "", "--name", "x"), "--from"),
            (("rollback", "one", "--keep-as", ""), "--keep-as"),
            (("delete", ""), "NAME"),
            (("mount", "one", ""), "DIR"),
            (("mount", "one", "/mnt", "--key-file", ""), "--key-file"),
            (("umount", ""), "DIR"),
            (("run", ""), "PROFILE"),
        ):
            status, complaint = self._complaint(*arguments)
            self.assertEqual(2, status, complaint)
            self.assertIn(f"argument {named}: it is empty", complaint)

    def test_with_from_there_is_one_volume_group_and_no_more(self) -> None:
        for words in (["vg", "vh"], ["vg/a"], ["-v"]):
            given = ["clone", "--from", "one", "--name", "x", "--", *words]
            status, complaint = self._complaint(*given)
            self.assertEqual((1, 0), (status, self.lvm.processes), complaint)
            self.assertIn(
                f"there is one volume group, and no members: {' '.join(words)}", complaint
            )

    def test_a_name_that_gets_too_long_is_told_before_anything_is_made(self) -> None:
        # LVM 2.03.31 takes 122 of them here, and ends with an "Internal error" beyond.
        status, complaint = self._complaint("snapshot", "vg/a", "--name", "x" * 119)
        self.assertEqual(1, status)
        self.assertIn(f"too long a name for a volume: vg/a.{'x' * 119}; it has to ", complaint)
        self.assertIn("shorter by 2 characters", complaint)
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(0, self._complaint("snapshot", "vg/a", "--name", "x" * 117)[0])


class TogetherTest(base.BaseTestCase):
    """Two commands at once that make something of one name."""

    def _call(self, *arguments: str) -> tuple[int, str]:
        output = io.StringIO()
        with contextlib.redirect_stderr(output), contextlib.redirect_stdout(output):
            return lvm.main(arguments), output.getvalue()

    def test_the_slower_has_made_nothing_and_touches_nothing_of_the_faster(self) -> None:
        self.useFixture(fixtures.MockPatch("os.geteuid", return_value=0))
        for is_thin in (True, False):
            fake = self.useFixture(fake_lvm.FakeLVM(is_thin))
            fake.volumes["a"] = fake_lvm.Volume(set(), pool="pool" if is_thin else None)
            for name in ("one", "two"):
                fake.volumes["a"].content = name
                self.assertEqual(0, self._call("snapshot", "vg/a", "--name", name)[0])
            for action, faster in (
                ("restore_group", ("clone", "vg", "--from", "two", "--name", "x")),
                ("clone_group", ("clone", "vg/a", "--name", "y")),
                ("snapshot_group", ("snapshot", "vg/a", "--name", "z")),
            ):
                real = getattr(together, action)
                slower = [word if word != "two" else "one" for word in faster]
                answers = []

                def make(*arguments: object) -> object:
                    with mock.patch.object(together, action, real):  # noqa: B023
                        answers.append(self._call(*faster))  # noqa: B023
                    fake.volumes["a"].content = "later"  # noqa: B023
                    return real(*arguments)  # noqa: B023

                with mock.patch.object(together, action, make):
                    status, complaint = self._call(*slower)
                self.assertEqual((0, 1), (answers[0][0], status), f"{action} {complaint}")
                made = f"a.{faster[-1]}"
                self.assertIn(f"{made} not made: {made} exists", complaint)
                self.assertIn("two", fake.volumes[made].content)
                self.assertEqual(set(), fake.tags)
                fake.volumes["a"].content = "two"


class ProgramsTest(base.BaseTestCase):
    def test_a_program_that_fails_is_named_once(self) -> None:
        directory = self.useFixture(fixtures.TempDir()).path
        self.useFixture(fixtures.EnvironmentVariable("PATH", f"{directory}:/usr/bin:/bin"))
        for said in ("tool: it is busy", "it is busy"):
            path = pathlib.Path(directory, "tool")
            path.write_text(f"#!/bin/sh\necho '{said}' >&2; exit 1\n")
            path.chmod(0o755)
            error = self.assertRaises(errors.LVMError, programs.run, "tool")
            self.assertEqual("tool: it is busy", str(error))


def _listed(name: str, **facts: object) -> dict[str, object]:
    return {
        "snapshot": name,
        "members": 2,
        "age_seconds": 7300,
        "used": 5 << 20,
        "state": "complete",
        "volume_groups": ["vg"],
        **facts,
    }


class TableTest(base.BaseTestCase):
    """What ``list`` prints."""

    def test_a_line_for_each_with_age_and_space(self) -> None:
        table = text.text(
            {"listed": [_listed("monday"), _listed("x", used=None, age_seconds=None)]}
        )
        head, first, second = table.splitlines()
        self.assertEqual(["NAME", "KIND", "VOLUMES", "AGE", "USED", "STATE", "IN"], head.split())
        self.assertEqual(
            ["monday", "snapshot", "2", "2", "h", "5.0", "MiB", "complete", "vg"], first.split()
        )
        self.assertEqual(["x", "snapshot", "2", "-", "-", "complete", "vg"], second.split())

    def test_it_fits_the_terminal_whatever_the_names(self) -> None:
        self.useFixture(fixtures.EnvironmentVariable("COLUMNS", "80"))
        groups = [f"volume-group-{n}" for n in range(9)]
        table = text.text({"listed": [_listed("n" * 100, volume_groups=groups)]})
        self.assertLessEqual(max(map(len, table.splitlines())), 80)

    def test_it_has_all_of_each_name_where_there_is_no_terminal(self) -> None:
        self.useFixture(fixtures.EnvironmentVariable("COLUMNS"))
        with mock.patch("os.get_terminal_size", side_effect=OSError):
            table = text.text({"listed": [_listed("n" * 100, volume_groups=["g" * 100])]})
        self.assertIn("n" * 100, table)
        self.assertIn("g" * 100, table)

    def test_sizes_and_ages_are_told_in_few_figures(self) -> None:
        for number, told in ((0, "0 B"), (1500, "1.5 KiB"), (300 << 30, "300 GiB"), (None, "-")):
            self.assertEqual(told, text.size(number))
        for seconds, told in (
            (0, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (200000, "2 d"),
            (-200000, "-2 d"),
        ):
            self.assertEqual(told, text.age(seconds))


def _volume(name: str, *tags: str, group_tags: tuple[str, ...] = ()) -> reports.LogicalVolume:
    tagged = frozenset(["cg-lvm.snapshot=monday", *tags])
    return reported.volume(name, tags=tagged, group_tags=frozenset(group_tags))


class OutputTest(base.BaseTestCase):
    """An answer that can't be written as it is."""

    def _run(self, output: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Answer with a name that is no UTF-8, and one that ASCII has no characters for."""
        code = (
            "import os, sys; from unittest import mock; from cg_extension.cmd import lvm; "
            "from cg_extension.cmd.lvm import mounting; os.geteuid = lambda: 0; "
            "mounting.umount = lambda _: {'unmounted': '/ü\\udcff', 'volumes': []}; "
            "sys.exit(lvm.main(['umount', '/x']))"
        )
        command = ["/bin/sh", "-c", f'"$0" -c "$1" {output}', sys.executable, code]
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONUTF8": "0", **environment},
        )

    def test_what_the_terminal_has_no_characters_for_is_shown_by_number(self) -> None:
        done = self._run("", PYTHONIOENCODING="ascii")
        self.assertEqual((0, "unmounted: /\\xfc\\udcff\n"), (done.returncode, done.stdout))

    def test_a_reader_may_have_seen_enough(self) -> None:
        done = self._run("| { sleep 0; }; kill -0 $$", PYTHONIOENCODING="ascii")
        self.assertEqual("", done.stderr)

    def test_what_was_done_and_can_not_be_told_is_an_error_of_its_own(self) -> None:
        done = self._run(">/dev/full")
        self.assertEqual(
            (1, "cg-lvm: done, but not printed: No space left on device\n"),
            (done.returncode, done.stderr),
        )

    def test_an_interrupted_command_says_what_becomes_of_it(self) -> None:
        self.useFixture(fixtures.MockPatch("os.geteuid", return_value=0))
        complaint = io.StringIO()
        with (
            mock.patch.object(machinery, "wipe") as wipe,
            mock.patch.object(mounting, "umount", side_effect=KeyboardInterrupt),
            contextlib.redirect_stderr(complaint),
        ):
            self.assertEqual(1, lvm.main(["umount", "/x"]))
        self.assertIn("or the next command does it", complaint.getvalue())
        wipe.assert_not_called()  # which may take hours

    def test_who_interrupts_the_wiping_leaves_it_to_the_next_command(self) -> None:
        self.useFixture(fixtures.MockPatch("os.geteuid", return_value=0))
        output = io.StringIO()
        with (
            mock.patch.object(machinery, "wipe", side_effect=KeyboardInterrupt),
            mock.patch.object(mounting, "umount", return_value={"unmounted": "x", "volumes": []}),
            contextlib.redirect_stderr(output),
            contextlib.redirect_stdout(output),
        ):
            self.assertEqual(0, lvm.main(["umount", "/x"]))
        self.assertIn("interrupted", output.getvalue())


class FamiliesTest(base.BaseTestCase):
    """Which volumes belong together."""

    def _of(self, **volumes: reports.LogicalVolume) -> dict[str, dict[str, reports.LogicalVolume]]:
        return {group: {volume.name: volume} for group, volume in volumes.items()}

    def test_volumes_of_several_groups_that_were_made_together_are_one(self) -> None:
        two = "cg-lvm.members=2"
        volumes = self._of(
            a=_volume("v.monday", "cg_ext.set=s", two), b=_volume("w.monday", "cg_ext.set=s", two)
        )
        family = naming.find(volumes, "monday")
        self.assertEqual((["a", "b"], True), (family.groups, family.is_complete))
        rest = naming.find({"a": volumes["a"]}, "monday")
        self.assertEqual((False, False), (rest.is_all_here, rest.is_complete))

    def test_those_that_were_taken_apart_have_to_be_told_apart(self) -> None:
        volumes = self._of(a=_volume("v.monday", "cg_ext.set=s"), b=_volume("w.monday"))
        refusal = self.assertRaises(naming.UsageError, naming.find, volumes, "monday")
        self.assertIn("several called monday (snapshot in a; snapshot in b)", str(refusal))

    def test_what_is_under_way_in_one_group_is_not_complete(self) -> None:
        volumes = self._of(
            a=_volume("v.monday", "cg_ext.set=s", "cg-lvm.members=1", group_tags=_GOING)
        )
        self.assertFalse(naming.find(volumes, "monday").is_complete)

    def test_a_name_that_is_there_is_refused_with_its_volumes(self) -> None:
        volumes = self._of(a=_volume("v.monday"))
        refusal = self.assertRaises(
            naming.UsageError, naming.check_name, naming.SNAPSHOT, "monday", volumes
        )
        self.assertIn("there already: a/v.monday", str(refusal))
        naming.check_name(naming.CLONE, "monday", volumes)

    def test_a_clone_is_told_from_what_is_not_there(self) -> None:
        clone = reported.volume("v.monday", tags=frozenset(["cg-lvm.clone=monday"]))
        volumes = {"a": {clone.name: clone}}
        self.assertEqual("monday", naming.find(volumes, "monday").name)
        for name, said in (
            ("monday", "monday is no group snapshot, but a clone"),
            ("tuesday", "there is no group snapshot tuesday"),
        ):
            refusal = self.assertRaises(
                naming.UsageError, naming.find, volumes, name, [naming.SNAPSHOT]
            )
            self.assertIn(said, str(refusal))
            self.assertEqual(
                name == "monday", "(lvremove) like any others: a/v.mon" in str(refusal)
            )

    def test_how_a_name_has_to_begin_is_told(self) -> None:
        for name in (".x", "-x", "+x"):
            refusal = self.assertRaises(
                naming.UsageError, naming.check_name, naming.SNAPSHOT, name, {}
            )
            self.assertIn("the first of them a letter, a digit or _", str(refusal))

    def test_a_name_that_another_command_is_giving_is_refused(self) -> None:
        for is_ours in (True, False):
            claimed = mock.Mock(return_value=contextlib.nullcontext(is_ours))
            with mock.patch.object(at_work, "claimed", claimed):
                claim = naming.claimed(naming.SNAPSHOT, "monday", ["b", "a", "b"])
                if is_ours:
                    with claim:
                        pass
                else:
                    refusal = self.assertRaises(naming.UsageError, claim.__enter__)
                    self.assertIn("is making snapshot monday in a or b just now", str(refusal))

    def test_a_name_is_free_again_while_what_had_it_is_still_to_be_wiped(self) -> None:
        volumes = self._of(a=_volume("cggone-0123", "cg-lvm.members=1", group_tags=_GOING))
        naming.check_name(naming.SNAPSHOT, "monday", volumes)
        volumes["a"]["v.monday"] = _volume("v.monday", "cg-lvm.members=1")
        family = naming.find(volumes, "monday")
        self.assertEqual(["v.monday"], [volume.name for _group, volume in family.members])


_GOING = ("cg_ext.going=s:0-1-0:uuid",)
