# SPDX-License-Identifier: Apache-2.0
"""What only a long run has: a rule shown in place after place, and what waits for chance.

``tools/run_tests.sh --long`` sets CG_TEST_LONG. Without it such tests are not loaded, so that
nobody lists or counts them; CONTRIBUTING.md says which they are.
"""

import os
import unittest

WANTED = bool(os.environ.get("CG_TEST_LONG"))


def load_tests(
    loader: unittest.TestLoader, tests: unittest.TestSuite, pattern: str | None
) -> unittest.TestSuite:
    """For a module all of whose tests belong to a long run, to import by this name."""
    return tests if WANTED else unittest.TestSuite()
