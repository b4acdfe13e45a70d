# SPDX-License-Identifier: Apache-2.0
"""The unit tests, shared out between two runs: without any server, and on databases' servers."""

import pathlib
import unittest
from collections.abc import Iterable, Iterator

from testtools import iterate_tests

_TESTS = pathlib.Path(__file__).parent


def unit_tests(
    loader: unittest.TestLoader, place: str, dialects: Iterable[str]
) -> unittest.TestSuite:
    """The tests in ``tests/PLACE`` that need one of the databases, on these of its databases.

    A test without scenarios for databases needs none but SQLite.
    """
    root = _TESTS.parents[1]
    found = loader.discover(str(_TESTS / place), "test_*.py", str(root))
    return unittest.TestSuite(_on(iterate_tests(found), set(dialects)))


def _on(tests: Iterable[unittest.TestCase], dialects: set[str]) -> Iterator[unittest.TestCase]:
    for test in tests:
        scenarios = getattr(test, "scenarios", None)
        if scenarios:
            chosen = [pair for pair in scenarios if pair[1].get("dialect", "sqlite") in dialects]
            test.scenarios = chosen  # type: ignore[attr-defined]
        else:
            chosen = "sqlite" in dialects
        if chosen:
            yield test
