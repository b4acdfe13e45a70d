# SPDX-License-Identifier: Apache-2.0
"""Tests of db.migration on every database."""

import contextlib
import datetime
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import alembic.autogenerate
import alembic.migration
import sqlalchemy as sa
import testscenarios
from oslotest import base

from cg_extension.reference.db import engine, migration, tables
from cg_extension.tests import databases, usage

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


@contextlib.contextmanager
def killed_at(database: engine.Database, number: int, beginning: str = "") -> Iterator[None]:
    """Within the block whoever writes dies before that statement, counted from 1.

    :param beginning: of the statements that count.
    """
    writer, _reader = database.engines
    left = number

    def kill(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        nonlocal left
        left -= statement.startswith(beginning)
        if left == 0:
            raise Killed

    sa.event.listen(writer, "before_cursor_execute", kill)
    try:
        yield
    finally:
        sa.event.remove(writer, "before_cursor_execute", kill)


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
        for statements in (5, 20, 40):
            with killed_at(database, statements):
                self.assertRaises(Killed, migration.sync, database)
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


class BesideTestCase(testscenarios.WithScenarios, base.BaseTestCase):
    """Something else is done in the database while it is migrated."""

    dialect: str

    def two_connections(self, version: str) -> tuple[engine.Database, engine.Database]:
        """To one database, of this version."""
        conf = databases.configuration(databases.new(self.dialect))
        database, other = engine.Database(conf), engine.Database(conf)
        for each in (database, other):
            self.addCleanup(each.dispose)
        migration.sync(database, version)
        return database, other


class LeftStatementTest(BesideTestCase):
    scenarios = databases.on("mysql")

    def test_a_sync_waits_for_an_index_that_one_that_was_killed_has_begun(self) -> None:
        """MariaDB carries a statement out although its client is gone."""
        database, other = self.two_connections("0001")
        ended = []

        def end(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            if statement.startswith("CREATE INDEX") and not ended:
                ended.append(statement)
                with other.writer() as conn:
                    conn.exec_driver_sql(statement)

        sa.event.listen(database.engines[0], "before_cursor_execute", end)
        migration.sync(database, "0002")
        self.assertEqual((1, "0002"), (len(ended), migration.version(database)))


class DroppedMeanwhileTest(testscenarios.WithScenarios, base.BaseTestCase):
    scenarios = databases.SCENARIOS
    dialect: str

    def test_an_index_that_one_that_was_killed_drops_after_the_look_at_it_may_be_gone(self) -> None:
        database = engine.Database(databases.configuration(databases.new(self.dialect)))
        self.addCleanup(database.dispose)
        migration.sync(database, "0003")
        dropped = []

        def drop(_conn: Any, cursor: Any, statement: str, *_rest: Any) -> None:
            if "DROP INDEX" in statement:
                dropped.append(statement)
                cursor.execute(statement)

        sa.event.listen(database.engines[0], "before_cursor_execute", drop)
        migration.sync(database, "0004")
        self.assertEqual((5, "0004"), (len(dropped), migration.version(database)))


class ReadMeanwhileTest(BesideTestCase):
    scenarios = databases.SCENARIOS

    def test_tables_can_be_read_while_indexes_of_others_are_made(self) -> None:
        database, other = self.two_connections("0003")
        read = []

        def look(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            if statement.startswith("CREATE INDEX"):
                with other.reader() as conn:
                    if self.dialect == "postgresql":
                        conn.exec_driver_sql("SET LOCAL lock_timeout = '1s'")
                    read.append(conn.execute(sa.select(tables.consistencygroups.c.id)).all())

        sa.event.listen(database.engines[0], "before_cursor_execute", look)
        migration.sync(database, "0004")
        self.assertEqual([[]] * 4, read)


class ProjectQuotasTest(testscenarios.WithScenarios, base.BaseTestCase):
    """From 0002 to 0003: more projects than are counted at once."""

    scenarios = databases.SCENARIOS
    dialect: str

    PROJECTS = 1_100
    OLD = sa.table("quotas", *map(sa.column, ("project_id", "resource", "hard_limit")))

    def setUp(self) -> None:
        super().setUp()
        self.database = engine.Database(databases.configuration(databases.new(self.dialect)))
        self.addCleanup(self.database.dispose)
        migration.sync(self.database, "0002")
        self._insert(tables.consistencygroups, *[f"p{n}" for n in range(self.PROJECTS)])
        self._insert(tables.volumes, "p1", "p1", "v", "A", "a ", "\u00e4", size=7)
        parent = {"volume_id": "volumes-1", "volume_size": 5}
        self._insert(tables.snapshots, "p1", "s", "p1", **parent)
        self.limits = {
            ("p1", "volumes"): 3,
            ("p1", "gigabytes"): -1,
            ("only a limit", "groups"): 0,
            ("v", "snapshots"): 2**31 - 1,
        }
        with self.database.writer() as conn:
            for (project_id, resource), hard_limit in self.limits.items():
                values = {"project_id": project_id, "resource": resource, "hard_limit": hard_limit}
                conn.execute(sa.insert(self.OLD), values)

    def _insert(self, table: sa.Table, *projects: str, **values: Any) -> None:
        """A row for each of the projects."""
        now = datetime.datetime(2026, 1, 1)
        common = {"status": "available", "created_at": now, **values}
        if "availability_zone" in table.c:
            common["availability_zone"] = "nova"
        with self.database.writer() as conn:
            count = conn.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            rows = [
                {"id": f"{table.name}-{count + n}", "project_id": project, **common}
                for n, project in enumerate(projects)
            ]
            conn.execute(sa.insert(table), rows)

    def _check(self) -> None:
        self.assertEqual("0003", migration.version(self.database))
        with self.database.reader() as conn:
            self.assertEqual([], usage.findings(conn))
            own = {
                (row.project_id, resource): limit
                for row in conn.execute(sa.select(tables.project_quotas))
                for resource in ("groups", "volumes", "snapshots", "gigabytes")
                if (limit := row._mapping[f"{resource}_limit"]) is not None
            }
            left = {"quotas", "quota_locks"} & set(sa.inspect(conn).get_table_names())
        self.assertEqual(self.limits, own)
        self.assertEqual(set(), left)

    def test_usage_is_counted_from_the_rows_and_limits_are_kept(self) -> None:
        migration.sync(self.database, "0003")
        self._check()

    def test_wherever_it_is_killed_it_is_gone_on_with_and_counts_what_came_since(self) -> None:
        for statement in range(1, 200, 3):
            try:
                with killed_at(self.database, statement):
                    migration.sync(self.database, "0003")
                break
            except Killed:
                self.assertEqual("0002", migration.version(self.database))
                # Of a service of the old release, started once more.
                self._insert(tables.consistencygroups, "p2", f"new{statement}")
        self.assertGreater(statement, 20)
        self._check()

    def test_killed_when_the_old_tables_are_gone_it_keeps_the_limits_and_counts_again(self) -> None:
        with killed_at(self.database, 1, "UPDATE alembic_version"):
            self.assertRaises(Killed, migration.sync, self.database, "0003")
        self._insert(tables.consistencygroups, "p2", "new")
        migration.sync(self.database, "0003")
        self._check()

    def test_projects_that_lost_all_that_they_had_after_a_kill_are_left_out(self) -> None:
        with killed_at(self.database, 20):
            self.assertRaises(Killed, migration.sync, self.database, "0003")
        with self.database.writer() as conn:
            for table in (tables.snapshots, tables.volumes, tables.consistencygroups, self.OLD):
                conn.execute(sa.delete(table))
        self.limits = {}
        migration.sync(self.database, "0003")
        self._check()

    def test_a_limit_that_was_changed_after_a_kill_counts(self) -> None:
        with killed_at(self.database, 20):
            self.assertRaises(Killed, migration.sync, self.database, "0003")
        self.limits = {("p1", "volumes"): 4}
        with self.database.writer() as conn:
            conn.execute(sa.delete(self.OLD).where(self.OLD.c.project_id != "p1"))
            conn.execute(sa.delete(self.OLD).where(self.OLD.c.resource != "volumes"))
            conn.execute(sa.update(self.OLD).values(hard_limit=4))
        migration.sync(self.database, "0003")
        self._check()
