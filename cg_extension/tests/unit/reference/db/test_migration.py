# SPDX-License-Identifier: Apache-2.0
"""Tests of db.migration on every database."""

import subprocess
import sys
from typing import Any

import alembic.autogenerate
import alembic.migration
import sqlalchemy as sa
import testscenarios
from oslotest import base

from cg_extension.reference.db import engine, migration, tables
from cg_extension.tests import databases

SYNC = """
from cg_extension.cmd import databases as cmd_databases
from cg_extension.reference.db import engine
from cg_extension.tests import databases

conf = databases.configuration({url!r})
database = engine.Database(conf)
print("ready", flush=True)
input()
cmd_databases.sync(conf, database)
"""


class Killed(BaseException):
    pass


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

    def test_a_database_of_a_newer_release_is_told_as_such_and_left_alone(self) -> None:
        database = self.useFixture(databases.Database(self.dialect)).database
        newest = migration.newest_version()
        self.addCleanup(self._set_version, database, newest)
        self._set_version(database, "9999")
        for use in (migration.check, migration.sync):
            error = self.assertRaises(migration.WrongSchema, use, database)
            for word in ("newer", "9999", newest):
                self.assertIn(word, str(error))
        self.assertEqual("9999", migration.version(database))

    def test_a_database_of_an_older_release_is_to_be_synced(self) -> None:
        database = self.useFixture(databases.Database(self.dialect)).database
        migration.check(database)
        self.addCleanup(self._set_version, database, migration.newest_version())
        self._set_version(database, "0001")
        error = self.assertRaises(migration.WrongSchema, migration.check, database)
        self.assertIn("cg-manage db sync", str(error))

    @staticmethod
    def _set_version(database: engine.Database, version: str) -> None:
        with database.writer() as conn:
            conn.execute(sa.text("UPDATE alembic_version SET version_num = :v"), {"v": version})

    def test_a_sync_that_was_killed_is_gone_on_with(self) -> None:
        database = engine.Database(databases.configuration(databases.new(self.dialect)))
        self.addCleanup(database.dispose)
        writer, _reader = database.engines
        left = 0

        def kill(*_arguments: Any) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise Killed

        for statements in (5, 20, 40):
            left = statements
            sa.event.listen(writer, "before_cursor_execute", kill)
            self.assertRaises(Killed, migration.sync, database)
            sa.event.remove(writer, "before_cursor_execute", kill)
        migration.sync(database)
        self.assertEqual(migration.newest_version(), migration.version(database))

    def test_two_syncs_at_once_do_it_once(self) -> None:
        code = SYNC.format(url=databases.new(self.dialect))
        syncs = [
            subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        for process in syncs:
            assert process.stdout is not None and process.stdin is not None
            self.assertEqual("ready\n", process.stdout.readline())
        for process in syncs:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        for process in syncs:
            _output, errors = process.communicate(timeout=120)
            self.assertEqual(0, process.returncode, errors)
