# SPDX-License-Identifier: Apache-2.0
"""``cg-lvm rollback`` and ``finish`` as their user meets them, on an LVM in memory."""

import contextlib
import errno
import io
import json
import pathlib
from typing import Any
from unittest import mock

import fixtures
from oslotest import base

from cg_extension.cmd import lvm
from cg_extension.cmd.lvm import pending
from cg_extension.cmd.lvm import rollback as rollback_command
from cg_extension.drivers.lvm import commands, errors, exchange, machine, rollback
from cg_extension.tests import long
from cg_extension.tests.unit.drivers.lvm import fake_lvm

# By volume: its group, and whether it is thin.
_MEMBERS = {"data": ("a", True), "wal": ("a", False), "conf": ("b", False)}

# Every so manieth step is cut after; test_rollback of the drivers cuts after each.
_EVERY = 1 if long.WANTED else 6


class RollbackCommandBase(base.BaseTestCase):
    """Three volumes in two volume groups, changed since the group snapshot ``one`` of them."""

    def setUp(self) -> None:
        super().setUp()
        self.notes = pathlib.Path(self.useFixture(fixtures.TempDir()).path) / "cg-lvm" / "rollbacks"
        self.booted = self.notes.parents[1] / "run" / "booted"
        self.booted.parent.mkdir()
        self.useFixture(fixtures.MockPatchObject(pending, "DIRECTORY", self.notes))
        self.useFixture(fixtures.MockPatchObject(pending, "BOOTED", self.booted))
        self.useFixture(fixtures.MockPatch("os.geteuid", return_value=0))
        self.lvm = self.useFixture(fake_lvm.FakeLVM(thin=False, groups=["a", "b"]))
        self.lvm.groups["a"].volumes["pool"] = fake_lvm.Volume(set(), is_pool=True)
        for name, (group, thin) in _MEMBERS.items():
            self.lvm.groups[group].volumes[name] = fake_lvm.Volume(
                {f"of-{name}"}, pool="pool" if thin else None, content="first"
            )
        self._call("snapshot", "a/data", "a/wal", "b/conf", "--name", "one")
        self._write("second")

    def _call(self, *arguments: str, status: int = 0) -> Any:
        output, complaint = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(complaint):
            self.assertEqual(status, lvm.main([*arguments, "--json"]), complaint.getvalue())
        return complaint.getvalue() if status else json.loads(output.getvalue())

    def _group_of(self, name: str) -> dict[str, fake_lvm.Volume]:
        return self.lvm.groups[_MEMBERS[name.partition(".")[0]][0]].volumes

    def _volume(self, name: str) -> fake_lvm.Volume:
        return self._group_of(name)[name]

    def _write(self, content: str) -> None:
        for name in _MEMBERS:
            self._volume(name).content = content

    def _content(self) -> set[str]:
        return {self._volume(name).content.partition(" at ")[0] for name in _MEMBERS}

    def _waiting(self) -> set[str]:
        tags = {tag for group in self.lvm.groups.values() for tag in group.tags}
        return {tag for tag in tags if exchange.is_pending([tag])}

    def _noted(self) -> list[str]:
        return [file.read_text().strip() for file in self.notes.iterdir()]

    def _rename(self, group: str, old: str, new: str) -> None:
        volumes = self.lvm.groups[group].volumes
        volumes[new] = volumes.pop(old)


class RollbackTest(RollbackCommandBase):
    def test_all_are_what_they_were_and_the_state_before_is_a_group_snapshot(self) -> None:
        back = self._call("rollback", "one", "--keep-as", "two")
        self.assertEqual({"first"}, self._content())
        self.assertEqual("data.two", back["volumes"][0]["before"])
        listed = {each["snapshot"]: each for each in self._call("list")["listed"]}
        self.assertEqual({"one", "two"}, set(listed))
        self.assertEqual("complete", listed["two"]["state"])
        self.assertEqual(["a", "b"], listed["two"]["volume_groups"])
        self.assertIsNotNone(listed["two"]["instant"])
        self.assertEqual("crash-consistent", listed["two"]["consistency"])
        self.assertEqual([], self._noted())

    def test_one_can_go_back_and_forth_among_all_of_them(self) -> None:
        self._call("snapshot", "a/data", "a/wal", "b/conf", "--name", "two")
        self._write("third")
        turns = [("one", "first"), ("two", "second"), ("k0", "third"), ("k1", "first")]
        for turn, (name, content) in enumerate([*turns, ("one", "first"), ("k0", "third")]):
            self._call("rollback", name, "--keep-as", f"k{turn}")
            self.assertEqual({content}, self._content(), f"turn {turn}")

    def test_it_does_not_end_however_often_it_is_done(self) -> None:
        for turn in range(40):
            self._call("rollback", "one", "--keep-as", f"k{turn}")
        self.assertEqual({"first"}, self._content())

    def test_members_keep_what_users_tagged_them_with(self) -> None:
        self._call("rollback", "one", "--keep-as", "two")
        self._call("rollback", "one", "--keep-as", "three")
        for name in _MEMBERS:
            self.assertIn(f"of-{name}", self._volume(name).tags)
            of_ours = [tag for tag in self._volume(name).tags if tag.startswith("cg-lvm.")]
            self.assertEqual([], of_ours)

    def test_a_clone_that_is_rolled_back_is_that_clone_still(self) -> None:
        self._call("clone", "a/data", "--name", "live")
        self.lvm.groups["a"].volumes["data.live"].content = "first"
        self._call("snapshot", "a/data.live", "--name", "of-live")
        self._call("rollback", "of-live", "--keep-as", "kept")
        listed = self._call("list")["listed"]
        states = {e.get("clone") or e.get("snapshot"): (e["members"], e["state"]) for e in listed}
        for name in ("live", "of-live", "kept"):
            self.assertEqual((1, "complete"), states[name])

    def test_the_state_before_has_a_name_of_its_time_unless_told(self) -> None:
        self.assertRegex(
            self._call("rollback", "one")["state_before"], r"^before-rollback-\d{8}T\d{6}Z$"
        )

    def test_what_was_inactive_stays_so(self) -> None:
        self._volume("data").active = False
        self._call("rollback", "one")
        self.assertEqual(
            [False, True, True], [self._volume(name).active for name in ("data", "wal", "conf")]
        )


class InterruptTest(RollbackCommandBase):
    def test_what_was_decided_is_not_said_to_be_undone(self) -> None:
        with mock.patch.object(exchange, "_retag_old", side_effect=KeyboardInterrupt):
            complaint = self._call("rollback", "one", status=1)
        self.assertIn("is decided, and not finished: use none of its volumes", complaint)
        self.assertIn("(interrupted)", complaint)
        self.lvm.restart()
        self._call("finish")
        self.assertEqual({"first"}, self._content())

    def test_before_that_all_is_as_it_was(self) -> None:
        with mock.patch.object(rollback, "_deactivate_all", side_effect=KeyboardInterrupt):
            self.assertIn("interrupted", self._call("rollback", "one", status=1))
        self.assertEqual(({"second"}, set(), []), (self._content(), self._waiting(), self._noted()))


class FailureTest(RollbackCommandBase):
    def test_what_fails_before_it_is_decided_leaves_all_active_wherever_its_undoing_is_cut(
        self,
    ) -> None:
        self._call("snapshot", "a/data", "a/wal", "--name", "alone")
        error = errors.LVMError("made to")
        for module, function, effects, name in (
            (rollback, "_add_receipts", error, "one"),
            (commands, "flush", error, "one"),
            # The second flush is that of the decision, which is taken back.
            (commands, "flush", [None, error, *[None] * 100], "alone"),
        ):
            for steps in range(100):
                call = ("rollback", name, "--keep-as", f"k{steps}")
                with mock.patch.object(module, function, side_effect=effects):
                    cut = self.lvm.is_cut(steps, False, lambda: self._call(*call, status=1))  # noqa: B023
                self._call("finish")
                self.assertEqual({"second"}, self._content())
                self.assertEqual([], [n for n in _MEMBERS if not self._volume(n).active], steps)
                if not cut:
                    break
            self.assertGreater(steps, 20)


class CutBase(RollbackCommandBase):
    """A kill amid the exchange of names."""

    def setUp(self) -> None:
        super().setUp()
        self._call("snapshot", "a/data", "--name", "alone")
        self._write("third")

    def _cut(self, name: str, after: str = "lvm.old_told") -> None:
        """The state before has its tags already, and its volumes still have their old names."""

        def checkpoint(step: str) -> None:
            if step == after:
                raise fake_lvm.Cut

        with (
            mock.patch.object(exchange.steps, "checkpoint", checkpoint),
            contextlib.suppress(fake_lvm.Cut),
        ):
            self._call("rollback", name, "--keep-as", "kept")
        self.lvm.restart()
        tags = {tag for volume in self._group_of("data").values() for tag in volume.tags}
        self.assertIn("cg-lvm.snapshot=kept", tags)


class CutTest(CutBase):
    """The next command names the state before."""

    def _deleted(self) -> set[str]:
        return {each["volume"] for each in self._call("delete", "kept")["volumes"]}

    def test_it_is_deleted_and_not_what_has_got_its_name(self) -> None:
        self._cut("alone")
        self.assertEqual({"data.kept"}, self._deleted())
        self.assertEqual("second", self._volume("data").content.partition(" at ")[0])
        self.assertNotIn("data.kept", self.lvm.groups["a"].volumes)

    def test_it_is_deleted_in_all_its_volume_groups(self) -> None:
        self._cut("one")
        for name in ("wal.one", "conf.one"):  # thick snapshots of what is deleted
            del self._group_of(name)[name]
        self.assertEqual({"data.kept", "wal.kept", "conf.kept"}, self._deleted())
        self.assertEqual({"first"}, self._content())
        for name in _MEMBERS:
            self.assertNotIn(f"{name}.kept", self._group_of(name))

    def test_it_is_cloned(self) -> None:
        self._cut("alone")
        self._call("clone", "a", "--from", "kept", "--name", "look")
        self.assertEqual("third", self._volume("data.look").content.partition(" at ")[0])

    def test_it_is_refused_while_that_can_not_be_finished(self) -> None:
        self._cut("alone")
        with mock.patch.object(exchange, "finish"):
            complaint = self._call("delete", "kept", status=1)
        self.assertIn("is about to put another volume in the place of a/data", complaint)
        self.assertEqual("third", self._volume("data").content)


class StrangerTest(CutBase):
    """A volume that somebody makes amid the exchange has one of its names."""

    def test_it_is_told_and_not_touched(self) -> None:
        for name, after in (("data", "lvm.old_aside"), ("data.kept", "lvm.old_told")):
            self._cut("alone", after)
            stranger = fake_lvm.Volume(set(), pool="pool", content="another's")
            self._group_of("data")[name] = stranger
            complaint = self._call("finish", status=1)
            self.assertIn(f"a/{name} has appeared where the rollback puts a volume", complaint)
            self.assertEqual((set(), True), (stranger.tags, stranger.active))
            self._rename("a", name, "stranger")
            self._call("finish")
            self.assertEqual("second", self._volume("data").content.partition(" at ")[0])
            self.assertEqual("third", self._volume("data.kept").content.partition(" at ")[0])
            self._call("delete", "kept")
            self._write("third")


class RefusalTest(RollbackCommandBase):
    """Each is refused by name and reason, and nothing is changed."""

    def _refusal(self, *arguments: str) -> str:
        complaint = self._call("rollback", *(arguments or ("one",)), status=1)
        self.assertNotIn("before-rollback", " ".join(self.lvm.groups["a"].volumes))
        self.assertEqual(set(), self._waiting())
        return complaint

    def test_one_that_is_not_there(self) -> None:
        self.assertIn("there is no group snapshot monday", self._refusal("monday"))

    def test_one_that_is_not_complete(self) -> None:
        del self.lvm.groups["b"].volumes["conf.one"]
        self.assertIn("group snapshot one is not complete", self._refusal())

    def test_a_member_that_was_renamed_is_told_with_its_name(self) -> None:
        self._rename("a", "data", "other")
        refusal = self._refusal()
        self.assertIn("a/data was renamed: it is a/other now", refusal)
        self.assertIn("lvrename a other data", refusal)

    def test_a_renamed_successor_is_told_with_its_name(self) -> None:
        self._call("rollback", "one", "--keep-as", "two")
        self._rename("a", "data", "other")
        self._write_others()
        self.assertIn("a/data was renamed: it is a/other now", self._refusal())

    def _write_others(self) -> None:
        for name in ("wal", "conf"):
            self._volume(name).content = "third"

    def test_another_volume_of_a_members_name(self) -> None:
        self.lvm.groups["a"].volumes["data"] = fake_lvm.Volume(set(), pool="pool")
        self.assertIn("a/data is not the volume that a/data.one was taken of", self._refusal())

    def test_a_part_of_another_volume_that_has_a_members_name(self) -> None:
        self.lvm.groups["a"].volumes["wal"].layout = "private"
        self.assertIn("a/wal is a part of another volume", self._refusal())

    def test_a_member_in_use_is_told(self) -> None:
        self.lvm.in_use = {"wal"}
        self.assertIn("a/wal is in use", self._refusal())
        self.assertEqual({"second"}, self._content())
        self.assertEqual([], self._noted())

    def test_a_name_for_the_state_before_that_is_taken_or_none(self) -> None:
        self.assertIn("there already: a/data.one", self._refusal("one", "--keep-as", "one"))
        self.assertIn("not a name for LVM", self._refusal("one", "--keep-as", "a/b"))
        self.assertIn("too long a name", self._refusal("one", "--keep-as", "x" * 126))
        complaint = self._refusal("one", "--keep-as", "old_tdata2")  # LVM would not rename to that
        self.assertIn("which keeps _tdata for itself", complaint)

    def test_notes_that_can_not_be_written(self) -> None:
        self.notes.parent.mkdir()
        self.notes.write_text("a file")
        self.assertIn("can't be written", self._refusal())


class BootTest(RollbackCommandBase):
    """``--at-boot``, its cancelling, and what ``finish`` does at boot."""

    def _reboot(self) -> Any:
        self.booted.unlink(missing_ok=True)
        self.lvm.restart()
        return self._call("finish", "--at-boot")

    def test_what_was_asked_for_is_done_at_the_next_boot_and_only_there(self) -> None:
        self.lvm.in_use = {"data"}
        self._call("rollback", "one", "--at-boot", "--keep-as", "two")
        self.assertEqual(({"second"}, {"a", "b"}), (self._content(), set(self._noted())))
        self.assertEqual("one", self._call("finish")["waiting_for_the_boot"])
        self.assertEqual({"second"}, self._content())
        self.lvm.in_use = set()
        self.assertEqual("one", self._reboot()["finished"])
        self.assertEqual({"first"}, self._content())
        self.assertEqual("second", self._volume("data.two").content)
        self.assertEqual((set(), []), (self._waiting(), self._noted()))
        self.assertEqual("nothing was to be finished", self._reboot()["finished"])

    def test_a_unit_that_is_started_again_before_the_next_boot_does_not_do_it(self) -> None:
        """``test_packaging`` shows that the unit is not run where there is this file."""
        self.assertFalse(self.booted.exists())
        self._call("rollback", "one", "--at-boot")
        self.assertTrue(self.booted.exists())
        self.booted.unlink()
        self._call("rollback", "--cancel", "one")
        self._reboot()
        self.assertTrue(self.booted.exists())

    def test_it_is_refused_where_that_can_not_be_seen_to(self) -> None:
        self.booted.parent.rmdir()
        self.booted.parent.write_text("a file")
        complaint = self._call("rollback", "one", "--at-boot", status=1)
        self.assertIn(f"{self.booted.parent}: File exists", complaint)
        self.assertEqual(set(), self._waiting())
        done = self._call("finish", "--at-boot")
        self.assertEqual("nothing was to be finished", done["finished"])

    def test_a_boot_that_would_not_do_it_is_told(self) -> None:
        places = [pathlib.Path(self.useFixture(fixtures.TempDir()).path) for _ in range(2)]
        self.useFixture(fixtures.MockPatchObject(pending, "_UNIT_DIRECTORIES", places))

        def warnings() -> str:
            answer = self._call("rollback", "one", "--at-boot", "--keep-as", "kept")
            return "".join(answer["warnings"])

        self.assertIn("local-fs.target wants no cg-lvm-rollback.service", warnings())
        (places[1] / "cg-lvm-rollback.service").touch()
        self.assertIn("local-fs.target wants no", warnings())
        (places[1] / "local-fs.target.wants").mkdir()
        (places[1] / "local-fs.target.wants/cg-lvm-rollback.service").symlink_to("..")
        self.assertEqual("", warnings())
        (places[0] / "cg-lvm-rollback.service").symlink_to("/dev/null")
        self.assertIn("is masked", warnings())

    def test_cancelled_it_is_not_done(self) -> None:
        self._call("rollback", "one", "--at-boot")
        self._call("rollback", "--cancel", "one")
        self.assertEqual((set(), []), (self._waiting(), self._noted()))
        self._reboot()
        self.assertEqual({"second"}, self._content())
        self.assertIn(
            "no rollback to one waits", self._call("rollback", "--cancel", "one", status=1)
        )

    def test_what_was_cancelled_is_told_so_although_its_note_stays(self) -> None:
        self._call("rollback", "one", "--at-boot")
        refusal = OSError(errno.EROFS, "Read-only file system", "/etc/x")
        with mock.patch.object(pending, "clear", side_effect=refusal):
            self.assertEqual("one", self._call("rollback", "--cancel", "one")["called_off"])
        self.assertEqual((set(), {"a", "b"}), (self._waiting(), set(self._noted())))
        self._reboot()
        self.assertEqual(({"second"}, []), (self._content(), self._noted()))

    def test_of_those_of_one_name_the_one_that_is_meant_is_cancelled(self) -> None:
        self._call("snapshot", "a/wal", "--name", "same")
        self.lvm.groups["b"].volumes["more"] = fake_lvm.Volume(set())
        self._call("snapshot", "b/more", "--name", "same")
        for group in ("a", "b"):
            self._call("rollback", group, "same", "--at-boot")
        complaint = self._call("rollback", "same", "--cancel", status=1)
        self.assertIn("several rollbacks to same wait for the next boot (in a, b)", complaint)
        self._call("rollback", "b", "same", "--cancel")
        self.assertEqual(["a"], self._noted())
        complaint = self._call("rollback", "b", "same", "--cancel", status=1)
        self.assertIn("no rollback to same waits for the next boot in volume group b", complaint)

    def test_it_is_cancelled_by_any_of_its_volume_groups_or_when_it_is_gone(self) -> None:
        self._call("rollback", "one", "--at-boot")
        self._call("rollback", "b", "one", "--cancel")
        self.assertEqual((set(), []), (self._waiting(), self._noted()))
        self._call("rollback", "one", "--at-boot")
        for name in _MEMBERS:  # by lvremove
            del self._group_of(name)[f"{name}.one"]
        self._call("rollback", "a", "one", "--cancel")
        self.assertEqual((set(), []), (self._waiting(), self._noted()))

    def test_until_then_what_it_needs_is_not_deleted(self) -> None:
        self._call("snapshot", "b/conf", "--name", "on")
        self._call("rollback", "one", "--at-boot")
        for group in ([], ["a"], ["b"]):
            complaint = self._call("delete", *group, "one", status=1)
            self.assertIn("a rollback to one waits for the next boot, and needs it", complaint)
        self._call("delete", "on")
        self._reboot()
        self.assertEqual({"first"}, self._content())

    def test_another_waits_and_is_named(self) -> None:
        self._call("rollback", "one", "--at-boot")
        for number, member in enumerate(("a/data", "b/conf")):
            self._call("snapshot", member, "--name", f"two{number}")
            for when in ([], ["--at-boot"]):
                complaint = self._call("rollback", f"two{number}", *when, status=1)
                self.assertIn(
                    "a rollback to one waits for the next boot: cg-lvm rollback --cancel one",
                    complaint,
                )

    def test_what_can_not_be_done_at_boot_is_called_off_and_told(self) -> None:
        self._call("rollback", "one", "--at-boot")
        self.lvm.in_use = {"conf"}
        self.lvm.restart()
        complaint = self._call("finish", "--at-boot", status=1)
        self.assertIn("not rolled back to one, and no longer to be: b/conf is in use", complaint)
        self.assertEqual(({"second"}, set(), []), (self._content(), self._waiting(), self._noted()))

    def test_what_can_not_even_be_called_off_is_told_and_keeps_no_other_from_being_done(
        self,
    ) -> None:
        for name, volume in (("of-a", "a/wal"), ("of-b", "b/conf")):
            self._call("snapshot", volume, "--name", name)
            self._call("rollback", name, "--at-boot")
        self._write("third")
        self.lvm.in_use = {"wal"}
        self.lvm.restart()
        with mock.patch.object(rollback_command, "_call_off", side_effect=errors.LVMError("full")):
            complaint = self._call("finish", "--at-boot", status=1)
        self.assertIn("not rolled back to of-a: a/wal is in use", complaint)
        self.assertIn("could not be called off (full), so the next boot tries again", complaint)
        self.assertEqual("second", self._volume("conf").content.partition(" at ")[0])
        self.assertEqual(["a"], self._noted())

    def test_what_the_system_refuses_at_boot_is_called_off_as_well(self) -> None:
        self._call("rollback", "one", "--at-boot")
        self.lvm.restart()
        refusal = OSError(errno.ENOSPC, "No space left on device", "/run/x")
        with mock.patch.object(rollback, "roll_back", side_effect=refusal):
            complaint = self._call("finish", "--at-boot", status=1)
        self.assertIn("and no longer to be: /run/x: No space left on device", complaint)
        self.assertEqual(({"second"}, set(), []), (self._content(), self._waiting(), self._noted()))

    def test_what_is_decided_at_boot_and_fails_then_is_not_called_off(self) -> None:
        self._call("rollback", "one", "--at-boot")
        self.lvm.restart()
        with self.lvm.failing("lvrename"):
            complaint = self._call("finish", "--at-boot", status=1)
        self.assertIn("one: the rollback is decided, and not finished", complaint)
        self.assertEqual({"a", "b"}, set(self._noted()))
        self.lvm.restart()
        self._call("finish", "--at-boot")
        self.assertEqual(({"first"}, set(), []), (self._content(), self._waiting(), self._noted()))

    def test_nor_is_it_when_the_system_refuses_something_then(self) -> None:
        self._call("rollback", "one", "--at-boot")
        self.lvm.restart()
        refusal = OSError(errno.ENOSPC, "No space left on device", "/run/x")
        with (
            mock.patch.object(exchange, "_retag_old", side_effect=refusal),
            mock.patch.object(pending, "clear", side_effect=refusal),
        ):
            complaint = self._call("finish", "--at-boot", status=1)
        self.assertIn("one: the rollback is decided, and not finished", complaint)
        self.assertIn("(/run/x: No space left on device)", complaint)
        self.lvm.restart()
        self._call("finish", "--at-boot")
        self.assertEqual(({"first"}, set(), []), (self._content(), self._waiting(), self._noted()))

    def test_the_one_that_waits_is_found_among_others_of_its_name(self) -> None:
        self._call("snapshot", "a/wal", "--name", "same")
        self.lvm.groups["b"].volumes["more"] = fake_lvm.Volume(set())
        self._call("snapshot", "b/more", "--name", "same")
        self._call("rollback", "a", "same", "--at-boot")
        self.assertEqual("same", self._call("finish", "--at-boot")["finished"])

    def test_volumes_that_the_boot_itself_needs_are_refused_when_it_is_asked_for(self) -> None:
        number = "254:1"
        for found, reason in (
            (machine.Machine({number: []}, [machine.Mount("/", [number])], []), "holds /, which"),
            (machine.Machine({number: []}, [], [number]), "holds swap of this machine"),
        ):
            with mock.patch.object(machine, "read", return_value=found):
                complaint = self._call("rollback", "one", "--at-boot", status=1)
            self.assertIn(reason, complaint)
            self.assertEqual(set(), self._waiting())

    def test_a_power_cut_at_any_step_is_noted_for_the_boot_which_puts_it_right(self) -> None:
        outcomes = set()
        for steps in range(0, 200, _EVERY):
            keep = f"k{steps}"
            self._write("second")
            call = ("rollback", "one", "--keep-as", keep)
            cut = self.lvm.is_cut(steps, False, lambda: self._call(*call))  # noqa: B023
            if self._waiting():
                self.assertEqual({"a", "b"}, set(self._noted()), steps)
            self._call("finish", "--at-boot")
            self._call("finish", "--at-boot")
            self.assertIn(self._content(), ({"first"}, {"second"}), steps)
            self.assertEqual((set(), []), (self._waiting(), self._noted()))
            outcomes |= self._content()
            if not cut:
                break
        self.assertEqual({"first", "second"}, outcomes)

    def test_a_power_cut_in_the_boot_keeps_it_from_nothing(self) -> None:
        for steps in range(0, 200, _EVERY):
            self._write("second")
            self._call("rollback", "one", "--at-boot", "--keep-as", f"k{steps}")
            cut = self.lvm.is_cut(steps, False, lambda: self._call("finish", "--at-boot"))
            self._call("finish", "--at-boot")
            self.assertEqual({"first"}, self._content(), steps)
            self.assertEqual((set(), []), (self._waiting(), self._noted()), steps)
            if not cut:
                break
        self.assertGreater(steps, 20)

    def test_what_was_answered_needs_no_boot_that_looks_though_disks_lose_what_they_cached(
        self,
    ) -> None:
        self._call("rollback", "one", "--keep-as", "two")
        self.lvm.lose_cache(["a", "b"])
        self.assertEqual([], self._noted())
        self.assertEqual(set(), self._waiting())
        self.assertEqual({"first"}, self._content())

    def test_what_is_in_doubt_while_a_volume_group_is_missing_is_told(self) -> None:
        steps = 0
        while not any(tag.startswith("cg_ext.made") for tag in self.lvm.groups["a"].tags):
            self._call("finish")
            self.lvm.is_cut(steps, False, lambda: self._call("rollback", "one"))
            steps += 1
        self.lvm.missing = {"a"}
        complaint = self._call("finish", status=1)
        self.assertIn("in volume group b was cut short, and can't be finished before", complaint)
        self.lvm.missing = set()
        self._call("finish")
        self.assertEqual(({"first"}, []), (self._content(), self._noted()))

    def test_the_note_of_a_missing_volume_group_stays_and_is_told(self) -> None:
        self._call("rollback", "one", "--at-boot")
        self.lvm.missing = {"b"}
        complaint = self._call("finish", "--at-boot", status=1)
        self.assertIn("group snapshot one is not complete", complaint)
        self.assertIn("volume group b is missing, and may have its part", complaint)
        self.assertEqual(["b"], self._noted())
        self.lvm.missing = set()
        self._call("finish", "--at-boot")
        self.assertEqual([], self._noted())
