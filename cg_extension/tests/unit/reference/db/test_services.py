# SPDX-License-Identifier: Apache-2.0
"""Heartbeats, on every database."""

import datetime
import json

import sqlalchemy as sa
import testscenarios
from oslotest import base

from cg_extension.reference.db import engine, rows, services, tables
from cg_extension.tests import databases


class ServicesTest(testscenarios.WithScenarios, base.BaseTestCase):
    scenarios = databases.SCENARIOS
    dialect: str

    def setUp(self) -> None:
        super().setUp()
        self.database = self.useFixture(databases.Database(self.dialect)).database

    def report(self, host: str = "h@one", *, state_ok: bool = True, **stats: int) -> None:
        with self.database.writer() as conn:
            services.report(
                conn,
                host=host,
                availability_zone="nova",
                state_ok=state_ok,
                stats=stats or None,
            )

    def find(self, host: str | None = None) -> list[rows.Row]:
        with self.database.reader() as conn:
            return list(services.find(conn, host=host))

    def is_up(self, down_time: float = 60) -> bool:
        (row,) = self.find()
        with self.database.reader() as conn:
            return services.is_up(row, now=engine.now(conn), down_time=down_time)

    def test_managers_of_one_backend_share_a_row(self) -> None:
        self.report(free=1)
        self.report(free=2)
        (row,) = self.find()
        self.assertEqual({"free": 2}, json.loads(row.stats))

    def test_without_figures_the_last_ones_stay(self) -> None:
        self.report(free=1)
        self.report(state_ok=False)
        (row,) = self.find()
        self.assertEqual(({"free": 1}, False), (json.loads(row.stats), row.state_ok))

    def test_a_report_leaves_an_operators_decision_alone(self) -> None:
        self.report()
        with self.database.writer() as conn:
            services.update(conn, host="h@one", binary=services.BINARY, values={"disabled": True})
        self.report()
        self.assertTrue(self.find()[0].disabled)

    def test_a_host_stands_for_its_backends_and_for_no_other_host(self) -> None:
        for host in ("h@one", "h@two", "h2@one", "h_@one", "H@one"):
            self.report(host)
        self.assertEqual(["h@one", "h@two"], [row.host for row in self.find("h")])
        self.assertEqual(["h_@one"], [row.host for row in self.find("h_")])
        self.assertEqual(["h@two"], [row.host for row in self.find("h@two")])

    def test_a_backend_is_up_while_it_reports_well(self) -> None:
        self.report()
        self.assertTrue(self.is_up())
        with self.database.writer() as conn:
            past = engine.now(conn) - datetime.timedelta(seconds=61)
            conn.execute(sa.update(tables.services).values(heartbeat_at=past))
        self.assertFalse(self.is_up())
        self.report(state_ok=False)
        self.assertFalse(self.is_up())
