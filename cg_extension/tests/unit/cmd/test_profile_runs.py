# SPDX-License-Identifier: Apache-2.0
"""``cg-lvm run`` as a user calls it, with LVM and device-mapper stood in for, hooks in earnest."""

import contextlib
import datetime
import errno
import getpass
import io
import itertools
import json
import os
import pathlib
import resource
import signal
import sys
from collections.abc import Iterator
from typing import Any
from unittest import mock

import fixtures
from oslotest import base

from cg_extension.cmd import lvm
from cg_extension.cmd.lvm import keeping
from cg_extension.cmd.lvm.profiles import exits, hooks, pruning, reading, report
from cg_extension.cmd.lvm.profiles import state as states
from cg_extension.drivers.lvm import errors, retake
from cg_extension.tests.unit.drivers.lvm import fake_lvm

USER = getpass.getuser()
NOW = datetime.datetime(2026, 11, 27, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


class RunTestCase(base.BaseTestCase):
    thin = True

    def setUp(self) -> None:
        super().setUp()
        self.fake = self.useFixture(fake_lvm.FakeLVM(self.thin, groups=("vg", "vh")))
        self.directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.log = self.directory / "log"
        self.profiles = self.directory / "etc"
        self.profiles.mkdir()
        for module, value in ((states, self.directory / "run"), (reading, self.profiles)):
            self.useFixture(fixtures.MockPatchObject(module, "DIRECTORY", value))
        self.useFixture(fixtures.MockPatch("os.geteuid", return_value=0))
        if os.getuid() != 0:  # trusted as root is
            self.useFixture(fixtures.MockPatchObject(reading, "_ROOT", os.getuid()))
        pool = "pool" if self.thin else None
        self.fake.volumes["a"] = fake_lvm.Volume(set(), pool=pool, content="a")
        self.fake.volumes["b"] = fake_lvm.Volume(set(), pool=pool, content="b")
        self.write()

    def write(self, more: str = "", members: str = '["vg/a", "vg/b"]', name: str = "x") -> None:
        path = self.profiles / f"{name}.toml"
        path.write_text(f"members = {members}\n{more}\n")
        path.chmod(0o644)

    def hook(self, name: str, more: str = "", **scripts: str) -> str:
        """A hook for a profile; scripts have the log in ``$LOG``."""
        lines = [f'[[hooks]]\nname = "{name}"\nuser = "{USER}"\ntime-limit = 20\n{more}']
        lines += [
            f"{kind} = ['/bin/sh', '-c', '''LOG={self.log}; {script}''']"
            for kind, script in scripts.items()
        ]
        return "\n".join(lines) + "\n"

    def run_it(self, *arguments: str, status: int = 0) -> Any:
        """The JSON that is printed, or what is complained of."""
        output, complaints = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(complaints):
            given = lvm.main(["run", "--json", *(arguments or ("x",))])
        self.assertEqual(status, given, complaints.getvalue())
        return json.loads(output.getvalue()) if output.getvalue() else complaints.getvalue()

    def logged(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def add_taken(
        self,
        name: str,
        instant: datetime.datetime | None,
        *tags: str,
        profile: str | None = "x",
        volumes: tuple[str, ...] = ("a", "b"),
        members: int = 2,
    ) -> None:
        """A group snapshot, as an earlier run made it."""
        for volume in volumes:
            given = {f"cg-lvm.snapshot={name}", f"cg-lvm.members={members}", "cg_ext", *tags}
            given |= {f"cg-lvm.source={volume}"}
            if profile:
                given.add(f"cg-lvm.profile={profile}")
            if instant:
                given |= {f"cg_ext.instant={instant:%Y-%m-%dT%H:%M:%S}Z", "cg_ext.held=0.001"}
            pool = "pool" if self.thin else None
            made = fake_lvm.Volume(given, pool=pool, origin=volume, content=f"{volume} at {name}")
            self.fake.volumes[f"{volume}.{name}"] = made

    def there(self) -> set[str]:
        """The names of the group snapshots that there are."""
        return {name.partition(".")[2] for name in self.fake.volumes if "." in name}


class TakingTest(RunTestCase):
    def test_a_run_takes_one_group_snapshot_with_the_profiles_tag(self) -> None:
        taken = self.run_it()
        self.assertRegex(taken["snapshot"], r"^x-\d{8}T\d{6}Z$")
        self.assertEqual({taken["snapshot"]}, self.there())
        for volume in ("a", "b"):
            made = self.fake.volumes[f"{volume}.{taken['snapshot']}"]
            self.assertIn("cg-lvm.profile=x", made.tags)
            self.assertIn("cg-lvm.consistency=crash-consistent", made.tags)

    def test_its_name_is_as_the_pattern_says(self) -> None:
        self.write('name = "of_{profile}+{time}"')
        self.assertRegex(self.run_it()["snapshot"], r"^of_x\+\d{8}T\d{6}Z$")

    def test_members_may_be_in_several_volume_groups(self) -> None:
        self.fake.groups["vh"].volumes["c"] = fake_lvm.Volume(set(), content="c")
        self.write(members='["vg/a", "vh/c"]')
        taken = self.run_it()
        self.assertIn(f"c.{taken['snapshot']}", self.fake.groups["vh"].volumes)

    def test_what_it_does_is_told_in_words_as_well(self) -> None:
        self.fake.now = NOW
        self.add_taken("old", NOW - DAY)
        self.write("[keep]\nlast = 1")
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            self.assertEqual(0, lvm.main(["run", "x"]))
        first, second, third = output.getvalue().splitlines()
        self.assertRegex(
            first, r"^taken: x-\S+ of vg/a, vg/b \(crash-consistent; I/O held 1.000 ms"
        )
        self.assertRegex(second, r"^kept: x-\S+ \(last\)$")
        self.assertEqual("deleted: old", third)

    def test_a_member_that_is_not_there_is_told_before_any_hook_is_run(self) -> None:
        hook = self.hook("h", before='echo before >>"$LOG"')
        self.write(hook, members='["vg/a", "vg/gone"]')
        self.assertIn("there is no volume gone", self.run_it(status=1))
        self.assertEqual([], self.logged())

    def test_a_wrong_profile_has_a_status_of_its_own(self) -> None:
        self.write("keep = 1")
        self.assertIn("x.toml: keep is 1", self.run_it(status=exits.PROFILE))
        self.assertIn("there is no profile", self.run_it("y", status=exits.PROFILE))

    def test_a_second_run_at_the_same_time_is_refused(self) -> None:
        with states.alone("x"):
            self.assertIn("another run of profile x", self.run_it(status=exits.UNDER_WAY))
        self.assertEqual(set(), self.there())

    def test_a_run_that_fails_for_whatever_reason_is_one_entry_in_the_journal(self) -> None:
        with mock.patch.object(report, "journal") as journal:
            with states.alone("x"):
                self.run_it(status=exits.UNDER_WAY)
            self.write(members='["vg/missing"]')
            self.run_it(status=1)
            self.write("keep = 1")
            self.run_it(status=exits.PROFILE)
        self.assertEqual(
            [(report.FAILED, exits.UNDER_WAY), (report.FAILED, 1), (report.FAILED, exits.PROFILE)],
            [(call.args[0], call.kwargs["status"]) for call in journal.mock_calls],
        )


class KeepingTest(RunTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.fake.now = NOW
        self.write("[keep]\nlast = 2")

    def test_what_no_rule_keeps_is_deleted(self) -> None:
        for age in (1, 2, 3):
            self.add_taken(f"old{age}", NOW - age * DAY)
        done = self.run_it()
        self.assertEqual({"old1", done["snapshot"]}, self.there())
        self.assertEqual(["old2", "old3"], [each["snapshot"] for each in done["deleted"]])
        self.assertEqual([["last"], ["last"]], [each["rules"] for each in done["kept"]])

    def test_only_what_this_profile_made_is_deleted_whatever_its_name(self) -> None:
        self.add_taken("x-20260101T000000Z", NOW - 9 * DAY, profile=None)
        self.add_taken("x-20260102T000000Z", NOW - 8 * DAY, profile="y")
        self.add_taken("called-otherwise", NOW - 7 * DAY)
        self.add_taken("another", NOW - 6 * DAY)
        done = self.run_it()
        kept = {"x-20260101T000000Z", "x-20260102T000000Z", "another", done["snapshot"]}
        self.assertEqual(kept, self.there())

    def test_without_a_policy_nothing_is_deleted(self) -> None:
        self.write()
        self.add_taken("old", NOW - 999 * DAY)
        self.assertEqual([], self.run_it()["deleted"])

    def test_what_is_incomplete_never_counts_and_is_left_alone(self) -> None:
        self.add_taken("part", NOW - DAY, volumes=("a",))
        self.add_taken("old", NOW - 2 * DAY)
        done = self.run_it()
        self.assertEqual({"part", "old", done["snapshot"]}, self.there())
        self.assertEqual([{"snapshot": "part", "state": "incomplete"}], done["left"])

    def test_one_whose_instant_is_not_known_is_left_alone(self) -> None:
        self.add_taken("strange", None)
        self.assertEqual("strange", self.run_it()["left"][0]["snapshot"])
        self.assertIn("strange", self.there())

    def test_the_one_just_taken_is_kept_although_the_clock_went_back(self) -> None:
        self.add_taken("future1", NOW + DAY)
        self.add_taken("future2", NOW + 2 * DAY)
        done = self.run_it()
        self.assertIn(done["snapshot"], self.there())
        self.assertEqual(["this run"], done["kept"][-1]["rules"])

    def test_nothing_is_deleted_by_a_run_whose_own_snapshot_failed(self) -> None:
        for age in (1, 2, 3):
            self.add_taken(f"old{age}", NOW - age * DAY)
        with self.fake.failing("--snapshot"):
            self.run_it(status=1)
        self.assertEqual({"old1", "old2", "old3"}, self.there())

    def test_one_in_use_is_told_and_the_others_are_deleted(self) -> None:
        for age in (1, 2, 3):
            self.add_taken(f"old{age}", NOW - age * DAY)
        self.fake.in_use.add("a.old2")
        done = self.run_it(status=exits.TAKEN_BUT)
        self.assertEqual({"old1", "old2", done["snapshot"]}, self.there())
        self.assertIn("old2 not deleted: in use: a.old2", done["warnings"])

    def test_one_that_a_rollback_at_the_next_boot_needs_is_told_and_stays(self) -> None:
        for age in (1, 2, 3):
            self.add_taken(f"old{age}", NOW - age * DAY)
        self.fake.tags.add("cg_ext.wanted=old3:before-rollback-20261127T120000Z")
        done = self.run_it(status=exits.TAKEN_BUT)
        self.assertEqual({"old1", "old3", done["snapshot"]}, self.there())
        self.assertIn("old3 not deleted: a rollback to old3 waits", "".join(done["warnings"]))

    def test_what_the_system_refuses_after_it_is_taken_is_told_and_the_snapshot_stays(self) -> None:
        for age in (1, 2):
            self.add_taken(f"old{age}", NOW - age * DAY)
        refusal = OSError(errno.ENOSPC, "No space left on device", "/run/x")
        for where, told in ((keeping.delete, "old2 not deleted"), (pruning.look, "nothing delet")):
            module = sys.modules[where.__module__]
            self.write(f'name = "{where.__name__}-{{time}}"\n[keep]\nlast = 2')
            with mock.patch.object(module, where.__name__, side_effect=refusal):
                done = self.run_it(status=exits.TAKEN_BUT)
            self.assertIn(done["snapshot"], self.there())
            self.assertIn(told, done["warnings"][0])
            self.assertIn("/run/x: No space left on device", done["warnings"][0])

    def test_what_can_not_be_a_member_is_refused_before_any_hook_and_by_a_dry_run(self) -> None:
        self.fake.volumes["error"] = fake_lvm.Volume(set(), layout="error")
        for member, reason in (
            ("vg/nope", "there is no volume nope in volume group vg"),
            ("vg/error", "vg/error holds no data"),
        ):
            self.write(self.hook("h", before='echo begun >>"$LOG"'), members=f'["{member}"]')
            for arguments in (("x",), ("x", "--dry-run")):
                self.assertIn(reason, self.run_it(*arguments, status=1))
        self.assertEqual([], self.logged())

    def test_what_can_not_be_frozen_is_refused_before_any_hook_and_by_a_dry_run(self) -> None:
        refusal = errors.Refusal("vg-a holds swap of this machine: swapoff first")
        self.write(self.hook("h", before='echo begun >>"$LOG"', after='echo after >>"$LOG"'))
        with mock.patch.object(retake, "check", side_effect=refusal):
            for arguments in (("x",), ("x", "--dry-run")):
                self.assertIn("holds swap", self.run_it(*arguments, status=1))
        self.assertEqual([], self.logged())

    def test_a_dry_run_leaves_even_what_a_crash_has_left(self) -> None:
        self.fake.volumes["a.dead"] = fake_lvm.Volume(
            {"cg_ext", "cg_ext.set=dead"}, pool="pool", origin="a"
        )
        self.fake.tags.add("cg_ext.begun=dead:0-1-0")
        self.run_it("x", "--dry-run")
        self.assertIn("a.dead", self.fake.volumes)

    def test_a_full_run_is_told_with_the_file_that_has_no_room(self) -> None:
        full = OSError(errno.ENOSPC, "No space left on device")
        with mock.patch("pathlib.Path.write_text", side_effect=full):
            complaint = self.run_it(status=1)
        self.assertIn(f"cg-lvm: {self.directory}/run/x.new: No space left on device", complaint)

    @contextlib.contextmanager
    def _no_room(self) -> Iterator[None]:
        """No file can grow."""
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    def test_so_is_the_first_file_and_that_of_figures(self) -> None:
        with self._no_room():
            alone = self.assertRaises(OSError, states.alone("x").__enter__)
            figures = self.assertRaises(
                OSError, report.write_figures, self.directory, "x", 0.0, 0, None
            )
        self.assertEqual(f"{self.directory}/run/x.lock", alone.filename)
        self.assertEqual(f"{self.directory}/cg_lvm_x.prom", figures.filename)

    def test_a_name_that_gets_too_long_is_refused_by_a_dry_run(self) -> None:
        self.fake.volumes["v" * 120] = fake_lvm.Volume(set(), content="v")
        self.write(members=f'["vg/{"v" * 120}"]')
        for arguments in (("x",), ("x", "--dry-run")):
            self.assertIn("too long a name", self.run_it(*arguments, status=1))

    def test_a_dry_run_tells_and_changes_nothing(self) -> None:
        for age in (1, 2):
            self.add_taken(f"old{age}", NOW - age * DAY)
        hook = self.hook("h", before='echo before >>"$LOG"')
        self.write(f"[keep]\nlast = 2\n{hook}")
        before = set(self.fake.volumes)
        told = self.run_it("x", "--dry-run")
        self.assertEqual(before, set(self.fake.volumes))
        self.assertEqual([], self.logged())
        self.assertEqual(["vg/a", "vg/b"], told["members"])
        self.assertEqual([told["would_take"], "old1"], [each["snapshot"] for each in told["kept"]])
        self.assertEqual(["old2"], [each["snapshot"] for each in told["deleted"]])
        self.assertEqual("h", told["hooks"][0]["hook"])
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            lvm.main(["run", "x", "--dry-run"])
        self.assertIn("would delete: old2", output.getvalue().splitlines())


class ThickTest(RunTestCase):
    thin = False

    def test_what_is_lost_never_counts_and_is_deleted(self) -> None:
        self.write("[keep]\nlast = 2")
        self.add_taken("lost", NOW - DAY)
        self.fake.volumes["b.lost"].invalid = True
        self.add_taken("old", NOW - 2 * DAY)
        done = self.run_it()
        self.assertEqual({"old", done["snapshot"]}, self.there())
        self.assertEqual("lost", done["deleted"][0]["state"])


class PoolTest(RunTestCase):
    def test_a_pool_above_its_limit_is_told_and_nothing_is_taken_or_deleted(self) -> None:
        self.write("[keep]\nlast = 1\n[pool-limits]\ndata-percent = 50\nmetadata-percent = 60")
        self.add_taken("old1", NOW - DAY)
        self.add_taken("old2", NOW - 2 * DAY)
        for percents, told in (((50.5, 1.0), "50.5 % of the data"), ((1.0, 61.0), "61 % of the m")):
            self.fake.volumes["pool"].percents = percents
            for arguments in (("x",), ("x", "--dry-run")):
                complaint = self.run_it(*arguments, status=exits.POOL)
                self.assertIn(f"{told}", complaint)
                self.assertIn("nothing is deleted", complaint)
        self.assertEqual({"old1", "old2"}, self.there())
        self.fake.volumes["pool"].percents = (50.0, 60.0)
        self.run_it()

    def test_the_engine_holds_the_limits_too(self) -> None:
        self.write("[pool-limits]\ndata-percent = 50\nmetadata-percent = 60")
        asked = []
        real = retake.retake

        def spy(request: retake.Request) -> retake.Taken:
            asked.extend((part.data_limit, part.metadata_limit) for part in request.parts)
            return real(request)

        with mock.patch.object(retake, "retake", spy):
            self.run_it()
        self.assertEqual([(50.0, 60.0)], asked)


class HooksTest(RunTestCase):
    def test_hooks_stand_around_the_snapshot_and_the_receipt_says_so(self) -> None:
        seen = []
        real = self.fake._new_instant

        def instant() -> str:
            seen.append(self.logged())
            return real()

        session = "echo begun >>$LOG; echo ready; cat; echo ended >>$LOG"
        self.write(
            self.hook("s", 'consistency = "locked"', session=session)
            + self.hook("h", before="echo before >>$LOG", after="echo after $CG_LVM_RESULT >>$LOG")
        )
        with mock.patch.object(self.fake, "_new_instant", instant):
            done = self.run_it()
        self.assertEqual(["begun", "before"], seen[-1])
        self.assertEqual(["begun", "before", "ended", "after taken"], self.logged())
        made = self.fake.volumes[f"a.{done['snapshot']}"]
        self.assertIn("cg-lvm.consistency=locked", made.tags)
        self.assertNotIn("cg-lvm.consistency=crash-consistent", made.tags)

    def test_a_before_hook_that_fails_stops_the_run(self) -> None:
        self.write(
            self.hook("a", before="true", after="echo after a $CG_LVM_RESULT >>$LOG")
            + self.hook("b", before="exit 9", after="echo after b >>$LOG")
            + self.hook("c", before="echo c >>$LOG", after="echo after c >>$LOG")
        )
        self.assertIn("hook b ended with status 9", self.run_it(status=1))
        self.assertEqual(set(), self.there())
        self.assertEqual(["after b", "after a failed"], self.logged())

    def test_after_hooks_are_run_when_the_snapshot_fails(self) -> None:
        self.write(self.hook("a", before="true", after="echo after $CG_LVM_RESULT >>$LOG"))
        with self.fake.failing("--snapshot"):
            self.run_it(status=1)
        self.assertEqual(["after failed"], self.logged())

    def test_a_session_that_did_not_last_leaves_no_snapshot(self) -> None:
        """Its receipt would say more than is true."""
        self.write(self.hook("s", session="echo ready; cat; exit 1"))
        self.add_taken("old", NOW)
        self.assertIn("hook s ended with status 1 when it was told", self.run_it(status=1))
        self.assertEqual({"old"}, self.there())
        self.assertEqual(set(), self.fake.tags)

    def test_an_after_hook_that_fails_is_told_and_the_snapshot_stays(self) -> None:
        self.write(self.hook("a", before="true", after="exit 8"))
        done = self.run_it(status=exits.TAKEN_BUT)
        self.assertIn("after-hook a ended with status 8", done["warnings"])
        self.assertEqual({done["snapshot"]}, self.there())

    def _full_after(self, saves: int) -> contextlib.AbstractContextManager[Any]:
        """Let there be no more room in /run once a run's state has been saved so often."""
        real, done = states.State.save, itertools.count()

        def save(state: states.State) -> None:
            if next(done) >= saves:
                raise OSError(errno.ENOSPC, "No space left on device", "/run/x")
            real(state)

        return mock.patch.object(states.State, "save", save)

    def test_all_after_hooks_are_run_although_there_is_no_room_to_keep_their_count(self) -> None:
        scripts = [self.hook(name, before="true", after=f"echo {name} >>$LOG") for name in "abc"]
        self.write("".join(scripts))
        with self._full_after(3):  # when the third is about to begin
            self.assertIn("/run/x: No space left on device", self.run_it(status=1))
        self.assertEqual(["c", "b", "a"], self.logged())
        self.assertEqual([], self.run_it("--after-hooks", "x")["undone"])

    def test_a_full_run_after_the_snapshot_is_taken_makes_it_no_failure(self) -> None:
        scripts = [self.hook(name, before="true", after=f"echo {name} >>$LOG") for name in "ab"]
        self.write("".join(scripts))
        with self._full_after(3):
            done = self.run_it()
        self.assertEqual({done["snapshot"]}, self.there())
        self.assertEqual(["b", "a"], self.logged())

    def _left(self, more: str = "") -> None:
        """What a run leaves that was killed."""
        states.DIRECTORY.mkdir(exist_ok=True)
        script = f"echo left $CG_LVM_SNAPSHOT $CG_LVM_RESULT >>{self.log}{more}"
        command = ["/bin/sh", "-c", script]
        states.State("x", "x-1", undoings=[states.Undoing("l", USER, command, 20.0)]).save()

    def test_what_a_killed_run_has_left_is_run_once_by_systemd(self) -> None:
        self._left()
        self.assertEqual(["l"], self.run_it("--after-hooks", "x")["undone"])
        self.assertEqual([], self.run_it("--after-hooks", "x")["undone"])
        self.assertEqual(["left x-1 unknown"], self.logged())
        self.assertEqual(set(), self.there())

    def test_one_that_fails_then_is_told_the_journal(self) -> None:
        self._left("; exit 5")
        with mock.patch.object(report, "journal") as journal:
            self.run_it("--after-hooks", "x", status=exits.TAKEN_BUT)
        undone, failed = journal.mock_calls
        self.assertEqual(report.UNDONE, undone.args[0])
        self.assertEqual(report.FAILED, failed.args[0])
        self.assertIn("after-hook l ended with status 5", failed.args[1])
        fields = {"profile": "x", "snapshot": "x-1", "status": exits.TAKEN_BUT}
        self.assertEqual(fields, failed.kwargs)

    def test_it_is_run_although_the_profile_is_gone_or_wrong(self) -> None:
        self._left()
        (self.profiles / "x.toml").unlink()
        self.run_it("--after-hooks", "x")
        self._left()
        self.run_it("x", status=exits.PROFILE)
        self.assertEqual(["left x-1 unknown"] * 2, self.logged())

    def test_one_that_fails_is_told_although_the_profile_is_wrong(self) -> None:
        self._left("; exit 5")
        self.write("keep = 1")
        self.assertIn("after-hook l ended with status 5", self.run_it("x", status=exits.PROFILE))

    def test_the_next_run_begins_with_it(self) -> None:
        self._left()
        self.write(self.hook("a", before="echo before >>$LOG"))
        self.run_it()
        self.assertEqual(["left x-1 unknown", "before"], self.logged())

    def test_it_is_not_run_while_another_run_is_under_way(self) -> None:
        self._left()
        with states.alone("x"):
            self.run_it("--after-hooks", "x", status=exits.UNDER_WAY)
        self.assertEqual([], self.logged())


class SignalsTest(RunTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.useFixture(fixtures.MockPatchObject(hooks, "GRACE", 0.5))

    def test_sigterm_during_a_hook_ends_it_and_undoes_what_was_begun(self) -> None:
        self.write(self.hook("a", before="kill $PPID; sleep 77", after="echo after >>$LOG"))
        self.assertIn("ended by SIGTERM before anything was taken", self.run_it(status=1))
        self.assertEqual(["after"], self.logged())
        self.assertEqual(set(), self.there())

    def test_sigterm_during_the_snapshot_lets_it_become_complete_and_deletes_nothing(self) -> None:
        self.fake.now = NOW
        self.write("[keep]\nlast = 1\n" + self.hook("a", before="true", after="echo after >>$LOG"))
        self.add_taken("old", NOW - DAY)
        real = retake.retake

        def interrupted(request: retake.Request) -> retake.Taken:
            os.kill(os.getpid(), signal.SIGTERM)
            return real(request)

        with mock.patch.object(retake, "retake", interrupted):
            done = self.run_it(status=exits.TAKEN_BUT)
        self.assertEqual({"old", done["snapshot"]}, self.there())
        self.assertIn("ended by SIGTERM: old and others not deleted", done["warnings"])
        self.assertEqual(["after"], self.logged())

    def test_a_signal_that_is_ignored_ends_nothing(self) -> None:
        """As of a run under nohup whose terminal goes."""
        self.addCleanup(signal.signal, signal.SIGHUP, signal.getsignal(signal.SIGHUP))
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self.write(self.hook("a", before="kill -HUP $PPID; echo before >>$LOG"))
        self.run_it()
        self.assertEqual(["before"], self.logged())

    def test_an_after_hook_that_the_signal_cuts_short_as_well_is_run_again(self) -> None:
        """As ``systemctl stop`` does it: the run gets the signal first, then the others."""
        cut = f"[ -e {self.directory}/cut ] || {{ touch {self.directory}/cut; kill $PPID $$; }}"
        self.write(
            self.hook("a", before="true", after="echo a >>$LOG")
            + self.hook("b", after=f"echo begun >>$LOG; {cut}; echo ended >>$LOG")
        )
        done = self.run_it()
        self.assertEqual(["begun", "begun", "ended", "a"], self.logged())
        self.assertEqual({done["snapshot"]}, self.there())


class FiguresTest(RunTestCase):
    def _figures(self) -> dict[str, float]:
        text = (self.directory / "cg_lvm_x.prom").read_text()
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        pairs = [line.rsplit(" ", 1) for line in lines]
        return {name.removeprefix("cg_lvm_profile_"): float(value) for name, value in pairs}

    def setUp(self) -> None:
        super().setUp()
        self.fake.now = NOW
        self.write(f'metrics-directory = "{self.directory}"')

    def test_the_node_exporter_gets_age_state_and_count(self) -> None:
        self.add_taken("old", NOW - DAY)
        self.add_taken("part", NOW - DAY, volumes=("a",))
        self.run_it()
        figures = self._figures()
        self.assertEqual(0, figures['last_run_exit_status{profile="x"}'])
        self.assertEqual(NOW.timestamp(), figures['newest_snapshot_timestamp_seconds{profile="x"}'])
        self.assertEqual(2, figures['snapshots{profile="x",state="complete"}'])
        self.assertEqual(1, figures['snapshots{profile="x",state="incomplete"}'])
        self.assertEqual(0, figures['snapshots{profile="x",state="lost"}'])
        self.assertEqual(0o644, (self.directory / "cg_lvm_x.prom").stat().st_mode & 0o777)

    def test_a_run_that_fails_is_told_with_what_there_still_is(self) -> None:
        self.add_taken("old", NOW - DAY)
        with self.fake.failing("--snapshot"):
            self.run_it(status=1)
        figures = self._figures()
        self.assertEqual(1, figures['last_run_exit_status{profile="x"}'])
        self.assertEqual(1, figures['snapshots{profile="x",state="complete"}'])

    def test_that_there_is_none_is_as_old_as_can_be(self) -> None:
        """Else no alert would tell of the profile whose volumes are gone."""
        self.write(f'metrics-directory = "{self.directory}"', members='["vg/gone"]')
        self.run_it(status=1)
        self.assertEqual(0, self._figures()['newest_snapshot_timestamp_seconds{profile="x"}'])

    def test_a_directory_that_is_not_there_is_told_and_the_snapshot_stays(self) -> None:
        self.write(f'metrics-directory = "{self.directory}/gone"')
        done = self.run_it(status=exits.TAKEN_BUT)
        self.assertIn("no figures written", done["warnings"][0])
        self.assertEqual({done["snapshot"]}, self.there())
