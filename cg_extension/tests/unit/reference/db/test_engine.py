# SPDX-License-Identifier: Apache-2.0
"""Tests of db.engine on every database."""

import concurrent.futures
import contextlib
import datetime
import importlib
import os
import threading
import time
from typing import Any
from unittest import mock

import fixtures
import sqlalchemy as sa
import testscenarios
import testtools
from oslo_config import cfg
from oslo_db import exception as db_exception
from oslotest import base

from cg_extension.conf import errors
from cg_extension.reference.db import engine, pooling, sqlite, tables
from cg_extension.tests import databases

_LOCKS = tables.project_quotas
_FAILED = 'connection to server at "h" (192.0.2.1), port 1 failed:'


class EngineTest(testscenarios.WithScenarios, base.BaseTestCase):
    scenarios = databases.SCENARIOS
    dialect: str

    def setUp(self) -> None:
        super().setUp()
        self.database = self.useFixture(databases.Database(self.dialect)).database

    def _projects(self, conn: sa.Connection) -> list[str]:
        return list(conn.execute(sa.select(_LOCKS.c.project_id)).scalars())

    def test_a_writer_commits_at_its_end(self) -> None:
        with self.database.writer() as conn:
            conn.execute(_LOCKS.insert(), {"project_id": "a"})
        with self.database.reader() as conn:
            self.assertEqual(["a"], self._projects(conn))

    def test_an_exception_rolls_a_writer_back(self) -> None:
        def fail() -> None:
            with self.database.writer() as conn:
                conn.execute(_LOCKS.insert(), {"project_id": "a"})
                raise ZeroDivisionError

        self.assertRaises(ZeroDivisionError, fail)
        with self.database.reader() as conn:
            self.assertEqual([], self._projects(conn))

    def test_a_commit_that_fails_leaves_nothing_to_the_connections_next_user(self) -> None:
        def insert(project_id: str) -> None:
            with self.database.writer() as conn:
                conn.execute(_LOCKS.insert(), {"project_id": project_id})

        dialect = self.database.engines[0].dialect
        with mock.patch.object(dialect, "do_commit", side_effect=ZeroDivisionError("cut")):
            self.assertRaises(db_exception.DBError, insert, "a")
        insert("b")
        with self.database.reader() as conn:
            self.assertEqual(["b"], self._projects(conn))

    def test_a_server_that_goes_before_the_rollback_does_not_hide_what_it_is_for(self) -> None:
        def fail() -> None:
            with self.database.writer() as conn:
                conn.execute(_LOCKS.insert(), {"project_id": "a"})
                raise ZeroDivisionError

        calls = []
        dbapi = self.database.engines[0].dialect.loaded_dbapi

        def go_after_the_first(connection: Any) -> None:  # which is SQLAlchemy's own
            calls.append(connection)
            if len(calls) > 1:
                raise dbapi.OperationalError(2013, "gone")
            connection.dbapi_connection.rollback()

        with self.database.writer() as conn:
            pooled = type(conn.connection)
        with mock.patch.object(pooled, "rollback", go_after_the_first, create=True):
            self.assertRaises(ZeroDivisionError, fail)
        self.assertGreater(len(calls), 1)
        with self.database.reader() as conn:
            self.assertEqual([], self._projects(conn))

    def test_a_reader_keeps_to_one_snapshot_while_others_write(self) -> None:
        with self.database.reader() as reading:
            self.assertEqual([], self._projects(reading))
            with self.database.writer() as conn:
                conn.execute(_LOCKS.insert(), {"project_id": "a"})
            self.assertEqual([], self._projects(reading))

    def test_a_writer_that_waited_for_a_lock_sees_what_its_owner_left(self) -> None:
        with self.database.writer() as conn:
            conn.execute(_LOCKS.insert(), {"project_id": "a"})
        seen = []

        def lock_and_read() -> None:
            with self.database.writer() as conn:
                if self.dialect != "sqlite":
                    conn.execute(sa.select(_LOCKS))  # A read that must not fix the snapshot.
                conn.execute(sa.select(_LOCKS).where(_LOCKS.c.project_id == "a").with_for_update())
                seen.extend(self._projects(conn))

        thread = threading.Thread(target=lock_and_read)
        with self.database.writer() as conn:
            conn.execute(sa.select(_LOCKS).where(_LOCKS.c.project_id == "a").with_for_update())
            thread.start()
            thread.join(0.3)
            self.assertTrue(thread.is_alive())
            conn.execute(_LOCKS.insert(), {"project_id": "b"})
        thread.join()
        self.assertEqual({"a", "b"}, set(seen))

    def test_a_reader_of_a_single_statement_has_no_transaction(self) -> None:
        for read in (self.database.reader, self.database.replica_reader):
            with read(single=True) as reading:
                self.assertNotIn("b", self._projects(reading))
                with self.database.writer() as conn:
                    conn.execute(_LOCKS.insert(), {"project_id": "b"})
                self.assertIn("b", self._projects(reading))
            with self.database.writer() as conn:
                conn.execute(_LOCKS.delete())

    def test_a_reader_leaves_no_transaction_behind_whatever_leaves_it(self) -> None:
        with contextlib.suppress(ZeroDivisionError), self.database.reader() as reading:
            self._projects(reading)
            raise ZeroDivisionError
        with self.database.writer() as conn:
            conn.execute(_LOCKS.insert(), {"project_id": "a"})
        with self.database.reader(single=True) as reading:
            self.assertEqual(["a"], self._projects(reading))

    def test_the_clock_is_utc_with_microseconds(self) -> None:
        with self.database.reader() as conn:
            times = [engine.now(conn) for _ in range(3)]
        distance = datetime.datetime.now(datetime.UTC).replace(tzinfo=None) - times[0]
        self.assertLess(abs(distance), datetime.timedelta(seconds=10))

    def test_the_clock_as_an_expression_compares_with_stored_times(self) -> None:
        now = engine.utcnow()
        operations = tables.operations
        row = dict.fromkeys(("id", "resource_id", "kind", "project_id", "host"), "x")
        row |= {"arguments": "{}", "context": "{}", "created_at": now, "run_after": now}
        with self.database.writer() as conn:
            conn.execute(operations.insert().values(row))
        with self.database.reader() as conn:
            due = conn.execute(
                sa.select(operations.c.id).where(operations.c.run_after <= engine.utcnow())
            )
            self.assertEqual(["x"], list(due.scalars()))

    def test_text_is_compared_by_code_point_with_blanks_at_the_end(self) -> None:
        names = ["a", "a ", "A", "\U0001f600", "ä", "z"]
        with self.database.writer() as conn:
            conn.execute(_LOCKS.insert(), [{"project_id": name} for name in names])
        with self.database.reader() as conn:
            ordered = sa.select(_LOCKS.c.project_id).order_by(_LOCKS.c.project_id)
            self.assertEqual(sorted(names), list(conn.execute(ordered).scalars()))
            one = sa.select(_LOCKS.c.project_id).where(_LOCKS.c.project_id == "a")
            self.assertEqual(["a"], list(conn.execute(one).scalars()))

    def test_foreign_keys_hold(self) -> None:
        def orphan() -> None:
            with self.database.writer() as conn:
                conn.execute(
                    tables.volume_metadata.insert(), {"volume_id": "x", "key": "k", "value": "v"}
                )

        self.assertRaises(db_exception.DBReferenceError, orphan)


class StartTest(testscenarios.WithScenarios, base.BaseTestCase):
    scenarios = [
        (
            "postgresql",
            {
                "dialect": "postgresql",
                "module": "psycopg2",
                "messages": [
                    (f"{_FAILED} FATAL:  the database system is starting up",),
                    (f"{_FAILED} FATAL:  sorry, too many clients already",),
                    (f"{_FAILED} server closed the connection unexpectedly\n\tThis",),
                ],
            },
        ),
        (
            "mysql",
            {
                "dialect": "mysql",
                "module": "pymysql",
                "messages": [
                    (1040, "Too many connections"),
                    (1053, "Server shutdown in progress"),
                ],
            },
        ),
    ]
    dialect: str
    module: str
    messages: list[tuple[object, ...]]

    def test_a_start_waits_for_a_server_that_takes_no_connection_yet(self) -> None:
        conf = databases.configuration(databases.create(self.dialect))
        conf.set_override("retry_interval", 0, group="database")
        module = importlib.import_module(self.module)
        connect = module.connect
        refusals = [module.OperationalError(*message) for message in self.messages]

        def answer(*arguments: Any, **options: Any) -> Any:
            if refusals:
                raise refusals.pop(0)
            return connect(*arguments, **options)

        with mock.patch.object(module, "connect", answer):
            engine.Database(conf).dispose()
        self.assertEqual([], refusals)


class RetryTest(base.BaseTestCase):
    def test_a_transaction_that_others_are_in_the_way_of_for_too_long_is_given_up(self) -> None:
        tries = []

        @engine.retry
        def fail() -> None:
            tries.append(len(tries))
            raise db_exception.DBDeadlock

        with mock.patch.object(engine, "_RETRY_LIMIT", 0):
            self.assertRaises(db_exception.DBDeadlock, fail)
        self.assertEqual([0], tries)


class LockTest(testscenarios.WithScenarios, base.BaseTestCase):
    # SQLite's writers wait for each other at their begin and can't deadlock.
    scenarios = databases.on(*databases.SERVERS)
    dialect: str

    def setUp(self) -> None:
        super().setUp()
        self.database = self.useFixture(databases.Database(self.dialect)).database

    def test_a_deadlocked_transaction_is_run_again_as_a_whole(self) -> None:
        with self.database.writer() as conn:
            conn.execute(_LOCKS.insert(), [{"project_id": "a"}, {"project_id": "b"}])
        barrier = threading.Barrier(2)
        begun = set()
        ended = []

        @engine.retry
        def lock(first: str, second: str) -> None:
            with self.database.writer() as conn:
                conn.execute(
                    sa.select(_LOCKS).where(_LOCKS.c.project_id == first).with_for_update()
                )
                if first not in begun:
                    begun.add(first)
                    barrier.wait()
                conn.execute(
                    sa.select(_LOCKS).where(_LOCKS.c.project_id == second).with_for_update()
                )
            ended.append(first)

        threads = [threading.Thread(target=lock, args=pair) for pair in (("a", "b"), ("b", "a"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        self.assertEqual({"a", "b"}, set(ended))

    def test_who_may_not_wait_long_for_a_lock_tries_again(self) -> None:
        """As on a server whose administrator has set ``lock_timeout``."""
        update = "UPDATE project_quotas SET serial = 1"
        limited = {
            "postgresql": f"SET LOCAL lock_timeout = '50ms'; {update}",
            "mysql": f"SET STATEMENT innodb_lock_wait_timeout = 0 FOR {update}",
        }
        with self.database.writer() as conn:
            conn.execute(_LOCKS.insert(), {"project_id": "a"})

        def write() -> None:
            with self.database.writer() as conn:
                conn.exec_driver_sql(limited[self.dialect])

        with self.database.writer() as holder:
            holder.exec_driver_sql(update)
            self.assertRaises(db_exception.DBDeadlock, write)

    def test_locks_of_a_process_that_was_stopped_do_not_last(self) -> None:
        with self.database.writer() as conn:
            conn.execute(_LOCKS.insert(), {"project_id": "a"})
        lock = sa.select(_LOCKS).where(_LOCKS.c.project_id == "a").with_for_update()

        def stop() -> None:
            with self.database.writer() as conn:
                conn.execute(lock)
                other.start()
                other.join(60)
                conn.execute(lock)

        def go_on() -> None:
            with self.database.writer() as conn:
                conn.execute(lock)
                went_on.append(time.monotonic())

        went_on: list[float] = []
        other = threading.Thread(target=go_on, daemon=True)
        self.database.dispose()
        with mock.patch.object(engine, "_IDLE_TRANSACTION", 1):
            self.assertRaises(db_exception.DBConnectionError, stop)
        self.assertEqual(1, len(went_on))


class UselessServerTest(testscenarios.WithScenarios, base.BaseTestCase):
    """A server says in the middle of it that it is of no use now; its words are MariaDB's."""

    scenarios = databases.on("mysql")
    dialect: str

    def setUp(self) -> None:
        super().setUp()
        self.fixture = self.useFixture(databases.Database(self.dialect))

    def _end_with(self, number: int, message: str, database: engine.Database) -> None:
        """Let the server end a transaction with this error, and look for the next connection."""
        with database.writer() as conn:
            self.before = conn.exec_driver_sql("SELECT connection_id()").scalar()
            conn.exec_driver_sql(
                "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = %s, MESSAGE_TEXT = %s", (number, message)
            )

    def test_it_counts_as_one_that_is_away_and_its_connections_are_given_up(self) -> None:
        for number, message in (
            (1047, "WSREP has not yet prepared node for application use"),
            (1180, "Error while appending (provider status: Not connected to Primary Component)"),
            (1290, "The MariaDB server is running with the --read-only option so it cannot"),
            (1317, "Query execution was interrupted"),
            (1836, "Running in read-only mode"),
            (1927, "Connection was killed"),
        ):
            database = self.fixture.database
            self.assertRaises(
                db_exception.DBConnectionError, self._end_with, number, message, database
            )
            with database.writer() as conn:
                after = conn.exec_driver_sql("SELECT connection_id()").scalar()
            self.assertNotEqual(self.before, after)

    def test_what_other_transactions_were_in_the_way_of_is_run_again(self) -> None:
        connection = self.fixture.conf.database.connection
        # oslo.db knows MariaDB by the name of MySQL only.
        for url in (connection, connection.replace("mysql", "mariadb", 1)):
            database = engine.Database(databases.configuration(url))
            self.addCleanup(database.dispose)
            for number, message in (
                (1205, "Lock wait timeout exceeded; try restarting transaction"),
                (1213, "Deadlock found when trying to get lock; try restarting transaction"),
                (1213, "WSREP detected deadlock/conflict and aborted the transaction"),
                (1020, "Record has changed since last read in table 'project_quotas'"),
                (1969, "Query execution was interrupted (max_statement_time exceeded)"),
            ):
                self.assertRaises(
                    db_exception.DBDeadlock, self._end_with, number, message, database
                )


class ForeignWordsTest(testscenarios.WithScenarios, base.BaseTestCase):
    """What a server says counts by its number, not by its words."""

    scenarios = [
        (
            "postgresql",
            {
                "dialect": "postgresql",
                "statement": "DO $$ BEGIN RAISE 'Verklemmung' USING ERRCODE = '{}'; END $$",
                "duplicate": ["23505"],
                "dangling": ["23503"],
                "busy": ["40001", "40P01", "55P03", "57014"],
                "away": ["25006", "53100", "57P01", "57P02", "57P03"],
            },
        ),
        (
            "mysql",
            {
                "dialect": "mysql",
                "statement": "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {}, MESSAGE_TEXT = 'Ach'",
                "duplicate": [1062],
                "dangling": [1451, 1452],
                "busy": [1020, 1205, 1213, 1969],
                "away": [1021, 1026, 1030, 1047, 1053, 1114, 1180, 1317, 1927],
            },
        ),
    ]
    dialect: str
    statement: str
    duplicate: list[object]
    dangling: list[object]
    busy: list[object]
    away: list[object]

    def test_errors_are_known_by_their_numbers(self) -> None:
        database = self.useFixture(databases.Database(self.dialect)).database
        for kind, numbers in (
            (db_exception.DBDuplicateEntry, self.duplicate),
            (db_exception.DBReferenceError, self.dangling),
            (db_exception.DBDeadlock, self.busy),
            (db_exception.DBConnectionError, self.away),
        ):
            for number in numbers:
                with testtools.ExpectedException(kind), database.writer() as conn:
                    conn.exec_driver_sql(self.statement.format(number))


class ReadOnlyTest(testscenarios.WithScenarios, base.BaseTestCase):
    scenarios = databases.on("postgresql")
    dialect: str

    def test_a_primary_that_became_a_standby_counts_as_one_that_is_away(self) -> None:
        database = self.useFixture(databases.Database(self.dialect)).database
        with testtools.ExpectedException(db_exception.DBConnectionError), database.writer() as conn:
            conn.exec_driver_sql("SET TRANSACTION READ ONLY")
            conn.execute(_LOCKS.insert(), {"project_id": "a"})


class LostConnectionTest(testscenarios.WithScenarios, base.BaseTestCase):
    scenarios = databases.on(*databases.SERVERS)
    dialect: str

    def setUp(self) -> None:
        super().setUp()
        self.database = self.useFixture(databases.Database(self.dialect)).database
        self.uses = (self.database.reader, self.database.replica_reader, self.database.writer)

    def _lose(self) -> None:
        """Have a connection of each pool, and the server end it."""
        own = sa.text(
            "SELECT pg_backend_pid()" if self.dialect == "postgresql" else "SELECT connection_id()"
        )
        end = "SELECT pg_terminate_backend({})" if self.dialect == "postgresql" else "KILL {}"
        lost = set()
        for use in self.uses:
            with use() as conn:
                lost.add(conn.execute(own).scalar_one())
        other = engine.Database(self.useFixture(databases.Database(self.dialect)).conf)
        self.addCleanup(other.dispose)
        for process in lost:
            with other.writer() as conn:
                conn.exec_driver_sql(end.format(process))

    def test_one_that_rested_is_replaced_before_its_use(self) -> None:
        with mock.patch.object(pooling, "_ALIVE", 0):
            self._lose()
            for use in self.uses:
                with use() as conn:
                    self.assertEqual(1, conn.execute(sa.select(1)).scalar_one())

    def test_one_that_did_not_is_found_out_by_its_use_and_replaced_then(self) -> None:
        with mock.patch.object(pooling, "_ALIVE", 3600):
            self._lose()
            for use in (self.database.reader, self.database.writer):
                with testtools.ExpectedException(db_exception.DBConnectionError), use() as conn:
                    conn.execute(sa.select(1))
                with use() as conn:
                    self.assertEqual(1, conn.execute(sa.select(1)).scalar_one())


class FullDiskTest(base.BaseTestCase):
    """SQLite says what a server would; it can be mended, and then all goes on."""

    def setUp(self) -> None:
        super().setUp()
        self.database = self.useFixture(databases.Database("sqlite")).database

    def _write(self) -> None:
        with self.database.writer() as conn:
            conn.execute(_LOCKS.insert(), [{"project_id": f"{i:0200}"} for i in range(200)])

    def _fail(self) -> None:
        self.assertRaises(db_exception.DBConnectionError, self._write)

    def test_a_file_that_can_not_grow_counts_as_a_database_that_is_away(self) -> None:
        with self.database.writer() as conn:
            conn.exec_driver_sql("PRAGMA max_page_count = 1")  # Of this connection, which is kept.
        self._fail()
        self._write()

    def test_so_does_one_that_can_only_be_read(self) -> None:
        with self.database.writer() as conn:
            conn.exec_driver_sql("PRAGMA query_only = ON")
        self._fail()
        self._write()

    def test_so_does_one_that_can_not_be_opened(self) -> None:
        path = self.database.engines[0].url.database or ""
        self.database.dispose()
        hidden = f"{path}.hidden"
        os.rename(path, hidden)
        os.mkdir(path)
        self._fail()
        os.rmdir(path)
        os.rename(hidden, path)
        self._write()


class RefusedConnectionTest(testscenarios.WithScenarios, base.BaseTestCase):
    scenarios = databases.on("postgresql")
    dialect: str

    def test_a_server_that_takes_no_connection_is_a_lost_connection(self) -> None:
        """As while PostgreSQL starts up, which oslo.db does not know for what it is."""
        url = sa.make_url(databases.new(self.dialect))
        database = engine.Database(databases.configuration(url.render_as_string(False)))
        self.addCleanup(database.dispose)
        others = sa.create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
        self.addCleanup(others.dispose)
        with others.connect() as conn:
            conn.exec_driver_sql(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS false")
        database.dispose()
        for use in (database.reader, database.replica_reader, database.writer):
            self.assertRaises(db_exception.DBConnectionError, use().__enter__)


class BusyTest(base.BaseTestCase):
    def test_a_writer_that_waited_too_long_for_another_process_tries_again(self) -> None:
        fixture = self.useFixture(databases.Database("sqlite"))
        fixture.database.dispose()
        with mock.patch.object(sqlite, "_BUSY_TIMEOUT", 50):
            database = engine.Database(fixture.conf)
            self.addCleanup(database.dispose)
            other = engine.Database(fixture.conf)
            self.addCleanup(other.dispose)
            holder = other.writer()
            holder.__enter__()
            tries = 0

            @engine.retry
            def write() -> None:
                nonlocal tries
                tries += 1
                if tries == 3:
                    holder.__exit__(None, None, None)
                with database.writer() as conn:
                    conn.execute(_LOCKS.insert(), {"project_id": "a"})

            write()
        self.assertEqual(3, tries)


class DurabilityTest(base.BaseTestCase):
    def test_a_commit_to_a_file_is_on_the_disk_unless_the_deployer_does_without(self) -> None:
        # https://sqlite.org/pragma.html#pragma_synchronous: 2 is FULL, 0 is OFF.
        for is_wanted, expected in ((True, 2), (False, 0)):
            conf = cfg.ConfigOpts()
            path = self.useFixture(fixtures.TempDir()).join("db")
            engine.register_opts(conf)
            conf.set_override("connection", f"sqlite:///{path}", group="database")
            conf.set_override("sqlite_synchronous", is_wanted, group="database")
            database = engine.Database(conf)
            self.addCleanup(database.dispose)
            for connect in (database.writer, database.reader):
                with connect() as conn:
                    level = conn.exec_driver_sql("PRAGMA synchronous").scalar()
                self.assertEqual(expected, level)


class AddressTest(base.BaseTestCase):
    def refused(self, connection: str) -> str:
        conf = cfg.ConfigOpts()
        conf([], project="cg_extension")
        engine.register_opts(conf)
        conf.set_override("connection", connection, group="database")
        return str(self.assertRaises(errors.StartError, engine.Database, conf))

    def test_a_database_in_memory_is_refused(self) -> None:
        for url in (
            "sqlite://",
            "sqlite:///:memory:",
            "sqlite:///file::memory:?cache=shared&uri=true",
            "sqlite:///file:x?mode=memory&cache=shared&uri=true",
        ):
            self.assertIn("in memory", self.refused(url))

    def test_what_libpq_can_not_read_is_told_without_a_traceback(self) -> None:
        log = self.useFixture(fixtures.FakeLogger())
        told = self.refused("postgresql+psycopg2://u:secret@127.0.0.1/x?nope=1")
        self.assertIn('"nope"', told)
        self.assertNotIn("secret", told)
        self.assertNotIn("Traceback", log.output)

    def test_no_part_of_a_password_is_taken_for_the_host(self) -> None:
        for url in ("mysql+pymysql://u:se@cret@127.0.0.1:1/x", "mysql+pymysql://u:s@e:cret@h:1/x"):
            told = self.refused(url)
            self.assertIn("%", told)
            self.assertNotIn("cret", told)


class NewFileTest(base.BaseTestCase):
    """A file of SQLite's that is not there yet."""

    def test_many_may_open_it_at_once(self) -> None:
        options = mock.Mock(max_pool_size=1, sqlite_synchronous=False)
        for _ in range(40):
            path = f"{self.useFixture(fixtures.TempDir()).path}/new"
            barrier = threading.Barrier(6)

            def open_it(path: str = path, barrier: threading.Barrier = barrier) -> None:
                opened = sqlite.create_engine(options, sa.make_url(f"sqlite:///{path}"))
                barrier.wait()
                with contextlib.closing(opened.connect()) as conn:
                    sqlite.begin_immediate(conn)

            with concurrent.futures.ThreadPoolExecutor(6) as pool:
                for opening in [pool.submit(open_it) for _ in range(6)]:
                    opening.result()
