# SPDX-License-Identifier: Apache-2.0
"""What a process knows of its claims."""

import sqlalchemy as sa

from cg_extension.db import tables
from cg_extension.drivers import steps
from cg_extension.manager import leases
from cg_extension.tests.unit.manager import base


class LeasesTest(base.ManagerTestCase):
    def start(self, seconds: float) -> leases.LeaseKeeper:
        keeper = leases.LeaseKeeper(self.database, base.OWNER, seconds)
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
        lease = self.claim(self.start(0.6))
        (before,) = [row.lease_expires_at for row in self.queue()]
        self.eventually(lambda: self.queue()[0].lease_expires_at > before, "renewed")
        self.assertTrue(self.is_held(lease))

    def test_a_lease_that_another_has_is_lost_at_the_next_renewal(self) -> None:
        lease = self.claim(self.start(0.6))
        with self.database.writer() as conn:
            conn.execute(sa.update(tables.operations).values(owner="another"))
        self.eventually(lambda: not self.is_held(lease), "lost")

    def test_a_lease_that_could_not_be_renewed_is_not_trusted(self) -> None:
        keeper = leases.LeaseKeeper(self.database, base.OWNER, 0.2)  # It never runs.
        lease = self.claim(keeper)
        self.assertTrue(self.is_held(lease))
        self.eventually(lambda: not self.is_held(lease), "run out")

    def test_what_is_dropped_is_not_renewed(self) -> None:
        keeper = self.start(LONG)
        lease = self.claim(keeper)
        self.assertEqual({lease.operation_id}, keeper.held())
        keeper.drop(lease)
        self.assertEqual(set(), keeper.held())


LONG = 30.0
