# SPDX-License-Identifier: Apache-2.0
"""Hooks as real processes: their order, users, time limits, sessions, and what is left of them."""

import contextlib
import getpass
import io
import os
import pathlib
import pwd
import signal
import subprocess
import sys
import textwrap
from collections.abc import Sequence

import fixtures
from oslotest import base

from cg_extension.cmd.lvm.profiles import exits, hooks, reading
from cg_extension.cmd.lvm.profiles import state as states
from cg_extension.cmd.lvm.profiles.signals import Signals
from cg_extension.drivers import exceptions
from cg_extension.tests import waiting

USER = getpass.getuser()
# Says that it is ready, and ends when its input does.
SESSION = 'echo ready; cat; echo "session ended" >>"$LOG"'


class HooksTestCase(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.log = self.directory / "log"
        self.useFixture(fixtures.MockPatchObject(states, "DIRECTORY", self.directory))
        self.state = states.State("nightly", "nightly-1")
        self.addCleanup(hooks.end_all, self.state)

    def shell(self, script: str) -> list[str]:
        """A command that runs a script, with the log's path in ``$LOG``."""
        return ["/bin/sh", "-c", f"LOG={self.log}; {script}"]

    def hook(self, name: str, **scripts: object) -> reading.Hook:
        """A hook; ``before``, ``session`` and ``after`` are scripts."""
        given = {
            key: self.shell(value) if key in ("before", "session", "after") else value
            for key, value in scripts.items()
        }
        return reading.Hook(name=name, **{"user": USER, "time_limit": 20.0, **given})

    def logging(self, name: str, **others: object) -> reading.Hook:
        """A hook whose before and after write their names to the log."""
        log = {key: f'echo "{key} {name}" >>"$LOG"' for key in ("before", "after")}
        return self.hook(name, **{**log, **others})

    def logged(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def assertFails(self, pattern: str, running: hooks.Hooks) -> None:
        error = self.assertRaises(hooks.HookError, running.begin)
        self.assertRegex(str(error), pattern)


class OrderTest(HooksTestCase):
    def test_after_hooks_are_run_in_the_opposite_order(self) -> None:
        hooks.Hooks([self.logging("a"), self.logging("b")], self.state).begin()
        self.assertEqual([], hooks.undo(self.state, Signals()))
        self.assertEqual(["before a", "before b", "after b", "after a"], self.logged())
        self.assertIsNone(states.load("nightly"))

    def test_a_before_hook_that_fails_stops_it_and_what_was_begun_is_undone(self) -> None:
        failing = self.logging("b", before='echo "before b" >>"$LOG"; exit 3')
        running = hooks.Hooks([self.logging("a"), failing, self.logging("c")], self.state)
        self.assertFails("^hook b ended with status 3$", running)
        hooks.undo(self.state, Signals())
        self.assertEqual(["before a", "before b", "after b", "after a"], self.logged())

    def test_an_after_hook_without_a_before_is_run_whatever_fails(self) -> None:
        running = hooks.Hooks(
            [self.hook("a", before="exit 1"), self.hook("z", after='echo "after z" >>"$LOG"')],
            self.state,
        )
        self.assertFails("hook a", running)
        hooks.undo(self.state, Signals())
        self.assertEqual(["after z"], self.logged())

    def test_an_after_hook_that_fails_is_told_and_keeps_none_from_being_run(self) -> None:
        hooks.Hooks([self.logging("a"), self.logging("b", after="exit 4")], self.state).begin()
        self.assertEqual(["after-hook b ended with status 4"], hooks.undo(self.state, Signals()))
        self.assertEqual(["before a", "before b", "after a"], self.logged())

    def test_a_program_that_is_gone_is_named(self) -> None:
        gone = reading.Hook(name="a", user=USER, before=["/nowhere/x"])
        self.assertFails(
            "hook a can't be run: /nowhere/x: No such file", hooks.Hooks([gone], self.state)
        )

    def test_hooks_know_profile_snapshot_and_result_and_nothing_of_ours(self) -> None:
        self.useFixture(fixtures.EnvironmentVariable("SECRET", "x"))
        hook = self.hook("a", after='env | sort >>"$LOG"; pwd >>"$LOG"')
        hooks.Hooks([hook], self.state).begin()
        self.state.result = states.TAKEN
        hooks.undo(self.state, Signals())
        names = [line.partition("=")[0] for line in self.logged()]
        shell = {"PWD", "OLDPWD", "SHLVL", "_", "LOG"}
        ours = {"CG_LVM_PROFILE", "CG_LVM_SNAPSHOT", "CG_LVM_RESULT", "CG_LVM_RUN"}
        of_user = {"PATH", "LANG", "HOME", "USER", "LOGNAME"}
        self.assertEqual(ours | of_user, set(names[:-1]) - shell)
        self.assertIn("CG_LVM_RESULT=taken", self.logged())
        self.assertEqual("/", self.logged()[-1])


class UserTest(HooksTestCase):
    def test_a_hook_runs_as_its_user_with_that_users_groups_alone(self) -> None:
        user = "nobody" if os.geteuid() == 0 else USER
        account = pwd.getpwnam(user)
        if os.geteuid() == 0:  # one that the user has not
            self.addCleanup(os.setgroups, os.getgroups())
            os.setgroups([0])
        session = self.hook("a", user=user, session="id -u; id -g; id -G; echo ready; cat")
        output = io.StringIO()
        with contextlib.redirect_stderr(output):
            running = hooks.Hooks([session], self.state)
            running.begin()
        running.end_sessions()
        uid, gid, groups = output.getvalue().splitlines()
        self.assertEqual((account.pw_uid, account.pw_gid), (int(uid), int(gid)))
        expected = set(os.getgrouplist(user, account.pw_gid))
        self.assertEqual(expected, set(map(int, groups.split())))

    def test_a_user_who_is_gone_by_then_is_named(self) -> None:
        self.state.undoings = [states.Undoing("a", "nobody-of-that-name", ["/bin/true"], 5.0)]
        self.assertEqual(
            ["after-hook a can't be run: there is no user nobody-of-that-name"],
            hooks.undo(self.state, Signals()),
        )


class TimeLimitTest(HooksTestCase):
    def test_a_hook_that_takes_too_long_is_ended_with_all_its_processes(self) -> None:
        self.useFixture(fixtures.MockPatchObject(hooks, "GRACE", 0.2))
        script = (
            'trap "" TERM; sleep 77 & echo $! >>"$LOG"; echo $$ >>"$LOG"; while :; do wait; done'
        )
        hook = self.hook("a", before=script, time_limit=0.5)
        self.assertFails(
            "^hook a took longer than its time limit of 0.5 s$", hooks.Hooks([hook], self.state)
        )
        for pid in map(int, self.logged()):
            waiting.eventually(lambda pid=pid: not _runs(pid), f"the end of {pid}")

    def test_processes_that_left_the_session_of_a_hook_are_ended_by_its_mark(self) -> None:
        script = 'setsid sh -c "echo \\$\\$ >>$LOG; exec sleep 77" &'
        hooks.Hooks([self.hook("a", before=script)], self.state).begin()
        waiting.eventually(self.logged, "a process")
        (pid,) = map(int, self.logged())
        self.assertTrue(_runs(pid))
        hooks.end_all(self.state)
        waiting.eventually(lambda: not _runs(pid), "its end")

    def test_an_after_hook_has_its_limit_too(self) -> None:
        hooks.Hooks([self.hook("a", after="sleep 77", time_limit=0.2)], self.state).begin()
        self.assertEqual(
            ["after-hook a took longer than its time limit of 0.2 s"],
            hooks.undo(self.state, Signals()),
        )


class SessionTest(HooksTestCase):
    def test_a_session_runs_until_it_is_told_to_end(self) -> None:
        running = hooks.Hooks([self.hook("a", session=SESSION)], self.state)
        running.begin()
        self.assertEqual([], self.logged())
        running.end_sessions()
        self.assertEqual(["session ended"], self.logged())

    def test_what_it_prints_before_it_is_ready_is_not_taken_for_that(self) -> None:
        script = 'echo "getting ready"; sleep 0.2; echo late >>"$LOG"; echo ready; cat'
        running = hooks.Hooks([self.hook("a", session=script)], self.state)
        running.begin()
        self.assertEqual(["late"], self.logged())
        running.end_sessions()

    def test_one_that_ends_before_it_is_ready_has_failed(self) -> None:
        running = hooks.Hooks([self.hook("a", session="echo no; exit 5")], self.state)
        self.assertFails("^hook a ended with status 5 before it was ready$", running)

    def test_one_that_does_not_get_ready_in_time_has_failed(self) -> None:
        running = hooks.Hooks([self.hook("a", session="sleep 77", time_limit=0.3)], self.state)
        self.assertFails("^hook a took longer than its time limit of 0.3 s$", running)

    def test_one_that_prints_without_end_has_its_time_limit_all_the_same(self) -> None:
        late = "hook a took longer than its time limit of 0.3 s"
        running = hooks.Hooks([self.hook("a", session="yes", time_limit=0.3)], self.state)
        with contextlib.redirect_stderr(io.StringIO()):
            self.assertFails(f"^{late}$", running)
            running = self._begun("echo ready; cat; yes", 0.3)
            error = self.assertRaises(hooks.HookError, running.end_sessions)
        self.assertEqual(late, str(error))

    def _begun(self, script: str, limit: float) -> hooks.Hooks:
        """A session that is ready, however long that took, and has so many seconds for its end."""
        running = hooks.Hooks([self.hook("a", session=script)], self.state)
        running.begin()
        running._sessions[0]._limit = limit
        return running

    def test_one_that_ends_while_it_is_needed_has_failed(self) -> None:
        script = 'echo $$ >>"$LOG"; echo ready; exit 0'
        running = hooks.Hooks([self.hook("a", session=script)], self.state)
        running.begin()
        (pid,) = map(int, self.logged())
        waiting.eventually(lambda: not _runs(pid), "its end")
        error = self.assertRaises(hooks.HookError, running.end_sessions)
        self.assertEqual("hook a ended with status 0 before it was told to end", str(error))

    def test_one_that_fails_at_its_end_has_failed_and_the_others_are_ended(self) -> None:
        failing = self.hook("b", session="echo ready; cat; exit 6")
        running = hooks.Hooks([self.hook("a", session=SESSION), failing], self.state)
        running.begin()
        error = self.assertRaises(hooks.HookError, running.end_sessions)
        self.assertEqual("hook b ended with status 6 when it was told to end", str(error))
        self.assertEqual(["session ended"], self.logged())

    def test_one_that_does_not_end_in_time_is_ended(self) -> None:
        running = self._begun("echo ready; sleep 77", 0.3)
        error = self.assertRaises(hooks.HookError, running.end_sessions)
        self.assertIn("took longer", str(error))


class KilledTest(HooksTestCase):
    """A run that is killed leaves what tells how to undo it."""

    def _killed(self, script: str, *given: reading.Hook, lines: int = 0) -> None:
        """Begin hooks in a process of its own that is killed when it has printed a line.

        :param lines: or else when there are so many in the log.
        """
        program = textwrap.dedent(
            """
            import pathlib, sys, time
            from cg_extension.cmd.lvm.profiles import hooks, reading, state
            from cg_extension.cmd.lvm.profiles.signals import Signals
            state.DIRECTORY = pathlib.Path({directory!r})
            made = state.State("nightly", "nightly-1", mark={mark!r})
            running = hooks.Hooks({given}, made)
            with state.alone("nightly"):
                {script}
            """
        ).format(
            directory=str(self.directory),
            mark=self.state.mark,
            given=f"[{', '.join('reading.' + repr(hook) for hook in given)}]",
            script=script,
        )
        process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
        with process:
            try:
                if lines:
                    waiting.eventually(lambda: len(self.logged()) >= lines, f"{lines} lines")
                else:
                    process.stdout.readline()
            finally:
                process.send_signal(signal.SIGKILL)

    def _undo_left(self) -> Sequence[str]:
        with states.alone("nightly"):
            left = states.load("nightly")
            hooks.end_all(left)
            return hooks.undo(left, Signals())

    def test_after_a_kill_the_after_hooks_are_run_once(self) -> None:
        script = 'running.begin(); print("here", flush=True); time.sleep(77)'
        self._killed(script, self.logging("a"), self.logging("b"))
        self.assertEqual([], self._undo_left())
        self.assertEqual(["before a", "before b", "after b", "after a"], self.logged())
        self.assertIsNone(states.load("nightly"))

    def test_a_session_of_a_killed_run_has_ended_before_they_are_run(self) -> None:
        script = 'running.begin(); print("here", flush=True); time.sleep(77)'
        session = self.hook(
            "a",
            session='echo $$ >>"$LOG"; echo ready; exec sleep 77',
            after='! grep "^State:.[^Z]" /proc/$(cat "$LOG")/status',
        )
        self._killed(script, session)
        self.assertEqual([], self._undo_left())

    def test_a_before_hook_that_was_under_way_is_ended_and_undone(self) -> None:
        hook = self.logging("a", before='echo $$ >>"$LOG"; exec sleep 77')
        self._killed("running.begin()", hook, lines=1)
        (pid,) = map(int, self.logged())
        self.assertEqual([], self._undo_left())
        self.assertFalse(_runs(pid))
        self.assertEqual("after a", self.logged()[-1])

    def test_an_after_hook_that_was_cut_short_is_run_again_and_those_done_are_not(self) -> None:
        slow = "sleep=77; test -e $LOG.second && sleep=0; touch $LOG.second"
        slow += '; echo "after a" >>"$LOG"; sleep $sleep'
        script = "running.begin(); hooks.undo(made, Signals())"
        self._killed(script, self.logging("a", after=slow), self.logging("b"), lines=4)
        self.assertEqual([], self._undo_left())
        self.assertEqual(["before a", "before b", "after b", "after a", "after a"], self.logged())

    def test_a_second_run_is_refused_while_one_is_under_way(self) -> None:
        with states.alone("nightly"):
            error = self.assertRaises(exits.UnderWay, states.alone("nightly").__enter__)
            self.assertIn(f"under way (process {os.getpid()})", str(error))
            with states.alone("weekly"):
                pass

    def test_a_state_that_cant_be_read_is_named(self) -> None:
        path = self.directory / "nightly.json"
        for text in ("{", "[]", '{"profile": 1}'):
            path.write_text(text)
            error = self.assertRaises(exceptions.DriverError, states.load, "nightly")
            self.assertIn(str(path), str(error))


def _runs(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
