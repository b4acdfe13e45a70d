# SPDX-License-Identifier: Apache-2.0
"""Receipts on every database: what is written is read, to the microsecond, and goes along."""

import datetime
from typing import Any

import sqlalchemy as sa
import testscenarios
from oslotest import base

from cg_extension.contract import records
from cg_extension.reference.db import cgsnapshots, engine, migration, rows, tables
from cg_extension.tests import databases

NOW = datetime.datetime(2026, 11, 27, 2, 34, 36, 961881)
RECEIPT = records.Receipt(instant=NOW, held_seconds=0.000523, consistency="x" * 255)


class ReceiptsTest(testscenarios.WithScenarios, base.BaseTestCase):
    scenarios = databases.SCENARIOS
    dialect: str

    def _add(self, database: engine.Database) -> None:
        """A group with two group snapshots, ``1`` and ``2``."""
        common: dict[str, Any] = {"project_id": "p", "status": "available", "created_at": NOW}
        group = {"id": "g", "availability_zone": "nova", **common}
        snapshots = [{"id": id, "consistencygroup_id": "g", **common} for id in ("1", "2")]
        with database.writer() as conn:
            rows.insert(conn, tables.consistencygroups, [group])
            rows.insert(conn, tables.cgsnapshots, snapshots)

    def test_what_was_written_is_read_and_the_others_have_none(self) -> None:
        database = self.useFixture(databases.Database(self.dialect)).database
        self._add(database)
        with database.writer() as conn:
            cgsnapshots.add_receipt(conn, "1", RECEIPT)
        with database.reader() as conn:
            self.assertEqual({"1": RECEIPT}, cgsnapshots.receipts(conn, ["1", "2", "3"]))

    def test_it_goes_with_its_group_snapshot_whoever_deletes_that(self) -> None:
        database = self.useFixture(databases.Database(self.dialect)).database
        self._add(database)
        with database.writer() as conn:
            cgsnapshots.add_receipt(conn, "1", RECEIPT)
        with database.writer() as conn:
            self.assertEqual(1, rows.delete(conn, tables.cgsnapshots, ["1"]))
        with database.reader() as conn:
            self.assertEqual([], list(conn.execute(sa.select(tables.cgsnapshot_receipts))))

    def test_group_snapshots_of_the_release_before_are_left_as_they_were(self) -> None:
        database = engine.Database(databases.configuration(databases.new(self.dialect)))
        self.addCleanup(database.dispose)
        migration.sync(database, "0004")
        self._add(database)
        migration.sync(database)
        with database.reader() as conn:
            self.assertEqual({}, cgsnapshots.receipts(conn, ["1", "2"]))
            self.assertEqual({"1", "2"}, set(rows.get_many(conn, tables.cgsnapshots, ["1", "2"])))
