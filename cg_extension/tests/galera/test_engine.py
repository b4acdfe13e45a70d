# SPDX-License-Identifier: Apache-2.0
"""What a transaction on one node sees of the others, and what becomes of it when they are gone."""

import sqlalchemy as sa
import testtools
from oslo_db import exception as db_exception

from cg_extension.contract import exceptions
from cg_extension.reference.db import engine, tables
from cg_extension.reference.service import base as service_base
from cg_extension.tests import databases, races, waiting
from cg_extension.tests.galera import base
from cg_extension.tests.unit.reference.manager.base import FakeManagerClient

# Of no matter here but for a column that counts.
_TABLE = tables.operations


def _set(conn: sa.Connection, value: int, row_id: str = "a") -> None:
    conn.execute(sa.update(_TABLE).where(_TABLE.c.id == row_id).values(attempts=value))


def _add(conn: sa.Connection, row_id: str = "a") -> None:
    one_more = sa.update(_TABLE).where(_TABLE.c.id == row_id).values(attempts=_TABLE.c.attempts + 1)
    conn.execute(one_more)


def _get(conn: sa.Connection, row_id: str = "a") -> int:
    found = conn.execute(sa.select(_TABLE.c.attempts).where(_TABLE.c.id == row_id))
    value: int = found.scalar_one()
    return value


class EngineTestCase(base.GaleraTestCase):
    """There are two rows, whose values are 0."""

    def setUp(self) -> None:
        super().setUp()
        with self.databases[0].writer() as conn:
            for row_id in ("a", "b"):
                row = {"id": row_id, "resource_id": row_id, "attempts": 0}
                row |= dict.fromkeys(("kind", "project_id", "host", "arguments", "context"), "{}")
                times = dict.fromkeys(("created_at", "run_after"), engine.utcnow())
                conn.execute(sa.insert(_TABLE).values({**row, **times}))


class CausalityTest(EngineTestCase):
    def _stale(self, read: engine.Database) -> int:
        """How often, of 200 times, what was committed on one node is not seen on another."""
        stale = 0
        for value in range(200):
            with self.databases[0].writer() as conn:
                _set(conn, value)
            with read.reader() as conn:
                stale += _get(conn) != value
        return stale

    def test_what_was_committed_on_one_node_is_seen_on_every_other(self) -> None:
        for database in self.databases:
            self.assertEqual(0, self._stale(database))

    def test_a_change_of_any_kind_begins_from_what_was_committed_elsewhere(self) -> None:
        for number in range(200):
            with self.databases[number % 2].writer() as conn:
                _add(conn)
        with self.databases[2].reader() as conn:
            self.assertEqual(200, _get(conn))

    def test_what_the_deployer_says_of_waiting_counts(self) -> None:
        conf = databases.configuration(base.urls()[1])
        conf.set_override("mysql_wsrep_sync_wait", 0, group="database")
        database = engine.Database(conf)
        self.addCleanup(database.dispose)
        with database.reader() as conn:
            self.assertEqual(0, conn.exec_driver_sql("SELECT @@wsrep_sync_wait").scalar())

    def test_a_replica_that_may_be_late_waits_for_nothing(self) -> None:
        conf = databases.configuration(base.urls()[0])
        conf.set_override("slave_connection", base.urls()[1], group="database")
        conf.set_override("synchronous_reader", False, group="database")
        database = engine.Database(conf)
        self.addCleanup(database.dispose)
        for reader, expected in ((database.replica_reader, 0), (database.reader, 7)):
            with reader() as conn:
                wait = conn.exec_driver_sql("SELECT @@wsrep_sync_wait").scalar()
            self.assertEqual(expected, wait)


class ConflictTest(EngineTestCase):
    def test_what_is_read_after_a_change_that_excludes_others_stays_true(self) -> None:
        """As on one server: the row that all of them change first is a lock."""

        def add(database: engine.Database) -> None:
            @engine.retry
            def transaction() -> None:
                with database.writer() as conn:
                    _add(conn, "a")
                    _set(conn, _get(conn, "b") + 1, "b")

            for _ in range(50):
                transaction()

        answers = races.at_once(*[lambda d=each: add(d) for each in self.databases[:2]])
        self.assertEqual([None, None], answers)
        with self.databases[2].reader() as conn:
            self.assertEqual((100, 100), (_get(conn, "a"), _get(conn, "b")))


class LossTest(EngineTestCase):
    """A node is cut off, or has lost its quorum, while pooled connections to it are there."""

    def setUp(self) -> None:
        super().setUp()
        self.nodes = self.break_nodes()
        self.node, self.database = self.nodes[2], self.databases[2]
        # As many connections as are pooled, so that one after the other would be tried.
        readers = [self.database.reader() for _ in range(4)]
        for reader in readers:
            _get(reader.__enter__())
        for reader in readers:
            reader.__exit__(None, None, None)
        self.part = service_base.Part(
            databases.configuration(base.urls()[2]), self.database, FakeManagerClient()
        )

    def _read(self) -> int:
        with self.part.read() as conn:
            return _get(conn)

    def _write(self) -> None:
        self.part.write(lambda transaction: _set(transaction.conn, 1))

    def _assert_unavailable(self, times: int) -> None:
        for call in (self._read, self._write):
            for _ in range(times):
                self.assertRaises(exceptions.ServiceUnavailable, call)

    def _assert_is_of_use_again(self) -> None:
        self._write()
        self.assertEqual(1, self._read())

    def test_a_node_that_is_cut_off_is_unavailable_until_it_is_back(self) -> None:
        def commit_amid_it(transaction: service_base.Transaction) -> None:
            _set(transaction.conn, 2)
            self.node.cut_off()  # which the node notices in some seconds, in the commit

        self.assertRaises(exceptions.ServiceUnavailable, self.part.write, commit_amid_it)
        waiting.eventually(lambda: not self.node.is_primary(), "the node is alone")
        self._assert_unavailable(5)
        self.node.heal()
        self.cluster.wait_until_synced()
        self.assertEqual(0, self._read())
        self._assert_is_of_use_again()

    def test_a_node_that_was_killed_is_unavailable_until_it_is_back(self) -> None:
        with (
            testtools.ExpectedException(db_exception.DBConnectionError),
            self.database.writer() as conn,
        ):
            _set(conn, 2)
            self.node.kill()
        self._assert_unavailable(1)
        self.cluster.restore()
        self.assertEqual(0, self._read())
        self._assert_is_of_use_again()
