# SPDX-License-Identifier: Apache-2.0
"""Step boundaries of an operation: the places at which it stops when it must.

The manager and drivers call :func:`checkpoint` between two steps. It leaves the operation when this
process has lost the lease on it, and it is where tests let the process die. This module does not
know what a step does.
"""

import contextlib
import contextvars
import os
import pathlib
import signal
import threading
from collections.abc import Iterator
from typing import Protocol

# Tests only: name of a file. When it says ``KIND/BOUNDARY:N``, the process kills itself, as
# ``kill -9`` would, once operations of that kind have reached that boundary N times from then on.
FAULT_VARIABLE = "CG_EXTENSION_FAULT_FILE"


class OperationLost(BaseException):
    """Another manager has the operation now: touch neither the backend nor the database.

    Not an ``Exception``, so that no handler which cleans up after errors undoes the other's work.
    """


class Guard(Protocol):
    """The claim under which this thread works."""

    kind: str

    def check(self) -> None:
        """:raises OperationLost: the claim is no longer ours, or may not be."""


_guard: contextvars.ContextVar[Guard | None] = contextvars.ContextVar("guard", default=None)


@contextlib.contextmanager
def guarded(guard: Guard) -> Iterator[None]:
    """Everything inside, in this thread, is part of the guard's operation."""
    token = _guard.set(guard)
    try:
        yield
    finally:
        _guard.reset(token)


def checkpoint(boundary: str) -> None:
    """A step ended and the next one has not begun.

    Costs next to nothing; not for use while a device is suspended. Threads that a driver starts
    of its own take part if they run in a copy of the caller's ``contextvars`` context.

    :param boundary: what has just been done, such as ``file.copied``.
    :raises OperationLost: stop here.
    """
    guard = _guard.get()
    if _faults is not None and guard is not None:
        _faults.passed(f"{guard.kind}/{boundary}")
    if guard is not None:
        guard.check()


class _Faults:
    """Counts how often the boundary named in the file is passed, and dies at the Nth time."""

    def __init__(self, path: str) -> None:
        self._path = pathlib.Path(path)
        self._lock = threading.Lock()
        self._armed = ""
        self._left = 0

    def passed(self, name: str) -> None:
        try:
            armed = self._path.read_text()
        except FileNotFoundError:
            return
        with self._lock:
            wanted, _, count = armed.partition(":")
            if armed != self._armed:
                self._armed, self._left = armed, int(count)
            if name == wanted:
                self._left -= 1
                if self._left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)


_faults = _Faults(os.environ[FAULT_VARIABLE]) if FAULT_VARIABLE in os.environ else None
