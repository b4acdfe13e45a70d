# SPDX-License-Identifier: Apache-2.0
"""Locks by name, on every server; those of a Galera cluster are in ``tests.galera``."""

import threading
from typing import Any

import fixtures
import testscenarios
import testtools
from oslo_db import exception as db_exception
from oslotest import base

from cg_extension.reference.db import engine, locks
from cg_extension.tests import databases


class LocksTest(testscenarios.WithScenarios, base.BaseTestCase):
    # On SQLite it does nothing.
    scenarios = databases.on(*databases.SERVERS)
    dialect: str

    def setUp(self) -> None:
        super().setUp()
        self.fixture = self.useFixture(databases.Database(self.dialect))
        self.database = self.fixture.database

    def _other(self) -> tuple[threading.Thread, threading.Event]:
        """Another process's attempt to come inside, and whether it did."""
        inside = threading.Event()
        database = engine.Database(self.fixture.conf)
        self.addCleanup(database.dispose)

        def work() -> None:
            with locks.hold(database, "test"):
                inside.set()

        thread = threading.Thread(target=work)
        thread.start()
        return thread, inside

    def test_one_process_at_a_time_is_inside(self) -> None:
        with locks.hold(self.database, "test"):
            thread, inside = self._other()
            self.assertFalse(inside.wait(0.3))
        thread.join(30)
        self.assertTrue(inside.is_set())

    def test_a_lock_ends_with_an_error_too(self) -> None:
        with testtools.ExpectedException(ZeroDivisionError), locks.hold(self.database, "test"):
            raise ZeroDivisionError
        thread, inside = self._other()
        thread.join(30)
        self.assertTrue(inside.is_set())

    def test_what_was_guarded_is_over_although_the_server_has_ended_the_lock(self) -> None:
        """As it does with a connection that rests for ``wait_timeout``, or a proxy does."""
        killer = engine.Database(self.fixture.conf)
        self.addCleanup(killer.dispose)
        others = {
            "postgresql": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()",
            "mysql": "SELECT id FROM information_schema.processlist "
            "WHERE db = database() AND id <> connection_id()",
        }
        with locks.hold(self.database, "test"), killer.writer() as conn:
            for number in conn.exec_driver_sql(others[self.dialect]).scalars().all():
                if self.dialect == "mysql":
                    conn.exec_driver_sql(f"KILL {number}")
        thread, inside = self._other()
        thread.join(30)
        self.assertTrue(inside.is_set())

    def test_locks_of_other_names_are_no_hindrance(self) -> None:
        with locks.hold(self.database, "another"):
            thread, inside = self._other()
            thread.join(30)
            self.assertTrue(inside.is_set())


class RowTest(testscenarios.WithScenarios, base.BaseTestCase):
    """The lock of a cluster's nodes, on a single server."""

    scenarios = databases.on("mysql")
    dialect: str

    def test_a_look_that_was_held_up_too_long_is_followed_by_another(self) -> None:
        """As by a change of a large table, for which a look waits at most half a minute."""
        database = self.useFixture(databases.Database(self.dialect)).database
        take = locks._take
        answers = [db_exception.DBDeadlock()]

        def look(*arguments: Any) -> Any:
            if answers:
                raise answers.pop()
            return take(*arguments)

        self.useFixture(fixtures.MockPatchObject(locks, "_PAUSE", 0.01))
        self.useFixture(fixtures.MockPatchObject(locks, "_take", look))
        self.useFixture(fixtures.MockPatchObject(engine.Database, "is_galera", lambda _: True))
        with locks.hold(database, "test"):
            self.assertEqual([], answers)
        with database.writer() as conn:
            conn.exec_driver_sql("DROP TABLE cluster_locks")
