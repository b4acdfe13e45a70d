# SPDX-License-Identifier: Apache-2.0
"""A part of the chaos suite: one seed for each database, in a long run. All: ``tox -e chaos``."""

import pathlib

import fixtures
from oslotest import base

from cg_extension.tests.chaos import run
from cg_extension.tests.long import load_tests  # noqa: F401

SECONDS = 20


class ChaosTest(base.BaseTestCase):
    def _check(self, dialect: str, seed: int) -> None:
        directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        with run.crashable_servers(dialect) as (database, broker):
            report = run.run_seed(seed, SECONDS, database, broker, directory)
        self.assertEqual([], report.findings, report)
        self.assertIn(202, report.answers)

    def test_everything_accepted_ends_over_postgresql(self) -> None:
        self._check("postgresql", 1)

    def test_everything_accepted_ends_over_mysql(self) -> None:
        self._check("mysql", 2)
