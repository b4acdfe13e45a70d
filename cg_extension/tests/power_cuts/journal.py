# SPDX-License-Identifier: Apache-2.0
"""What was asked of ``cg-lvm`` and what it answered, kept where no power is cut.

A line for each event: ``begin ACTION NAME`` before a command, ``done ACTION NAME`` after it has
succeeded. What was begun and not done may have happened or not; the audit says ``settled`` when it
has seen which, ``there`` or ``gone``. Of a rollback NAME is the state before, which it makes; then
comes the group snapshot to which it goes.
"""

import os
import pathlib
from collections.abc import Iterable

# What a set's name says of it.
SNAPSHOT, CLONE, DELETE, ROLLBACK = "snapshot", "clone", "delete", "rollback"


class Journal:
    """The events up to now, as lines; ``FileJournal`` keeps them."""

    def __init__(self, lines: Iterable[str] = ()) -> None:
        #: By a set's name: what it is (a snapshot or a clone).
        self.kinds: dict[str, str] = {}
        #: Sets that must be there, and names that must be free.
        self.there: set[str] = set()
        self.gone: set[str] = set()
        #: Of these nothing is known before somebody looks; with what had been begun.
        self.open: dict[str, str] = {}
        #: By the name of the state before a rollback: the group snapshot to which it goes.
        self.back_to: dict[str, str] = {}
        for line in lines:
            self._take(*line.split())

    def _take(self, event: str, action: str, name: str, back_to: str = "") -> None:
        if action in (SNAPSHOT, CLONE, ROLLBACK):
            self.kinds[name] = CLONE if action == CLONE else SNAPSHOT
        if back_to:
            self.back_to[name] = back_to
        self.there.discard(name)
        self.gone.discard(name)
        self.open.pop(name, None)
        if event == "begin":
            self.open[name] = action
        elif action in ("gone", DELETE):
            self.gone.add(name)
        else:
            self.there.add(name)

    def note(self, event: str, action: str, *names: str) -> None:
        """Write an event down."""
        self._keep(" ".join((event, action, *names)))
        self._take(event, action, *names)

    def _keep(self, line: str) -> None:
        """Nothing: what is noted here is for this process."""


class Lines:
    """Lines of a file that the guest shares with the host; what a cut left unfinished is none."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path

    def whole(self) -> list[str]:
        """Those that were written to their end."""
        lines = self._path.read_text().splitlines(keepends=True) if self._path.exists() else []
        return [line for line in lines if line.endswith("\n")]

    def append(self, line: str) -> None:
        """Write one more; it is on the disk when this returns."""
        with open(self._path, "a") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())


class FileJournal(Journal):
    """A journal in a file that the guest shares with the host."""

    def __init__(self, path: pathlib.Path) -> None:
        self._file = Lines(path)
        super().__init__(self._file.whole())

    def _keep(self, line: str) -> None:
        self._file.append(line)
