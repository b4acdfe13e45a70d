# SPDX-License-Identifier: Apache-2.0
"""Polls for what nothing announces: a lock that becomes free, a device that is closed.

What it means when that does not happen is left to the callers.
"""

import fcntl
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(condition: Callable[[], T], seconds: float, pause: float) -> T:
    """Wait until a condition holds.

    :param seconds: how long at most.
    :param pause: seconds between two checks.
    :return: what the last check gave: whether it holds.
    """
    deadline = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() <= deadline:
        time.sleep(pause)
    return found


def try_lock(file: int) -> bool:
    """Take the lock of an open file, for this process and its children, unless another has it.

    By flock, not lockf: a child shares the lock instead of losing it, and closing another
    descriptor of the file doesn't drop it.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
