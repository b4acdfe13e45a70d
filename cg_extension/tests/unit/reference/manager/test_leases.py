# SPDX-License-Identifier: Apache-2.0
"""What a process knows of its claims."""

import sqlalchemy as sa

from cg_extension.drivers import steps
from cg_extension.reference.db import tables
from cg_extension.reference.manager import leases
from cg_extension.tests import databases, waiting
from cg_extension.tests.unit.reference.manager import base

LEASE = 0.6
LONG = 30.0


class LeasesTest(base.ManagerTestCase):
    """By a clock that a test sets; only renewals come by themselves, at thirds of a lease."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = 1000.0
        self.patch(leases, "clock", lambda: self.clock)

    def new_keeper(self, seconds: float, owner: str = base.OWNER) -> leases.LeaseKeeper:
        return leases.LeaseKeeper(self.database, owner, seconds, [self.driver.host])

    def start(self, seconds: float, owner: str = base.OWNER) -> leases.LeaseKeeper:
        keeper = self.new_keeper(seconds, owner)
        keeper.start()
        self.addCleanup(keeper.stop)
        return keeper

    def claim(self, keeper: leases.LeaseKeeper) -> leases.Lease:
        self.create_volume()
        ((_operation, lease),) = keeper.claim(self.driver.host, 1)
        return lease

    def is_held(self, lease: leases.Lease) -> bool:
        try:
            lease.check()
        except steps.OperationLost:
            return False
        return True

    def test_a_lease_is_renewed_for_as_long_as_the_work_takes(self) -> None:
        lease = self.claim(self.start(LEASE))
        (before,) = [row.lease_expires_at for row in self.queue()]
        waiting.eventually(lambda: self.queue()[0].lease_expires_at > before, "renewed")
        self.clock += LEASE
        waiting.eventually(lambda: self.is_held(lease), "renewed by the clock here, too")

    def test_a_lease_that_another_has_is_lost_at_the_next_renewal(self) -> None:
        lease = self.claim(self.start(LEASE))
        with self.database.writer() as conn:
            conn.execute(sa.update(tables.operations).values(owner="another"))
        waiting.eventually(lambda: not self.is_held(lease), "lost")

    def test_a_lease_that_could_not_be_renewed_is_not_trusted(self) -> None:
        keeper = self.new_keeper(LONG)  # It never runs.
        lease = self.claim(keeper)
        self.assertTrue(self.is_held(lease))
        self.clock += LONG
        self.assertFalse(self.is_held(lease))

    def test_what_is_dropped_is_not_renewed(self) -> None:
        keeper = self.start(LONG)
        lease = self.claim(keeper)
        self.assertEqual({lease.operation_id}, keeper.held())
        keeper.drop(lease)
        self.assertEqual(set(), keeper.held())

    def test_a_step_of_the_databases_clock_takes_no_lease_from_its_owner(self) -> None:
        lease = self.claim(self.start(LEASE))
        other = self.start(LEASE, "another")
        waiting.eventually(other.not_to_be_claimed, "seen")
        for _step in range(3):
            (before,) = [row.lease_expires_at for row in self.queue()]
            databases.let_leases_run_out(self.database)
            while self.queue()[0].lease_expires_at < before:
                self.assertEqual([], other.claim(self.driver.host, 1))
            self.assertTrue(self.is_held(lease))

    def test_the_lease_of_a_dead_owner_is_taken_when_it_has_run_out(self) -> None:
        lease = self.claim(self.new_keeper(LEASE))
        other = self.new_keeper(LEASE, "another")
        databases.let_leases_run_out(self.database)
        self.assertEqual([], other.claim(self.driver.host, 1))
        self.clock += LEASE
        self.assertEqual(1, len(other.claim(self.driver.host, 1)))
        self.assertFalse(self.is_held(lease))

    def test_what_another_may_be_at_work_on_is_not_looked_for(self) -> None:
        lease = self.claim(self.new_keeper(LEASE))
        other = self.new_keeper(LEASE, "another")
        self.assertEqual([], other.claim(self.driver.host, 1))
        self.assertEqual({lease.operation_id}, other.not_to_be_claimed())
        self.clock += LEASE
        self.assertEqual(set(), other.not_to_be_claimed())
