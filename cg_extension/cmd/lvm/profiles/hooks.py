# SPDX-License-Identifier: Apache-2.0
"""The processes of hooks: started as their users, held to their time limits, ended with all theirs.

A hook is a program with arguments, in a session of its own, in / and with an environment of a few
variables. Its standard output and error are our standard error. A session is different: a line
``ready`` on its standard output lets the group snapshot be taken, and the end of its standard input
tells it to end.
"""

import contextlib
import os
import pathlib
import pwd
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cg_extension.cmd.lvm.profiles import state as states
from cg_extension.cmd.lvm.profiles.reading import Hook
from cg_extension.cmd.lvm.profiles.signals import Signals
from cg_extension.drivers import exceptions

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# The variable by whose value all processes of a run's hooks are found.
_MARK = "CG_LVM_RUN"
# Seconds from SIGTERM to SIGKILL.
GRACE = 5.0
_READY = b"ready"
_STDERR = 2


class HookError(exceptions.DriverError):
    """A hook failed, could not be started, or took too long."""


class Hooks:
    """The hooks of a run; ``state`` is saved before each begins."""

    def __init__(self, hooks: Sequence[Hook], state: states.State) -> None:
        self._hooks = hooks
        self._state = state
        self._sessions: list[_Session] = []

    def begin(self) -> None:
        """Run those before, and start sessions, in their order.

        :raises HookError: one failed; those behind it were not begun.
        """
        begun = {hook.name for hook in self._hooks if not hook.before and not hook.session}
        self._save(begun)
        for hook in self._hooks:
            begun.add(hook.name)
            self._save(begun)
            if hook.before:
                _run(hook.name, hook.user, hook.before, hook.time_limit, self._state)
            elif hook.session:
                self._sessions.append(_Session(hook, self._state))
                self._sessions[-1].wait_until_ready()

    def end_sessions(self) -> None:
        """Tell sessions to end, the last first, and wait for them.

        :raises HookError: one had ended before, failed, or took too long; all have ended.
        """
        failures = []
        while self._sessions:
            try:
                self._sessions.pop().end()
            except HookError as error:
                failures.append(str(error))
        if failures:
            raise HookError("; ".join(failures))

    def _save(self, begun: set[str]) -> None:
        self._state.undoings = [
            states.Undoing(hook.name, hook.user, list(hook.after), hook.time_limit)
            for hook in self._hooks
            if hook.after and hook.name in begun
        ]
        self._state.save()


def undo(state: states.State, signals: Signals) -> list[str]:
    """Run the after-hooks that are left, the last first; gives back which failed, and how.

    One that fails as a signal comes is run again: systemd sends that to all processes of a unit, so
    it has cut the hook short. Where there is no room to keep what is left, all are run just the
    same: by another run again, if this one is killed.
    """
    complaints = []
    while state.undoings:
        undoing = state.undoings[-1]
        came = signals.came
        try:
            _run(undoing.name, undoing.user, undoing.command, undoing.time_limit, state, "after-")
        except HookError as error:
            if signals.came != came:
                continue
            complaints.append(str(error))
        state.undoings.pop()
        with contextlib.suppress(OSError):
            state.save()
    state.remove()
    return complaints


def end_all(state: states.State) -> None:
    """End what is left of a run's processes, even of those that have left their session."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        limit = time.monotonic() + GRACE
        for pid in _processes(state.mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        while any(_processes(state.mark)) and time.monotonic() < limit:
            time.sleep(0.05)


def _processes(mark: str) -> Iterator[int]:
    wanted = f"{_MARK}={mark}".encode()
    for path in pathlib.Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if wanted in path.read_bytes().split(b"\0"):
                yield int(path.parent.name)


class _Session:
    """A hook that is kept running while the group snapshot is taken."""

    def __init__(self, hook: Hook, state: states.State) -> None:
        self._what = f"hook {hook.name}"
        self._limit = hook.time_limit
        self._process = _start(self._what, hook.user, hook.session, state, subprocess.PIPE)
        assert self._process.stdin and self._process.stdout  # noqa: S101 - both are pipes
        self._stdin, self._stdout = self._process.stdin, self._process.stdout

    def wait_until_ready(self) -> None:
        """:raises HookError: it ended, or took too long; it has ended then."""
        with _ended_on_failure(self._process):
            limit = time.monotonic() + self._limit
            for line in self._lines(limit):
                if line == _READY:
                    return
                _show(line)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(GRACE)
            raise HookError(f"{self._what} {_ending(self._process)} before it was ready")

    def end(self) -> None:
        """:raises HookError: it had ended before, failed, or took too long; it has ended now."""
        with _ended_on_failure(self._process):
            if self._process.poll() is not None:
                how = _ending(self._process)
                raise HookError(f"{self._what} {how} before it was told to end")
            limit = time.monotonic() + self._limit
            self._stdin.close()
            for line in self._lines(limit):
                _show(line)
            try:
                status = self._process.wait(max(0.0, limit - time.monotonic()))
            except subprocess.TimeoutExpired:
                raise HookError(self._took_too_long()) from None
        self._stdout.close()
        if status:
            raise HookError(f"{self._what} {_ending(self._process)} when it was told to end")

    def _lines(self, limit: float) -> Iterator[bytes]:
        """What it prints, until it closes its output.

        :raises HookError: that is not before ``limit``.
        """
        rest = b""
        while True:
            left = limit - time.monotonic()  # one that prints without end must not evade it
            if left < 0 or not select.select([self._stdout], [], [], left)[0]:
                raise HookError(self._took_too_long())
            read = os.read(self._stdout.fileno(), 4096)
            *lines, rest = (rest + read).split(b"\n")
            yield from lines
            if not read:
                if rest:
                    yield rest
                return

    def _took_too_long(self) -> str:
        return f"{self._what} took longer than its time limit of {self._limit:g} s"


def _run(
    name: str,
    user: str,
    command: Sequence[str],
    limit: float,
    state: states.State,
    kind: str = "",
) -> None:
    """Run a hook to its end.

    :raises HookError: it failed, could not be started, or took too long; it has ended.
    """
    what = f"{kind}hook {name}"
    process = _start(what, user, command, state)
    with _ended_on_failure(process):
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            raise HookError(f"{what} took longer than its time limit of {limit:g} s") from None
    if status:
        raise HookError(f"{what} {_ending(process)}")


def _start(
    what: str, user: str, command: Sequence[str], state: states.State, stdin: int | None = None
) -> subprocess.Popen[bytes]:
    """Start a hook; with a pipe as its standard input, its output is one as well."""
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        raise HookError(f"{what} can't be run: there is no user {user}") from None
    identity: dict[str, Any] = {}
    if account.pw_uid != os.getuid():
        groups = os.getgrouplist(user, account.pw_gid)
        identity = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": groups}
    sys.stderr.flush()
    try:
        return subprocess.Popen(
            command,
            stdin=stdin or subprocess.DEVNULL,
            stdout=stdin or _STDERR,
            cwd="/",
            env=_environment(account, state),
            umask=0o022,
            start_new_session=True,
            bufsize=0,
            **identity,
        )
    except OSError as error:
        raise HookError(f"{what} can't be run: {command[0]}: {error.strerror}") from error


def _environment(account: pwd.struct_passwd, state: states.State) -> Mapping[str, str]:
    return {
        "PATH": _PATH,
        "LANG": "C.UTF-8",
        "HOME": account.pw_dir,
        "USER": account.pw_name,
        "LOGNAME": account.pw_name,
        "CG_LVM_PROFILE": state.profile,
        "CG_LVM_SNAPSHOT": state.snapshot,
        "CG_LVM_RESULT": state.result,
        _MARK: state.mark,
    }


@contextlib.contextmanager
def _ended_on_failure(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End a process and all of its session if the block raises."""
    try:
        yield
    except BaseException:
        _end(process)
        for pipe in filter(None, (process.stdin, process.stdout)):
            pipe.close()
        raise


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is not None:
        return
    limit = time.monotonic() + GRACE
    _signal_all(process, signal.SIGTERM)
    # Not reaped before the others are killed: its number must not be another's by then.
    while time.monotonic() < limit:
        if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG):
            break
        time.sleep(0.02)
    _signal_all(process, signal.SIGKILL)
    process.wait()


def _signal_all(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _ending(process: subprocess.Popen[bytes]) -> str:
    """How a process has ended."""
    code = process.returncode
    if code is None:
        return "closed its output"
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"


def _show(line: bytes) -> None:
    print(line.decode(errors="replace"), file=sys.stderr, flush=True)
