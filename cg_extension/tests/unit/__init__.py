# SPDX-License-Identifier: Apache-2.0
"""Unit tests. As a whole they need no server; ``tests/database`` has the rest of them."""

import unittest

from cg_extension.tests import dialects


def load_tests(
    loader: unittest.TestLoader, tests: unittest.TestSuite, pattern: str | None
) -> unittest.TestSuite:
    """Tests of databases are run on SQLite only."""
    return dialects.unit_tests(loader, "unit", ["sqlite"])
