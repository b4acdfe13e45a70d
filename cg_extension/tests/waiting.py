# SPDX-License-Identifier: Apache-2.0
"""The one way in which tests wait for something to come true."""

from collections.abc import Callable

from cg_extension.drivers import polling


def eventually(
    condition: Callable[[], object], what: str, timeout: float = 30.0, pause: float = 0.02
) -> None:
    """Look again and again until ``condition()`` is true.

    :param timeout: in seconds, as ``pause``, the time between two looks.
    :raises TimeoutError: it was not, with ``what`` was expected.
    """
    if not polling.until(lambda: bool(condition()), timeout, pause):
        raise TimeoutError(f"still not: {what}")
