# SPDX-License-Identifier: Apache-2.0
"""What ``cg-lvm`` says, apart from what it does (tests/lvm/test_command.py)."""

import contextlib
import io

import fixtures
import testtools
from oslotest import base

from cg_extension.cmd import lvm
from cg_extension.cmd.lvm import naming, text
from cg_extension.drivers.lvm import reports
from cg_extension.tests.unit.drivers.lvm import reported


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

    def test_sizes_and_ages_are_told_in_few_figures(self) -> None:
        for number, told in ((0, "0 B"), (1500, "1.5 KiB"), (300 << 30, "300 GiB"), (None, "-")):
            self.assertEqual(told, text.size(number))
        for seconds, told in ((0, "0 s"), (119, "119 s"), (120, "2 min"), (200000, "2 d")):
            self.assertEqual(told, text.age(seconds))


def _volume(name: str, *tags: str, group_tags: tuple[str, ...] = ()) -> reports.LogicalVolume:
    tagged = frozenset(["cg-lvm.snapshot=monday", *tags])
    return reported.volume(name, tags=tagged, group_tags=frozenset(group_tags))


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

    def test_a_name_is_free_again_while_what_had_it_is_still_to_be_wiped(self) -> None:
        volumes = self._of(a=_volume("cggone-0123", "cg-lvm.members=1", group_tags=_GOING))
        naming.check_name(naming.SNAPSHOT, "monday", volumes)
        volumes["a"]["v.monday"] = _volume("v.monday", "cg-lvm.members=1")
        family = naming.find(volumes, "monday")
        self.assertEqual(["v.monday"], [volume.name for _group, volume in family.members])


_GOING = ("cg_ext.going=s:0-1-0:uuid",)
