# SPDX-License-Identifier: Apache-2.0
"""Claims and leases, on every database."""

import datetime
from collections.abc import Callable
from concurrent import futures
from typing import Any

import sqlalchemy as sa
import testscenarios
from oslo_db import exception as db_exception
from oslo_utils import uuidutils
from oslotest import base

from cg_extension.contract import context as cg_context
from cg_extension.reference.db import engine, queue, tables
from cg_extension.tests import databases

HOST = "host@one"
LEASE = 30.0


class OperationsTestCase(testscenarios.WithScenarios, base.BaseTestCase):
    dialect: str

    def setUp(self) -> None:
        super().setUp()
        self.database = self.useFixture(databases.Database(self.dialect)).database
        self.context = cg_context.RequestContext(
            user_id="u", project_id="p", auth_token="secret", request_id="req-1"
        )

    def enqueue(self, **values: Any) -> str:
        wanted = {
            "kind": "volume.create",
            "resource_id": uuidutils.generate_uuid(),
            "project_id": "p",
            "host": HOST,
            "arguments": {"key": ["value"]},
            "context": self.context,
        }
        with self.database.writer() as conn:
            return queue.enqueue(conn, **{**wanted, **values})

    def claim(self, owner: str, limit: int = 10, **values: Any) -> list[queue.Operation]:
        wanted = {"host": HOST, "owner": owner, "lease_seconds": LEASE, "limit": limit}

        @engine.retry
        def transaction() -> list[queue.Operation]:
            with self.database.writer() as conn:
                return queue.claim(conn, **{**wanted, **values})

        return transaction()

    def take_over(self, owner: str, **values: Any) -> list[queue.Operation]:
        """Claim also what others have had for too long."""
        return self.claim(owner, overdue=self.others(owner), **values)

    def others(self, owner: str) -> dict[str, datetime.datetime]:
        with self.database.reader() as conn:
            return queue.others(conn, [HOST], owner)

    def due(self, owner: str = "any", **values: Any) -> float | None:
        with self.database.reader() as conn:
            return queue.next_due(conn, HOST, owner, **values)


class LongQueueTest(OperationsTestCase):
    # Those that tell how much they have read.
    scenarios = databases.on("sqlite", "mysql")

    def steps(self, conn: sa.Connection, read: Callable[[], None]) -> int:
        if self.dialect == "mysql":
            conn.exec_driver_sql("FLUSH STATUS")
            read()
            status = conn.exec_driver_sql("SHOW SESSION STATUS LIKE 'Handler_read%%'")
            return sum(int(count) for _name, count in status)
        taken: list[None] = []
        connection = conn.connection.dbapi_connection
        assert connection is not None
        connection.set_progress_handler(lambda: taken.append(None), 1)
        read()
        connection.set_progress_handler(None, 1)
        return len(taken)

    def test_that_something_is_due_is_found_out_without_a_look_at_all_that_waits(self) -> None:
        for _ in range(200):
            self.enqueue()
        self.claim("a", limit=8)
        with self.database.reader() as conn:

            def look() -> None:
                self.assertLess(queue.next_due(conn, HOST, "a") or 0, 0)

            self.assertLess(self.steps(conn, look), 150)

    def test_what_is_due_is_claimed_without_a_look_at_all_that_is_to_be_tried_again(self) -> None:
        for _ in range(200):
            self.enqueue()
        with self.database.writer() as conn:
            later = engine.now(conn) + datetime.timedelta(hours=1)
            conn.execute(sa.update(tables.operations).values(run_after=later, attempts=1))
        queued = self.enqueue()
        with self.database.writer() as conn:

            def claim() -> None:
                wanted = {"host": HOST, "owner": "a", "lease_seconds": LEASE, "limit": 8}
                (claimed,) = queue.claim(conn, **wanted)
                self.assertEqual(queued, claimed.id)

            self.assertLess(self.steps(conn, claim), 300)


class OperationsTest(OperationsTestCase):
    scenarios = databases.SCENARIOS

    def test_a_claim_gives_what_was_queued(self) -> None:
        operation_id = self.enqueue(kind="volume.delete", resource_id="r")
        (claimed,) = self.claim("a")
        self.assertEqual(
            (operation_id, "volume.delete", "r", {"key": ["value"]}, 1),
            (
                claimed.id,
                claimed.kind,
                claimed.resource_id,
                claimed.arguments,
                claimed.attempts,
            ),
        )
        self.assertEqual("req-1", cg_context.from_dict(claimed.context).request_id)

    def test_a_users_token_is_not_kept(self) -> None:
        self.enqueue()
        with self.database.reader() as conn:
            row = conn.execute(sa.select(tables.operations)).one()
        self.assertNotIn("secret", str(row))

    def test_a_resource_has_one_operation_at_most(self) -> None:
        self.enqueue(resource_id="r")
        self.assertRaises(db_exception.DBDuplicateEntry, self.enqueue, resource_id="r")

    def test_what_is_claimed_is_not_claimed_again(self) -> None:
        self.enqueue()
        self.assertEqual(1, len(self.claim("a")))
        self.assertEqual([], self.claim("b"))

    def test_another_backends_work_is_left_alone(self) -> None:
        self.enqueue(host="host@two")
        self.assertEqual([], self.claim("a"))

    def test_the_oldest_come_first_up_to_the_limit(self) -> None:
        queued = [self.enqueue() for _ in range(3)]
        claimed = [operation.id for operation in self.claim("a", limit=2)]
        self.assertEqual(queued[:2], claimed)

    def test_racing_claimers_share_without_overlap(self) -> None:
        queued = {self.enqueue() for _ in range(40)}

        def claim_all(owner: str) -> list[str]:
            mine: list[str] = []
            while self.due() is not None and self.due() <= 0:  # type: ignore[operator]
                mine += [operation.id for operation in self.claim(owner, limit=3, exclude=mine)]
            return mine

        with futures.ThreadPoolExecutor(4) as pool:
            claimed = [each for mine in pool.map(claim_all, "abcd") for each in mine]
        self.assertEqual(sorted(queued), sorted(claimed))

    def test_a_lease_that_ran_out_can_be_claimed_and_counts_as_an_attempt(self) -> None:
        self.enqueue()
        self.claim("a")
        databases.let_leases_run_out(self.database)
        (claimed,) = self.take_over("b")
        self.assertEqual(2, claimed.attempts)

    def test_a_lease_that_ran_out_by_the_databases_clock_alone_is_not_taken(self) -> None:
        self.enqueue()
        self.claim("a")
        databases.let_leases_run_out(self.database)
        self.assertEqual([], self.claim("b"))

    def test_a_lease_that_was_renewed_since_it_was_looked_at_is_not_taken(self) -> None:
        operation_id = self.enqueue()
        self.claim("a")
        seen = self.others("b")
        self.assertEqual([operation_id], list(seen))
        self.assertEqual([], self.claim("b", overdue=seen))
        databases.let_leases_run_out(self.database)
        self.assertEqual([], self.claim("b", overdue=seen))

    def test_leases_of_ones_own_and_of_other_hosts_are_not_anothers(self) -> None:
        self.enqueue()
        self.enqueue()
        self.claim("a", limit=1)
        self.assertEqual({}, self.others("a"))
        with self.database.reader() as conn:
            self.assertEqual({}, queue.others(conn, ["host@two"], "b"))

    def test_what_no_thread_of_ours_works_on_is_claimed_by_us_again(self) -> None:
        """Its claim was carried out, but the answer was lost."""
        operation_id = self.enqueue()
        self.claim("a")
        self.assertLessEqual(self.due("a") or 0, 0)
        self.assertIsNone(self.due("a", exclude={operation_id}))
        (claimed,) = self.claim("a")
        self.assertEqual(2, claimed.attempts)

    def test_what_a_thread_of_ours_still_works_on_is_not_claimed_by_us(self) -> None:
        operation_id = self.enqueue()
        self.claim("a")
        databases.let_leases_run_out(self.database)
        self.assertEqual([], self.claim("a", exclude={operation_id}))

    def test_only_the_owner_can_finish(self) -> None:
        operation_id = self.enqueue()
        self.claim("a")
        databases.let_leases_run_out(self.database)
        self.take_over("b")
        with self.database.writer() as conn:
            self.assertFalse(queue.finish(conn, operation_id, "a"))
        with self.database.writer() as conn:
            self.assertTrue(queue.finish(conn, operation_id, "b"))
        self.assertIsNone(self.due())

    def test_an_owner_renews_what_it_holds_and_learns_what_it_lost(self) -> None:
        kept, lost = self.enqueue(), self.enqueue()
        self.claim("a")
        databases.let_leases_run_out(self.database)
        self.take_over("b", exclude={kept})
        with self.database.writer() as conn:
            found = queue.renew(conn, operation_ids={kept, lost}, owner="a", lease_seconds=LEASE)
        self.assertEqual(({kept}, {lost}), found)
        self.assertEqual([], self.claim("c"))

    def test_postponed_work_is_due_after_the_delay(self) -> None:
        operation_id = self.enqueue()
        self.claim("a")
        with self.database.writer() as conn:
            self.assertTrue(queue.postpone(conn, operation_id, "a", 20.0))
        self.assertEqual([], self.claim("a"))
        due = self.due()
        self.assertTrue(due is not None and 15 < due <= 20, due)

    def test_new_work_is_due_also_when_the_databases_clock_was_set_back(self) -> None:
        queued = self.enqueue()
        with self.database.writer() as conn:
            later = engine.now(conn) + datetime.timedelta(hours=1)
            conn.execute(sa.update(tables.operations).values(run_after=later, created_at=later))
        self.assertLessEqual(self.due() or 0, 0)
        self.assertEqual([queued], [operation.id for operation in self.claim("a")])

    def test_only_the_owner_can_postpone(self) -> None:
        operation_id = self.enqueue()
        self.claim("a")
        with self.database.writer() as conn:
            self.assertFalse(queue.postpone(conn, operation_id, "b", 0.0))

    def test_claimed_work_is_due_at_the_end_of_its_lease(self) -> None:
        operation_id = self.enqueue()
        self.claim("a")
        due = self.due()
        self.assertTrue(due is not None and LEASE - 5 < due <= LEASE, due)
        self.assertIsNone(self.due(exclude={operation_id}))

    def test_a_dead_owners_work_and_no_other_is_free_at_once(self) -> None:
        mine, others = self.enqueue(), self.enqueue()
        self.claim("dead", exclude={others})
        self.claim("alive")
        with self.database.writer() as conn:
            self.assertEqual(1, queue.release_all(conn, "dead"))
        self.assertEqual([mine], [operation.id for operation in self.claim("b")])


class LockedOperationsTest(OperationsTestCase):
    # SQLite's writers wait for each other, whatever they write.
    scenarios = databases.on(*databases.SERVERS)

    def test_a_result_that_is_just_being_written_keeps_no_other_lease_from_renewal(self) -> None:
        ending, other = self.enqueue(), self.enqueue()
        self.claim("a")
        with futures.ThreadPoolExecutor(1) as pool, self.database.writer() as conn:
            self.assertTrue(queue.finish(conn, ending, "a"))
            found = pool.submit(self.renew, {ending, other}).result(10)
        self.assertEqual(({other}, set()), found)

    def renew(self, operation_ids: set[str]) -> tuple[set[str], set[str]]:
        with self.database.writer() as conn:
            return queue.renew(conn, operation_ids=operation_ids, owner="a", lease_seconds=LEASE)
