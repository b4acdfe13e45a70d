# SPDX-License-Identifier: Apache-2.0
"""Snapshots that the driver reports as lost show as ``error``, with their group snapshots."""

from cg_extension.reference.db import snapshots, tables
from cg_extension.reference.manager import backend, lost_snapshots
from cg_extension.tests import waiting
from cg_extension.tests.unit.reference.manager import base


class LostSnapshotTest(base.ManagerTestCase):
    def setUp(self) -> None:
        super().setUp()
        volumes = [self.create_volume() for _ in range(2)]
        self.run_queue()
        group = self.create_group(volumes)
        self.cgsnapshot = self.service.create_cgsnapshot(
            self.context, group_id=group, name=None, description=None
        ).id
        self.run_queue()
        with self.database.reader() as conn:
            self.lost, self.kept = snapshots.of_cgsnapshot(conn, self.cgsnapshot)

    def status(self, table: object, row_id: str) -> tuple[str, str | None]:
        row = self.row(table, row_id)
        return row.status, row.status_reason

    def report(self, reason: str = "full") -> None:
        lost_snapshots.write(self.database, lambda: {self.lost: reason, "unknown": "full"})

    def set_status(self, status: str) -> None:
        with self.database.writer() as conn:
            for table in (tables.snapshots, tables.cgsnapshots):
                conn.execute(table.update().values(status=status))

    def test_the_snapshot_and_its_group_snapshot_become_errors_with_the_reason(self) -> None:
        self.report()
        self.assertEqual(("error", "full"), self.status(tables.snapshots, self.lost))
        self.assertEqual(("available", None), self.status(tables.snapshots, self.kept))
        status, reason = self.status(tables.cgsnapshots, self.cgsnapshot)
        self.assertEqual("error", status)
        self.assertIn(self.lost, reason)
        self.assertIn("full", reason)

    def test_of_a_long_reason_the_beginning_is_kept(self) -> None:
        self.report("full" * 100_000)
        _status, reason = self.status(tables.snapshots, self.lost)
        self.assertEqual("full" * 250, reason)
        _status, reason = self.status(tables.cgsnapshots, self.cgsnapshot)
        self.assertEqual(1000, len(reason))

    def test_told_again_it_stays_as_it_was(self) -> None:
        self.report()
        before = self.row(tables.snapshots, self.lost)
        self.report("other")
        self.assertEqual(before, self.row(tables.snapshots, self.lost))

    def test_what_is_being_worked_on_is_left_alone(self) -> None:
        for status in ("creating", "deleting", "error_deleting"):
            self.set_status(status)
            self.report()
            self.assertEqual((status, None), self.status(tables.snapshots, self.lost))
            self.assertEqual((status, None), self.status(tables.cgsnapshots, self.cgsnapshot))

    def test_one_that_was_half_made_when_the_driver_looked_is_not_lost(self) -> None:
        self.set_status("creating")
        reports = [{self.lost: "half-made"}, {}]

        def report() -> dict[str, str]:
            self.set_status("available")
            return reports.pop(0)

        lost_snapshots.write(self.database, report)
        self.assertEqual(("available", None), self.status(tables.snapshots, self.lost))

    def test_a_change_that_came_between_wins(self) -> None:
        self.set_status("deleting")
        lost_snapshots._write(self.database, self.lost, self.cgsnapshot, "full")
        self.assertEqual(("deleting", None), self.status(tables.snapshots, self.lost))
        self.assertEqual(("deleting", None), self.status(tables.cgsnapshots, self.cgsnapshot))

    def test_a_snapshot_of_no_group_becomes_an_error(self) -> None:
        single = self.service.create_snapshot(
            self.context,
            volume_id=self.create_available_volume(),
            name=None,
            description=None,
            force=False,
            metadata=None,
        ).id
        self.run_queue()
        lost_snapshots.write(self.database, lambda: {single: "full"})
        self.assertEqual(("error", "full"), self.status(tables.snapshots, single))
        self.assertEqual(("available", None), self.status(tables.cgsnapshots, self.cgsnapshot))

    def create_available_volume(self) -> str:
        volume = self.create_volume()
        self.run_queue()
        return volume

    def test_each_heartbeat_asks_the_driver(self) -> None:
        self.start()
        waiting.eventually(lambda: self.driver.calls.count("get_lost_snapshots") > 1, "asked")
        self.driver.behaviour["get_lost_snapshots"] = lambda: {self.lost: "full"}
        waiting.eventually(
            lambda: self.status(tables.cgsnapshots, self.cgsnapshot)[0] == "error", "shown"
        )

    def test_a_driver_that_can_not_tell_goes_on_reporting(self) -> None:
        def fail() -> None:
            raise RuntimeError("gone")

        self.driver.behaviour["get_lost_snapshots"] = fail
        self.start()
        waiting.eventually(lambda: self.driver.calls.count("get_volume_stats") > 2, "reported")

    def start(self) -> None:
        started = backend.Backend(self.conf, self.database, self.driver, self.runner, self.keeper)
        started.start()
        self.addCleanup(started.wait, 10)
        self.addCleanup(started.stop_claiming)
