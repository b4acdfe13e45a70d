# SPDX-License-Identifier: Apache-2.0
"""What a benchmark says of the machine that it ran on, and how steady that was."""

import os
import pathlib
import platform
import statistics
from collections.abc import Callable


def description() -> str:
    """Python, number of cores, processor."""
    return f"Python {platform.python_version()} on {os.cpu_count()} cores ({_processor()})"


def _processor() -> str:
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


class Noise:
    """A fixed piece of work, timed again and again between what is measured.

    :param clock: ``time.process_time`` tells how steady the processor is, ``time.perf_counter`` how
        busy others keep it.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: list[float] = []
        self.look()

    def look(self) -> None:
        """Time it once more."""
        started = self._clock()
        sum(number * number for number in range(1_000_000))
        self._seen.append((self._clock() - started) * 1000)

    def __str__(self) -> str:
        """A sentence for the report."""
        return (
            f"Noise: a fixed piece of work took {min(self._seen):.0f} to {max(self._seen):.0f} ms "
            f"(median {statistics.median(self._seen):.0f}); load average at the end "
            f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."
        )
