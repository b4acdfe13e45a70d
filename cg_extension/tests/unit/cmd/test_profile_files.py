# SPDX-License-Identifier: Apache-2.0
"""Profiles are read strictly: every fault is told with file, key, and what would be right."""

import getpass
import os
import pathlib
import struct

import fixtures
from oslotest import base

from cg_extension.cmd.lvm.profiles import exits, reading, retention

USER = getpass.getuser()
HOOK = f'[[hooks]]\nname = "db"\nuser = "{USER}"\n'

WHOLE = f"""\
members = ["/srv/data", "vg/wal"]
with-submounts = true
name = "{{profile}}.{{time}}"
deadline = 5
cow-percent = 20
metrics-directory = "/var/lib/prometheus/node-exporter"

[keep]
last = 3
hourly = 24
daily = 7
weekly = 4
monthly = -1

[pool-limits]
data-percent = 80
metadata-percent = 70.5

[[hooks]]
name = "db"
user = "{USER}"
session = ["/bin/sh", "-c", "echo ready; cat"]
after = ["/bin/true"]
time-limit = 7.5
consistency = "db-locked"

[[hooks]]
name = "more"
user = "{USER}"
before = ["/bin/true", ""]
consistency = "more"
"""


class FilesTestCase(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.useFixture(fixtures.MockPatchObject(reading, "DIRECTORY", self.directory))

    def write(self, text: str, name: str = "nightly") -> pathlib.Path:
        path = self.directory / f"{name}.toml"
        path.write_text(text)
        path.chmod(0o644)
        return path

    def complaint(self, text: str) -> str:
        """What is said of a file after its own name."""
        path = self.write(text)
        error = self.assertRaises(exits.ProfileError, reading.read, "nightly")
        self.assertTrue(str(error).startswith(f"{path}: "), error)
        return str(error).replace(f"{path}: ", "")


class ReadingTest(FilesTestCase):
    def test_a_profile_with_all_keys(self) -> None:
        self.write(WHOLE)
        profile = reading.read("nightly")
        self.assertEqual(
            reading.Profile(
                name="nightly",
                members=["/srv/data", "vg/wal"],
                with_submounts=True,
                name_pattern="{profile}.{time}",
                deadline=5.0,
                cow_percent=20,
                hooks=[
                    reading.Hook(
                        name="db",
                        user=USER,
                        session=["/bin/sh", "-c", "echo ready; cat"],
                        after=["/bin/true"],
                        time_limit=7.5,
                        consistency="db-locked",
                    ),
                    reading.Hook(
                        name="more", user=USER, before=["/bin/true", ""], consistency="more"
                    ),
                ],
                keep=retention.Policy(last=3, hourly=24, daily=7, weekly=4, monthly=-1),
                data_limit=80.0,
                metadata_limit=70.5,
                metrics_directory=pathlib.Path("/var/lib/prometheus/node-exporter"),
            ),
            profile,
        )
        self.assertEqual("db-locked+more", profile.consistency)

    def test_a_whole_number_may_have_a_point(self) -> None:
        self.write('members = ["vg/a"]\ncow-percent = 5e1\n[keep]\nlast = 2.0\nweekly = -1.0')
        profile = reading.read("nightly")
        self.assertEqual("50", str(profile.cow_percent))  # as LVM gets it
        self.assertEqual("2 -1", f"{profile.keep.last} {profile.keep.weekly}")

    def test_members_alone_make_one(self) -> None:
        self.write('members = ["vg/a"]')
        profile = reading.read("nightly")
        self.assertEqual("{profile}-{time}", profile.name_pattern)
        self.assertEqual("crash-consistent", profile.consistency)
        self.assertTrue(profile.keep.is_empty)

    def test_a_path_of_a_file_is_taken_as_well(self) -> None:
        path = self.write('members = ["vg/a"]', "weekly")
        self.assertEqual("weekly", reading.read(str(path)).name)

    def test_one_that_is_not_there_is_told_with_those_that_are(self) -> None:
        self.write("", "weekly")
        error = self.assertRaises(exits.ProfileError, reading.read, "nightly")
        self.assertIn(
            f"{self.directory}/nightly.toml; in {self.directory} there are: weekly", str(error)
        )

    def test_a_name_that_leads_elsewhere_is_none(self) -> None:
        for name in ("..", ".hidden", "a b", "-x", "", "a+b", "x" * 65):
            error = self.assertRaises(exits.ProfileError, reading.read, name)
            self.assertIn("not a name for a profile", str(error))

    def test_a_path_without_the_suffix_is_no_profile(self) -> None:
        error = self.assertRaises(exits.ProfileError, reading.read, "/etc/passwd")
        self.assertIn("does not end in .toml", str(error))


class FaultsTest(FilesTestCase):
    def test_each_fault_is_told_with_its_key_and_what_is_right(self) -> None:
        members = 'members = ["vg/a"]\n'
        for text, complaint in (
            ("", "members is missing; it must be a list of mount points"),
            ("members = []", "members is []; it must be a list of mount points"),
            ('members = "vg/a"', 'members is "vg/a"; it must be a list of mount points'),
            ('members = ["vg/a", 7]', "members[2] is 7; it must be VG/LV, or a whole path: one"),
            ('members = ["/srv", ""]', 'members[2] is ""; it must be VG/LV, or a whole path'),
            ('members = ["data"]', 'members[1] is "data"; it must be VG/LV, or a whole path'),
            ('members = ["./a/b"]', 'members[1] is "./a/b"; it must be VG/LV, or a whole path'),
            ('members = ["../a"]', 'members[1] is "../a"; it must be VG/LV, or a whole path'),
            (f"{members}memebrs = 1", "memebrs is not known; the keys here are cow-percent, dead"),
            (f"{members}with-submounts = 1", "with-submounts is 1; it must be true or false"),
            (f"{members}deadline = 0.01", "deadline is 0.01; it must be seconds from 0.05 to 60"),
            (f"{members}deadline = true", "deadline is true; it must be seconds from 0.05 to 60"),
            (f"{members}deadline = nan", "not TOML: nan is no number to work with"),
            (f"{members}cow-percent = 0", "cow-percent is 0; it must be a percentage, whole,"),
            (f"{members}cow-percent = 9.5", "cow-percent is 9.5; it must be a percentage, whole,"),
            (f'{members}name = "nightly"', 'name is "nightly"; it must be a name with {time} in'),
            (f'{members}name = "-{{time}}"', "it must be a name with {time} in it"),
            (f'{members}name = "a/{{time}}"', "it must be a name with {time} in it"),
            (f'{members}name = "{"n" * 120}{{time}}"', "too long for LVM"),
            (f'{members}metrics-directory = "x"', "metrics-directory is "),
            (f"{members}keep.daily = -2", "keep.daily is -2; it must be how many to keep"),
            (f'{members}keep.daily = "7"', 'keep.daily is "7"; it must be how many to keep'),
            (f"{members}keep.yearly = 1", "keep.yearly is not known; the keys here are daily, "),
            (f"{members}keep = 7", "keep is 7; it must be a table of how many to keep"),
            (f"{members}pool-limits.data-percent = 101", "it must be a percentage above 0"),
            (f"{members}name = 2026-11-27", "name is 2026-11-27; it must be a name with {time}"),
            (f"{members}{HOOK}", "hooks[1] runs nothing; it must have before, session or after"),
            (f'{members}{HOOK}before = "x"', 'hooks[1].before is "x"; it must be a list of the pr'),
            (f"{members}{HOOK}before = []", "hooks[1].before is []; it must be a list of the prog"),
            (f'{members}{HOOK}before = ["ls"]', "hooks[1].before begins with ls; it must be the p"),
            (
                f'{members}{HOOK}before = ["/nowhere"]',
                "/nowhere: No such file or directory; it mus",
            ),
            (
                f'{members}{HOOK}before = ["/etc"]',
                "hooks[1].before begins with /etc; it must be a ",
            ),
            (
                f"{members}{HOOK}time-limit = 0",
                "hooks[1].time-limit is 0; it must be seconds above",
            ),
            (
                f'{members}{HOOK}consistency = "a b"',
                'hooks[1].consistency is "a b"; it must be a w',
            ),
            (
                f'{members}{HOOK}before = ["/bin/true"]\nsession = ["/bin/true"]',
                "hooks[1] has before and session; it must be two hooks",
            ),
            (
                f'{members}{HOOK}after = ["/bin/true"]\n{HOOK}after = ["/bin/true"]',
                "hooks[2].name is db again; each hook has one of its own",
            ),
            (
                f'{members}[[hooks]]\nname = "x"\nuser = "nobody-of-that-name"\nafter = ["/x"]',
                "hooks[1].user is nobody-of-that-name; it must be a user of this machine",
            ),
            (f'{members}[[hooks]]\nname = "x"', "hooks[1].user is missing; it must be the name of"),
            (f"{members}[keep", "not TOML: "),
            (f"members = {'[' * 9999}", "not TOML: maximum recursion depth exceeded"),
        ):
            self.assertIn(complaint, self.complaint(text), text)

    def test_all_faults_are_told_at_once_and_each_once(self) -> None:
        complaint = self.complaint("members = ['vg/a']\n[[hooks]]\nafter = ['/bin/true']")
        for key in ("hooks[1].name is missing", "hooks[1].user is missing"):
            self.assertEqual(1, complaint.count(key))
        complaint = self.complaint("deadline = 0\n[keep]\ndaily = -5")
        for key in ("members is missing", "deadline is 0", "keep.daily is -5"):
            self.assertIn(key, complaint)

    def test_what_is_no_text_is_told(self) -> None:
        (self.directory / "nightly.toml").write_bytes(b"members = ['\xff']")
        error = self.assertRaises(exits.ProfileError, reading.read, "nightly")
        self.assertIn("not TOML", str(error))


class TrustTest(FilesTestCase):
    """A profile runs what it names: nobody else may have a say in it."""

    def test_a_file_that_others_may_write_is_refused(self) -> None:
        path = self.write('members = ["vg/a"]')
        path.chmod(0o646)
        error = self.assertRaises(exits.ProfileError, reading.read, "nightly")
        self.assertIn(f"{path} can be changed by others than root; chown", str(error))

    def _give_acl(self, path: pathlib.Path, *entries: tuple[int, int, int]) -> None:
        """Tag, permissions and number of a user or group, as in Linux's posix_acl_xattr.h."""
        none = (1 << 32) - 1
        whole = [(0x01, 6, none), (0x04, 4, none), *entries, (0x10, 7, none), (0x20, 4, none)]
        content = struct.pack("<I", 2) + b"".join(
            struct.pack("<HHI", *each) for each in sorted(whole)
        )
        try:
            os.setxattr(path, "system.posix_acl_access", content)
        except OSError as error:
            self.skipTest(f"no access control lists here: {error}")

    def test_of_an_access_control_list_counts_who_may_write(self) -> None:
        """The group's permissions in the mode are then the list's mask."""
        path = self.write('members = ["vg/a"]')
        for tag in (0x02, 0x08):
            self._give_acl(path, (tag, 4, 12345))
            self.assertEqual(0o674, path.stat().st_mode & 0o777)
            reading.read("nightly")
            self._give_acl(path, (tag, 6, 12345))
            error = self.assertRaises(exits.ProfileError, reading.read, "nightly")
            self.assertIn(f"{path} can be changed by others than root; chown", str(error))
            path.chmod(0o644)  # as it says
            reading.read("nightly")

    def test_a_file_in_a_directory_that_others_may_write_is_refused(self) -> None:
        self.write('members = ["vg/a"]')
        self.directory.chmod(0o777)
        error = self.assertRaises(exits.ProfileError, reading.read, "nightly")
        self.assertIn(f"{self.directory} can be changed by others than root", str(error))
        self.directory.chmod(0o1777)
        reading.read("nightly")

    def test_a_file_behind_a_link_is_looked_at_where_it_is(self) -> None:
        elsewhere = self.directory / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "x").write_text('members = ["vg/a"]')
        elsewhere.chmod(0o777)
        (self.directory / "nightly.toml").symlink_to(elsewhere / "x")
        error = self.assertRaises(exits.ProfileError, reading.read, "nightly")
        self.assertIn(f"{elsewhere} can be changed", str(error))

    def test_a_link_that_others_may_replace_is_refused_wherever_it_leads(self) -> None:
        program, link = pathlib.Path("/bin/true"), self.directory / "open" / "link"
        link.parent.mkdir()
        link.symlink_to(program)
        link.parent.chmod(0o777)
        (self.directory / "to-link").symlink_to("nowhere/../open/link")
        (self.directory / "nowhere").mkdir()
        for path in (link, self.directory / "to-link"):
            complaint = self.complaint(f'members = ["vg/a"]\n{HOOK}before = ["{path}"]')
            self.assertIn(f"{link.parent} can be changed by others than root", complaint)
        self.write('members = ["vg/a"]', name="real")
        (link.parent / "x.toml").symlink_to("../real.toml")
        error = self.assertRaises(exits.ProfileError, reading.read, f"{link.parent}/x.toml")
        self.assertIn(f"{link.parent} can be changed", str(error))
        link.parent.chmod(0o755)
        reading.read(f"{link.parent}/x.toml")

    def test_a_link_that_leads_to_itself_is_told(self) -> None:
        (self.directory / "nightly.toml").symlink_to("nightly.toml")
        error = self.assertRaises(exits.ProfileError, reading.read, "nightly")
        self.assertIn("Too many levels of symbolic links", str(error))

    def test_a_hooks_program_that_others_may_write_is_refused(self) -> None:
        program = self.directory / "program"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o777)
        complaint = self.complaint(f'members = ["vg/a"]\n{HOOK}before = ["{program}"]')
        self.assertIn(f"{program} can be changed by others than root and {USER}", complaint)
        program.chmod(0o755)
        reading.read("nightly")
