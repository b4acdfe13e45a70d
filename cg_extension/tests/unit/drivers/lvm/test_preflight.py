# SPDX-License-Identifier: Apache-2.0
"""What is refused before anything is frozen, and the order of suspends."""

import os
from unittest import mock

import fixtures
from oslotest import base

from cg_extension.drivers.lvm import errors, machine, preflight, sets
from cg_extension.tests.unit.drivers.lvm import reported

MEMBERS = {"254:1": "vg-a", "254:2": "vg-b", "254:3": "vg-c"}


def _machine(
    below: dict[str, list[str]] | None = None,
    mounts: list[tuple[str, str]] | None = None,
    swaps: list[str] | None = None,
) -> machine.Machine:
    return machine.Machine(
        below or {}, [machine.Mount(point, [device]) for point, device in mounts or []], swaps or []
    )


def _volume(name: str, pool: str | None = "pool", *traits: str) -> tuple:
    facts = {"pool": pool, "thin_id": 1 if pool else None, "number": "254:1"}
    return name, reported.volume(name, **facts, traits=frozenset(["public", *traits]))


class MembersTest(base.BaseTestCase):
    def _refusal(self, volumes: dict, names: list[str]) -> str:
        return str(self.assertRaises(errors.Refusal, preflight.check_members, volumes, "vg", names))

    def test_all_in_one_pool_pass(self) -> None:
        preflight.check_members(dict([_volume("a"), _volume("b")]), "vg", ["a", "b"])

    def test_one_of_another_group_is_named(self) -> None:
        self.assertIn("elsewhere", self._refusal(dict([_volume("a")]), ["a", "elsewhere"]))

    def test_one_whose_name_a_rollback_is_about_to_give_or_has_given_to_another(self) -> None:
        """Some of the members would be those of before it, and some those after it."""
        for name in ("new", "a"):
            given = reported.volume(name, pool="pool", tags=frozenset([f"{sets.TAKES}a"]))
            volumes = {**dict([_volume("a"), _volume("b")]), name: given}
            self.assertIn("in the place of a in", self._refusal(volumes, ["a", "b"]))
            preflight.check_members(volumes, "vg", ["b"])

    def test_of_a_rollback_that_was_called_off_nothing_is_in_the_way(self) -> None:
        tags = frozenset([f"{sets.TAKES}a", sets.member_tag("s")])
        for mark, is_left in (
            (sets.mark(sets.GOING, "s"), True),
            (f"{sets.BEGUN}s:gone-1-1", True),
            (sets.mark(sets.BEGUN, "s"), False),
            (sets.mark(sets.GOING, "other"), False),
        ):
            new = reported.volume("new", pool="pool", tags=tags, group_tags=frozenset([mark]))
            volumes = {**dict([_volume("a")]), "new": new}
            if is_left:
                preflight.check_members(volumes, "vg", ["a"])
            else:
                self.assertIn("in the place of a in", self._refusal(volumes, ["a"]))

    def test_two_pools_are_refused(self) -> None:
        self.assertIn("pools", self._refusal(dict([_volume("a"), _volume("b", "p2")]), ["a", "b"]))

    def test_thin_and_thick_together_are_refused(self) -> None:
        self.assertIn("thick", self._refusal(dict([_volume("a"), _volume("b", None)]), ["a", "b"]))

    def test_all_of_kinds_that_can_t_be_members_are_named_with_the_reason(self) -> None:
        volumes = dict(
            [_volume("a", None, "thicksnapshot"), _volume("b"), _volume("c", None, "pool")]
        )
        refusal = self._refusal(volumes, ["a", "b", "c"])
        self.assertIn("a is a thick snapshot", refusal)
        self.assertIn("vg/c is a pool", refusal)
        self.assertNotIn("b ", refusal)


class OwnFilesTest(base.BaseTestCase):
    def test_a_member_with_nothing_of_ours_passes(self) -> None:
        found = _machine(mounts=[("/", "8:1"), ("/data", "254:1")])
        preflight.check_own_files(found, MEMBERS, ["/usr", "/database"])

    def test_a_file_on_a_member_is_refused_and_named(self) -> None:
        found = _machine(mounts=[("/", "8:1"), ("/nowhere", "254:1")])
        refusal = self.assertRaises(
            errors.Refusal, preflight.check_own_files, found, MEMBERS, ["/nowhere/log"]
        )
        self.assertIn("/nowhere/log", str(refusal))

    def test_the_directory_in_which_it_is_called_is_told_as_that(self) -> None:
        here = os.getcwd()
        found = _machine(mounts=[("/", "8:1"), (os.path.realpath(here), "254:1")])
        refusal = self.assertRaises(
            errors.Refusal, preflight.check_own_files, found, MEMBERS, [here]
        )
        self.assertIn(f"holds {here}, where this is called: cd elsewhere", str(refusal))

    def test_the_innermost_mount_counts(self) -> None:
        found = _machine(mounts=[("/nowhere", "254:1"), ("/nowhere/deep", "8:1")])
        preflight.check_own_files(found, MEMBERS, ["/nowhere/deep/log"])

    def test_a_device_between_mount_and_member_hides_nothing(self) -> None:
        found = _machine(below={"254:9": ["254:1"]}, mounts=[("/", "254:9")])
        self.assertRaises(errors.Refusal, preflight.check_own_files, found, MEMBERS, ["/usr/bin"])

    def test_swap_on_a_member_is_refused(self) -> None:
        self.assertRaises(
            errors.Refusal, preflight.check_own_files, _machine(swaps=["254:2"]), MEMBERS, []
        )

    def test_a_working_directory_that_was_removed_is_in_nobodys_way(self) -> None:
        with mock.patch("os.getcwd", side_effect=FileNotFoundError):
            self.assertIn("/run", preflight.own_paths())

    def test_what_this_process_has_open_is_among_its_own_paths(self) -> None:
        with open(__file__) as file:
            self.assertIn(os.path.realpath(file.name), preflight.own_paths())


class OrderTest(base.BaseTestCase):
    def test_names_decide_among_equals(self) -> None:
        self.assertEqual(["vg-a", "vg-b", "vg-c"], preflight.suspend_order(_machine(), MEMBERS))

    def test_a_member_above_another_is_suspended_before_it(self) -> None:
        found = _machine(below={"254:3": ["7:0"], "7:0": ["254:1"]})
        self.assertEqual(["vg-c", "vg-a", "vg-b"], preflight.suspend_order(found, MEMBERS))

    def test_members_that_share_a_file_system_are_held_without_freezing_it(self) -> None:
        mounts = [
            machine.Mount("/wide", ["254:1", "254:9"], "btrfs"),
            machine.Mount("/plain", ["254:3"], "ext4"),
            machine.Mount("/merged", ["254:1", "254:3"], "overlay"),
        ]
        found = machine.Machine({"254:9": ["254:2"]}, mounts, [])
        self.assertEqual({"vg-a", "vg-b"}, preflight.parts_of_file_systems(found, MEMBERS))
        self.assertEqual(set(), preflight.parts_of_file_systems(found, {"254:1": "vg-a"}))


class StackedGroupsTest(base.BaseTestCase):
    def test_a_member_below_a_group_with_members_is_refused_and_named(self) -> None:
        self.useFixture(fixtures.MockPatchObject(preflight, "device_behind", lambda path: path))
        found = _machine(below={"7:0": ["254:1"], "7:1": ["8:1"]})
        preflight.check_not_below(found, "upper", ["7:1"], MEMBERS)
        refusal = self.assertRaises(
            errors.Refusal, preflight.check_not_below, found, "upper", ["7:1", "7:0"], MEMBERS
        )
        self.assertIn("vg-a holds 7:0, a disk of volume group upper", str(refusal))
