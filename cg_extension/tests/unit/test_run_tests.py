# SPDX-License-Identifier: Apache-2.0
"""What ``tools/run_tests.py`` tells at its end of tests that did not come to theirs."""

import pathlib
from unittest import mock

import fixtures

from cg_extension.tests.unit import test_long_runs

_RULE = "=" * 70
# Of ``stestr failing``, after a worker that was killed in the middle of a test.
_CUT_OFF = [_RULE, "FAIL: a.test_b", "tags: worker-0", "-" * 70, "Ran 1 tests"]
_FAILED = [_RULE, "FAIL: a.test_c", "tags: worker-0", "-" * 70, "Traceback", "", "ValueError: no"]


class EndTest(test_long_runs.ToolsTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.run_tests = self.load("run_tests")

    def test_a_test_in_which_its_worker_ended_is_told_to_be_that(self) -> None:
        self.assertEqual(
            ["FAIL: a.test_b", "Its worker ended in the middle of it."],
            self.run_tests.causes(_CUT_OFF),
        )
        self.assertEqual(_FAILED[1:], self.run_tests.causes(_FAILED))

    def test_a_time_limit_and_tests_that_did_not_run_are_told(self) -> None:
        directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        with mock.patch.multiple(
            self.run_tests,
            tox=mock.Mock(return_value=None),
            count=mock.Mock(return_value=self.run_tests.Counts(passed=1)),
            lost=mock.Mock(return_value=["a.test_d", "a.test_e"]),
        ):
            counts = self.run_tests.run("unit", directory)
            linters = self.run_tests.run("linters", directory)
        limit, missing = counts.notes
        self.assertRegex(limit, r"ended at its time limit of \d+ s")
        self.assertIn("did not run: 2", missing)
        self.assertEqual((1, 2), (counts.passed, counts.failed))
        self.assertEqual((1, 1), (linters.failed, len(linters.notes)))
