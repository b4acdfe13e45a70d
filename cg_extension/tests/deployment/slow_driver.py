# SPDX-License-Identifier: Apache-2.0
"""The file driver with time between its steps, so that faults hit the middle of operations."""

import random
import time

from cg_extension.drivers import steps
from cg_extension.drivers.file.driver import FileDriver

# Seconds; most pauses are much shorter than the longest.
_LONGEST = 0.8

_reached = steps.checkpoint


def _reached_slowly(boundary: str) -> None:
    """Stand still between a check of the claim and what it allows: the worst moment."""
    _reached(boundary)
    time.sleep(_LONGEST * random.random() ** 3)


class SlowDriver(FileDriver):
    """Loaded in a manager, it slows down every step boundary of that process."""


steps.checkpoint = _reached_slowly
