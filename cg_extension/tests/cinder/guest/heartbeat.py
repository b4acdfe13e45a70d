# SPDX-License-Identifier: Apache-2.0
"""Whether a process goes on with other calls while one works: a thread that should never rest."""

import threading
import time

_TICK = 0.01


class Heartbeat:
    """Ticks while its block runs; with eventlet's patches that is a green thread of the hub.

    ``took``: seconds that the block ran. ``longest``: seconds of the longest rest between two
    ticks, or between the block's beginning or end and the next one.
    """

    took = 0.0
    longest = 0.0

    def __enter__(self) -> "Heartbeat":
        self._ended = False
        self._thread = threading.Thread(target=self._beat)
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.took = time.monotonic() - self._began
        self._ended = True
        self._thread.join()

    def _beat(self) -> None:
        last = self._began
        while not self._ended:
            time.sleep(_TICK)
            now = time.monotonic()
            self.longest = max(self.longest, now - last)
            last = now
