# SPDX-License-Identifier: Apache-2.0
"""Processes that a test starts, stops, pauses and kills, each with the children it has."""

import concurrent.futures
import contextlib
import functools
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import IO, Any

from cg_extension.tests.deployment import warm

_held: list[socket.socket] = []


def free_port() -> int:
    """A TCP port of the loopback interface for a server that a test starts.

    It stays bound until this process ends, so that the kernel gives it to nobody who asks for any
    port. Who asks for this one may have it, with SO_REUSEADDR, which every server sets.
    """
    holder = socket.socket()
    _held.append(holder)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    port: int = holder.getsockname()[1]
    return port


class Process:
    """One command, started again as often as wanted; its output is appended to ``log``.

    It has a session of its own, so that signals reach its children, too, and nobody else.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: pathlib.Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._command = command
        self._environment = {**os.environ, **(environment or {})}
        self._popen: warm.Program | subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the newest run."""
        assert self._popen is not None
        return self._popen.pid

    def start(self) -> None:
        with self.log.open("ab") as output:
            # What it drops there when it crashes goes with its log.
            self._popen = self._launch(output, self.log.parent)

    def _launch(
        self, output: IO[bytes], directory: pathlib.Path
    ) -> warm.Program | subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._command,
            cwd=directory,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def is_running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def check(self) -> None:
        """:raises RuntimeError: the process has ended by itself; with the end of its log."""
        if not self.is_running():
            raise RuntimeError(f"{self.name} has ended:\n{self.tail()}")

    def tail(self) -> str:
        """The end of its log."""
        return self.printed()[-4000:]

    def printed(self) -> str:
        """All that is in its log."""
        return self.log.read_text(errors="replace")

    def children(self) -> list[int]:
        """Process ids of its own children, such as gunicorn's workers."""
        try:
            listed = pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        except OSError:
            return []
        return [int(pid) for pid in listed.split()]

    def kill_child(self, rng: random.Random) -> None:
        """End one of its children without a word, if there is one."""
        children = self.children()
        if children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(rng.choice(children), signal.SIGKILL)

    def send(self, number: int) -> None:
        """Send a signal to the process and its children."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def pause(self) -> None:
        """Take the processor away from it, as a suspended machine or a swap storm does."""
        self.send(signal.SIGSTOP)

    def resume(self) -> None:
        self.send(signal.SIGCONT)

    def kill(self) -> None:
        """End it without a word, as a power failure does."""
        if self._popen is not None:
            self.send(signal.SIGKILL)
            self._popen.wait()

    def terminate(self) -> None:
        """Ask it to end; a paused one goes on for that."""
        if self.is_running():
            self.resume()
            self.send(signal.SIGTERM)

    def stop(self, timeout: float = 15.0) -> None:
        """End it as an init system does: by force if it takes longer than ``timeout`` seconds."""
        if self._popen is None:
            return
        self.terminate()
        try:
            self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()


class BoundProcess(Process):
    """A server that ends with this process, however that ends.

    The kernel sees to it (PR_SET_PDEATHSIG), by the thread that started it: that is one that lasts.

    :param user: whose it is, by root's leave; None: it stays our own.
    """

    def __init__(
        self, name: str, command: Sequence[str], log: pathlib.Path, user: str | None = None
    ) -> None:
        # A change of the user ends what was asked of the kernel before.
        identity = [f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
        super().__init__(name, ["setpriv", *identity, "--pdeathsig=KILL", "--", *command], log)

    def _launch(self, output: IO[bytes], directory: pathlib.Path) -> subprocess.Popen[bytes]:
        launching = _starter().submit(super()._launch, output, directory)
        launched = launching.result()
        assert isinstance(launched, subprocess.Popen)
        return launched


@functools.cache
def _starter() -> concurrent.futures.ThreadPoolExecutor:
    return concurrent.futures.ThreadPoolExecutor(1, "starter")


class PythonProcess(Process):
    """A program in Python: ``package.module:function`` is the first word of its command.

    :param modules: what it builds on; see ``warm``.
    """

    def __init__(
        self, *arguments: Any, modules: Sequence[str] = warm.SERVICE, **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self._modules = modules

    def _launch(
        self, output: IO[bytes], directory: pathlib.Path
    ) -> warm.Program | subprocess.Popen[bytes]:
        program, *arguments = self._command
        return warm.start(
            *(program, arguments),
            modules=self._modules,
            environment=self._environment,
            directory=directory,
            stdout=output,
            stderr=output,
            session=True,
        )


def end_cleanly_on_sigterm() -> None:
    """Let SIGTERM unwind the program that calls this, so that it ends what it has started."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(1))
