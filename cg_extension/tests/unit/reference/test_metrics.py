# SPDX-License-Identifier: Apache-2.0
"""What is measured, and what a scrape of the port gives."""

import datetime
import json
import pathlib
import re
import socket
import urllib.request

import testscenarios
from oslo_utils import uuidutils
from oslotest import base
from prometheus_client import parser

from cg_extension.contract import context as cg_context
from cg_extension.contract.operations import OperationKind
from cg_extension.reference import metrics
from cg_extension.reference.db import engine, queue, tables
from cg_extension.reference.manager import operation_metrics
from cg_extension.tests import databases


def sample(name: str, **labels: str) -> float:
    return metrics.prometheus_client.REGISTRY.get_sample_value(name, labels) or 0.0


class MeasureTest(base.BaseTestCase):
    def test_driver_calls_are_counted_by_kind_and_outcome(self) -> None:
        def count(outcome: str) -> float:
            return sample("cg_driver_call_seconds_count", kind="test.kind", outcome=outcome)

        done, failed = count("done"), count("failed")
        with metrics.driver_call("test.kind"):
            pass
        try:
            with metrics.driver_call("test.kind"):
                raise ZeroDivisionError
        except ZeroDivisionError:
            pass
        self.assertEqual((done + 1, failed + 1), (count("done"), count("failed")))


class OperationsTest(testscenarios.WithScenarios, base.BaseTestCase):
    scenarios = databases.SCENARIOS
    dialect: str

    def setUp(self) -> None:
        super().setUp()
        fixture = self.useFixture(databases.Database(self.dialect))
        self.conf, self.database = fixture.conf, fixture.database
        for _ in range(3):
            with self.database.writer() as conn:
                queue.enqueue(
                    conn,
                    kind=OperationKind.VOLUME_CREATE,
                    resource_id=uuidutils.generate_uuid(),
                    project_id="p",
                    host="h@b",
                    arguments={},
                    context=cg_context.RequestContext(overwrite=False),
                )
        for seconds in (60, -1):
            with self.database.writer() as conn:
                queue.claim(conn, host="h@b", owner="o", lease_seconds=60, limit=1)
                expires = engine.now(conn) + datetime.timedelta(seconds=seconds)
                conn.execute(
                    tables.operations.update()
                    .where(tables.operations.c.owner == "o")
                    .values(owner=str(seconds), lease_expires_at=expires)
                )

    def test_operations_are_counted_by_state_with_their_age(self) -> None:
        with self.database.reader() as conn:
            found = queue.summary(conn)
        self.assertEqual(
            {"waiting": 1, "running": 1, "overdue": 1}, {each.state: each.count for each in found}
        )
        for each in found:
            self.assertEqual(OperationKind.VOLUME_CREATE, each.kind)
            self.assertTrue(0 <= each.oldest < 60, each.oldest)

    def test_a_scrape_of_the_port_tells_them(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.conf.set_override("port", port, group="metrics")
        collector = operation_metrics.OperationCollector(self.database)
        metrics.serve(self.conf, collector)
        self.addCleanup(metrics.prometheus_client.REGISTRY.unregister, collector)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        families = {family.name: family for family in parser.text_string_to_metric_families(text)}
        counted = {each.labels["state"]: each.value for each in families["cg_operations"].samples}
        self.assertEqual({"waiting": 1, "running": 1, "overdue": 1}, counted)
        self.assertIn("cg_api_request_seconds", families)

    def test_nothing_is_served_by_default(self) -> None:
        self.assertIsNone(self.conf.metrics.port)
        metrics.serve(self.conf)


class DashboardTest(base.BaseTestCase):
    def test_the_dashboard_shows_metrics_that_there_are(self) -> None:
        root = pathlib.Path(__file__).parents[4]
        dashboard = json.loads((root / "etc/cg_extension/grafana-dashboard.json").read_text())
        shown = {
            re.sub("_(count|bucket)$", "", name)
            for panel in dashboard["panels"]
            for target in panel["targets"]
            for name in re.findall(r"cg_\w+", target["expr"])
        }
        measured = {metric.name for metric in metrics.prometheus_client.REGISTRY.collect()}
        told = {"cg_operations", "cg_operation_oldest_seconds"}
        self.assertEqual({name for name in measured if name.startswith("cg_")} | told, shown)
