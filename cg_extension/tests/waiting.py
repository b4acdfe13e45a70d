# SPDX-License-Identifier: Apache-2.0
"""The one way in which tests wait for something to come true."""

from collections.abc import Callable
from typing import TypeVar

from cg_extension.drivers import polling

T = TypeVar("T")

PATIENCE = 120.0
"""Seconds for what takes one or two on a machine that is not busy with others as well."""


def eventually(
    condition: Callable[[], T | None], what: str, timeout: float = PATIENCE, pause: float = 0.02
) -> T:
    """Look again and again until ``condition()`` is true; gives what it was then.

    :param timeout: in seconds, as ``pause``, the time between two looks.
    :raises TimeoutError: it was not, with ``what`` was expected.
    """
    found = polling.until(condition, timeout, pause)
    if not found:
        raise TimeoutError(f"still not: {what}")
    return found
