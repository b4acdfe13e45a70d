# SPDX-License-Identifier: Apache-2.0
"""More of ``cg-lvm rollback``: killed at every step, back and forth, of members changed since."""

from cg_extension.drivers.lvm import commands
from cg_extension.tests.long import load_tests as load_tests
from cg_extension.tests.lvm import base, rollbacks

# Boundaries at which the command dies, and at the how manieth time.
_BEFORE = ("begun:1", "back_marked:1", "piece_copied:1", "new_made:1", "old_inactive:1")
_AFTER = (
    *("decided:1", "finished:1", "old_told:1", "old_told:2", "old_aside:1", "old_aside:2"),
    *("renamed:1", "renamed:2", "activated:1", "activated:2", "told:1", "told:2"),
    *("rolled_back:1", "rolled_back:2"),
)
# Those after which the first volume group has nothing left to be done: all is new in it by then.
_LEFT_IN_OTHER = ("rolled_back:1", "activated:2", "told:2", "rolled_back:2")


class LongRollbackTest(rollbacks.RollbackTestCase):
    def test_killed_at_any_step_all_are_old_or_all_are_new_after_the_next_command(self) -> None:
        self.write(b"1")
        self.snapshot("one")
        for number, boundary in enumerate([*_BEFORE, *_AFTER]):
            self.write(b"2")
            keep = f"before{number}"
            choice = ["finish", f"{self.other}/conf"]
            if boundary not in _LEFT_IN_OTHER:
                choice.append(f"{self.one}/data")
            self.kill(boundary, keep, choice[number % len(choice)])
            if boundary in _BEFORE:
                self.assert_all(b"2", None, boundary)
            else:
                self.assert_all(b"1", keep, boundary)

    def test_back_and_forth_between_group_snapshots_and_the_states_before(self) -> None:
        self.write(b"1")
        self.snapshot("one")
        self.write(b"2")
        self.snapshot("two")
        self.write(b"3")
        back = self.call("rollback", "one", "--keep-as", "three")
        self.assertEqual(("one", "three"), (back["rolled_back"], back["state_before"]))
        self.assertEqual({b"1"}, self.content())
        self.assertIn("mine", commands.VolumeGroup(self.one).volumes()["data"].tags)
        # To a younger one, to the state before, and to the first again.
        for number, (name, content) in enumerate([("two", b"2"), ("three", b"3"), ("one", b"1")]):
            self.call("rollback", name, "--keep-as", f"kept{number}")
            self.assertEqual({content}, self.content(), name)
            listed = {each["snapshot"]: each["state"] for each in self.call("list")["listed"]}
            self.assertEqual({"complete"}, set(listed.values()))
        shown = self.call("show", "three")
        self.assertEqual(
            sorted(self.members),
            sorted((v["volume_group"], v["source"]) for v in shown["volumes"]),
        )
        self.assertEqual(3, len({v["source_uuid"] for v in shown["volumes"]}))
        self.assert_nothing_pending()
        # A thick one of the state before bears the snapshots that were taken of it.
        self.assertIn("has a snapshot", self.call("delete", "three", status=1))
        for name in ("one", "two", "three"):
            self.call("delete", name)

    def test_volumes_that_were_extended_removed_or_renamed_since(self) -> None:
        self.write(b"1")
        self.snapshot("one")
        self.write(b"2")
        group, other = commands.VolumeGroup(self.one), commands.VolumeGroup(self.other)
        size = group.volumes()["data"].size
        base.run("lvextend", "--size", "+8M", f"{self.one}/data")
        base.run("lvrename", self.other, "conf", "renamed")
        self.assertIn(
            f"{self.other}/conf was renamed: it is {self.other}/renamed now",
            self.call("rollback", "one", status=1),
        )
        base.run("lvrename", self.other, "renamed", "conf")
        self.call("rollback", "one", "--keep-as", "two")
        self.assertEqual({b"1"}, self.content())
        volumes = group.volumes()
        self.assertEqual(
            (size, size + 8 * base.MIB), (volumes["data"].size, volumes["data.two"].size)
        )
        # Successors are known by the UUIDs of those in whose place they stand.
        base.run("lvrename", self.one, "data", "elsewhere")
        self.assertIn("was renamed", self.call("rollback", "one", status=1))
        base.run("lvremove", "--yes", f"{self.one}/elsewhere")
        self.call("rollback", "one", "--keep-as", "three")
        self.assertEqual({b"1"}, self.content())
        self.assertNotIn("data.three", group.volumes())
        self.assertIn("conf.three", other.volumes())
        base.run("lvremove", "--yes", f"{self.one}/data")
        base.run("lvcreate", "--yes", "-V", "8M", "--thin", "-n", "data", f"{self.one}/pool")
        self.assertIn("is not the volume that", self.call("rollback", "one", status=1))
        self.assert_nothing_pending()
