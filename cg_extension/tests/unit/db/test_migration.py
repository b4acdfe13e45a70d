# SPDX-License-Identifier: Apache-2.0
"""Tests of db.migration on every database."""

import alembic.autogenerate
import alembic.migration
import testscenarios
from oslotest import base

from cg_extension.db import engine, migration, tables
from cg_extension.tests import databases


class MigrationTest(testscenarios.WithScenarios, base.BaseTestCase):
    scenarios = databases.SCENARIOS
    dialect: str

    def test_migrations_lead_to_the_tables_of_the_code(self) -> None:
        database = self.useFixture(databases.Database(self.dialect)).database
        with database.reader() as conn:
            context = alembic.migration.MigrationContext.configure(conn)
            difference = alembic.autogenerate.compare_metadata(context, tables.metadata)
        self.assertEqual([], difference)

    def test_sync_again_changes_nothing(self) -> None:
        database = self.useFixture(databases.Database(self.dialect)).database
        migration.sync(database)
        self.assertEqual(migration.newest_version(), migration.version(database))

    def test_an_empty_database_has_no_version(self) -> None:
        url = databases.new(self.dialect)
        database = engine.Database(databases.configuration(url))
        self.addCleanup(database.dispose)
        self.assertIsNone(migration.version(database))
