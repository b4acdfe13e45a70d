# SPDX-License-Identifier: Apache-2.0
"""The health check says the truth, without a token."""

from unittest import mock

from cg_extension.contract import exceptions
from cg_extension.reference.db import tables
from cg_extension.tests.unit.reference.wsgi import base


class HealthTest(base.HostTestCase):
    def test_it_is_well_when_the_database_answers_and_a_backend_is_up(self) -> None:
        answer = self.send("GET", "/healthcheck")
        self.assertEqual((200, "OK"), (answer.status_int, answer.text))

    def test_it_is_not_without_a_backend(self) -> None:
        with self.database.writer() as conn:
            conn.execute(tables.services.delete())
        answer = self.send("GET", "/healthcheck", headers={"Accept": "application/json"})
        self.assertEqual(503, answer.status_int)
        self.assertEqual(["No backend is up."], answer.json["reasons"])

    def test_it_is_not_without_the_database(self) -> None:
        gone = exceptions.ServiceUnavailable(reason="The database can't be reached.")
        with mock.patch.object(self.service, "check_health", side_effect=gone):
            answer = self.send("GET", "/healthcheck", headers={"Accept": "application/json"})
        self.assertEqual(503, answer.status_int)
        self.assertEqual(["The database can't be reached."], answer.json["reasons"])

    def test_it_tells_that_the_broker_is_away_but_requests_are_served(self) -> None:
        with mock.patch.object(self.service.managers, "is_reachable", return_value=False):
            answer = self.send("GET", "/healthcheck", headers={"Accept": "application/json"})
        self.assertEqual(200, answer.status_int)
        self.assertIn("The broker does not answer", answer.json["reasons"][0])
