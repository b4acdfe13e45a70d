# SPDX-License-Identifier: Apache-2.0
"""Signals that ask a run to end: they end its hooks at once, and anything else when it is safe."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Self

from cg_extension.drivers import exceptions

_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Interrupted(exceptions.DriverError):
    """A signal has ended the run."""


class Signals:
    """While this is entered, ``came`` tells the first such signal, or None.

    One that is ignored, as nohup(1) has it, stays so.
    """

    def __init__(self) -> None:
        self.came: str | None = None
        self._interrupt = False

    def __enter__(self) -> Self:
        heeded = [n for n in _ENDING if signal.getsignal(n) is not signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._come) for number in heeded}
        return self

    def __exit__(self, *_error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextlib.contextmanager
    def interrupting(self) -> Iterator[None]:
        """Within this, the first one raises.

        :raises Interrupted: there was one already, or it comes now.
        """
        self._interrupt = True
        try:
            if self.came:
                self._raise()
            yield
        finally:
            self._interrupt = False

    def _come(self, number: int, _frame: FrameType | None) -> None:
        is_first = self.came is None
        self.came = self.came or signal.Signals(number).name
        if is_first and self._interrupt:
            self._raise()

    def _raise(self) -> None:
        raise Interrupted(f"ended by {self.came} before anything was taken")
