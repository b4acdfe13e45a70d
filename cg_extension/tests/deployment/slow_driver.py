# SPDX-License-Identifier: Apache-2.0
"""The file driver with time between its steps, so that faults hit the middle of operations."""

import random
import time

from cg_extension.drivers import steps
from cg_extension.drivers.file.driver import FileDriver

# Seconds; most pauses are much shorter than the longest.
_LONGEST = 0.8

_checkpoint = steps.checkpoint


def _slow_checkpoint(boundary: str) -> None:
    """Stand still between a check of the claim and what it allows: the worst moment."""
    _checkpoint(boundary)
    time.sleep(_LONGEST * random.random() ** 3)


class SlowDriver(FileDriver):
    """Loaded in a manager, it slows down every step boundary of that process."""


steps.checkpoint = _slow_checkpoint
