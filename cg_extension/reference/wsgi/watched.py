# SPDX-License-Identifier: Apache-2.0
"""Files that are read again when they change, while requests are served.

A change that can't be used changes nothing: what was read before stays in force, the log says so
once a change, and the health check names the file until it is mended.
"""

import os
import threading
import time
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from oslo_log import log as logging

from cg_extension.conf import errors

LOG = logging.getLogger(__name__)

T = TypeVar("T")

# Seconds between two looks at the files: the search for them is most of what a check costs.
_LOOK_INTERVAL = 1.0

# What tells one state of a file from another: time of change, size, inode; None: it is not there.
_State = tuple[str, tuple[int, int, int] | None]


class Watched(Generic[T]):
    """The content of some files, read again when they change.

    ``problem`` is why their newest state is not in force; None when it is.

    :param find: the paths, of files or directories, as they are to be looked for now.
    :param read: reads them.
    :raises errors.StartError: by ``read`` or on construction, what is wrong with which file.
    """

    def __init__(self, find: Callable[[], Iterable[str]], read: Callable[[], T]) -> None:
        self._find = find
        self._read = read
        self._lock = threading.Lock()
        self.problem: str | None = None
        self._next_look = time.monotonic() + _LOOK_INTERVAL
        self._states = self._look()
        self._value = self._read()

    def get(self) -> T:
        """What the files said when they were last right."""
        # Others go on with the old while one thread looks.
        if time.monotonic() >= self._next_look and self._lock.acquire(blocking=False):
            try:
                self._refresh()
            finally:
                self._lock.release()
        return self._value

    def _refresh(self) -> None:
        self._next_look = time.monotonic() + _LOOK_INTERVAL
        # Before the reading: what changes meanwhile is read again.
        states = self._look()
        if states == self._states:
            return
        self._states = states
        try:
            self._value = self._read()
            self.problem = None
        except errors.StartError as error:
            self.problem = f"{error}; what was read before stays in force"
        # Not in the handler, where oslo.log would say it twice.
        if self.problem:
            LOG.error("%s", self.problem)
        else:
            LOG.info("Read again: %s", ", ".join(path for path, state in states if state))

    def _look(self) -> list[_State]:
        return [(path, _state(path)) for path in self._find()]


def _state(path: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
