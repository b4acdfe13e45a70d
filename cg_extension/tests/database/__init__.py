# SPDX-License-Identifier: Apache-2.0
"""Those of the unit tests that ask a database, on PostgreSQL and MariaDB."""

import unittest

from cg_extension.tests import databases, dialects


def load_tests(
    loader: unittest.TestLoader, tests: unittest.TestSuite, pattern: str | None
) -> unittest.TestSuite:
    """What ``tests/unit`` leaves out: all is in ``reference/``."""
    return dialects.unit_tests(loader, "unit/reference", databases.SERVERS)
