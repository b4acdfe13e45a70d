# SPDX-License-Identifier: Apache-2.0
"""The one way in which tests wait for something to come true."""

from collections.abc import Callable
from typing import TypeVar

from cg_extension.drivers import polling

T = TypeVar("T")


def eventually(
    condition: Callable[[], T | None], what: str, timeout: float = 30.0, pause: float = 0.02
) -> T:
    """Look again and again until ``condition()`` is true; gives what it was then.

    :param timeout: in seconds, as ``pause``, the time between two looks.
    :raises TimeoutError: it was not, with ``what`` was expected.
    """
    found = polling.until(condition, timeout, pause)
    if not found:
        raise TimeoutError(f"still not: {what}")
    return found
