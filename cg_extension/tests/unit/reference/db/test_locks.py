# SPDX-License-Identifier: Apache-2.0
"""Locks by name, on every server; those of a Galera cluster are in ``tests.galera``."""

import threading

import testscenarios
import testtools
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

    def test_locks_of_other_names_are_no_hindrance(self) -> None:
        with locks.hold(self.database, "another"):
            thread, inside = self._other()
            thread.join(30)
            self.assertTrue(inside.is_set())
