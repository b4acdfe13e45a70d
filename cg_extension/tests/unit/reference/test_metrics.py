# SPDX-License-Identifier: Apache-2.0
"""What is measured, and what a scrape of the port gives."""

import dataclasses
import datetime
import socket
import urllib.request
from typing import Any
from unittest import mock

import fixtures
import sqlalchemy as sa
import testscenarios
from oslo_db import exception as db_exception
from oslo_utils import uuidutils
from oslotest import base
from prometheus_client import parser

from cg_extension.conf import errors
from cg_extension.contract import context as cg_context
from cg_extension.contract.operations import OperationKind
from cg_extension.drivers import base as driver_base
from cg_extension.reference import metrics
from cg_extension.reference.db import engine, queue, services, tables
from cg_extension.reference.manager import database_metrics
from cg_extension.reference.manager.executors import base as executor
from cg_extension.tests import databases
from cg_extension.tests.deployment import processes

STATES = ("waiting", "running", "overdue")


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

    def test_a_freeze_is_compared_with_its_deadline(self) -> None:
        def counts() -> tuple[float, float, float]:
            buckets = [sample("cg_freeze_deadline_ratio_bucket", le=le) for le in ("0.1", "0.25")]
            return sample("cg_freeze_seconds_count"), buckets[0], buckets[1]

        freezes, tenth, quarter = counts()
        executor.measured(driver_base.GroupUpdate({}, [], 0.4, 2.0), 0)
        executor.measured(driver_base.GroupUpdate({}, [], 0.4), 0)
        executor.measured(driver_base.GroupUpdate({}, []), 0)
        self.assertEqual((freezes + 2, tenth, quarter + 1), counts())


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
        port = processes.free_port()
        self.conf.set_override("port", port, group="metrics")
        collectors = database_metrics.collectors(self.conf, self.database)
        metrics.serve(self.conf, *collectors)
        for collector in collectors:
            self.addCleanup(metrics.prometheus_client.REGISTRY.unregister, collector)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        families = {family.name: family for family in parser.text_string_to_metric_families(text)}
        counted = {
            (each.labels["kind"], each.labels["state"]): each.value
            for each in families["cg_operations"].samples
        }
        created = {state: counted.pop((OperationKind.VOLUME_CREATE, state)) for state in STATES}
        self.assertEqual(dict.fromkeys(STATES, 1), created)
        # Of a kind or in a state of which there is none there are 0.
        self.assertEqual({0}, set(counted.values()))
        self.assertEqual((len(OperationKind) - 1) * len(STATES), len(counted))
        self.assertIn("cg_api_request_seconds", families)

    def test_a_worker_waits_for_the_port_of_another_only(self) -> None:
        directory = self.useFixture(fixtures.TempDir()).path
        self.useFixture(fixtures.EnvironmentVariable("PROMETHEUS_MULTIPROC_DIR", directory))
        self.conf.set_override("listen", "192.0.2.1", group="metrics")
        self.conf.set_override("port", 1, group="metrics")
        error = self.assertRaises(errors.StartError, metrics.serve, self.conf)
        self.assertIn("[metrics] listen = 192.0.2.1, port = 1: ", str(error))
        with socket.create_server(("127.0.0.1", 0)) as other:
            self.conf.clear_override("listen", group="metrics")
            self.conf.set_override("port", other.getsockname()[1], group="metrics")
            with mock.patch.object(metrics, "_wait_and_listen") as wait:
                metrics.serve(self.conf)
        wait.assert_called_once()

    def test_nothing_is_served_by_default(self) -> None:
        self.assertIsNone(self.conf.metrics.port)
        metrics.serve(self.conf)


class BackendsTest(testscenarios.WithScenarios, base.BaseTestCase):
    scenarios = databases.SCENARIOS
    dialect: str

    def setUp(self) -> None:
        super().setUp()
        fixture = self.useFixture(databases.Database(self.dialect))
        self.conf, self.database = fixture.conf, fixture.database

    def report(self, host: str, **values: Any) -> None:
        with self.database.writer() as conn:
            services.report(conn, host=host, availability_zone="z", state_ok=True, **values)

    def told(self) -> dict[str, dict[tuple[str, ...], float]]:
        collector = database_metrics.BackendCollector(self.conf, self.database)
        return {
            family.name: {tuple(each.labels.values()): each.value for each in family.samples}
            for family in collector.collect()
        }

    def test_each_backend_has_its_heartbeat_its_capacity_and_its_pool(self) -> None:
        stats = driver_base.VolumeStats(
            volume_backend_name="b",
            vendor_name="v",
            driver_version="1",
            storage_protocol="p",
            total_capacity_gb=100.0,
            free_capacity_gb=25.0,
            provisioned_capacity_gb=200.0,
            pool_usage={"data": driver_base.PoolUse(used_percent=75.0, limit_percent=95.0)},
        )
        self.report("h@b", stats=dataclasses.asdict(stats))
        told = self.told()
        self.assertTrue(0 <= told.pop("cg_backend_heartbeat_age_seconds")["h@b",] < 60)
        self.assertEqual(
            {
                "cg_backend_up": {("h@b",): 1},
                "cg_backend_disabled": {("h@b",): 0},
                "cg_backend_size_bytes": {("h@b",): 100 * 2**30},
                "cg_backend_free_bytes": {("h@b",): 25 * 2**30},
                "cg_backend_provisioned_bytes": {("h@b",): 200 * 2**30},
                "cg_pool_used_ratio": {("h@b", "data"): 0.75},
                "cg_pool_limit_ratio": {("h@b", "data"): 0.95},
            },
            told,
        )

    def test_a_backend_without_a_heartbeat_for_service_down_time_is_down(self) -> None:
        self.report("h@b", stats=None)
        self.report("h@c", stats=None)
        passed = datetime.timedelta(seconds=self.conf.service_down_time + 1)
        with self.database.writer() as conn:
            conn.execute(
                sa.update(tables.services)
                .where(tables.services.c.host == "h@b")
                .values(heartbeat_at=engine.now(conn) - passed, disabled=True)
            )
        told = self.told()
        self.assertEqual({("h@b",): 0, ("h@c",): 1}, told["cg_backend_up"])
        self.assertEqual({("h@b",): 1, ("h@c",): 0}, told["cg_backend_disabled"])
        age = told["cg_backend_heartbeat_age_seconds"]["h@b",]
        self.assertGreater(age, self.conf.service_down_time)

    def test_while_the_database_is_away_nothing_is_told(self) -> None:
        self.report("h@b", stats=None)
        self.database = mock.Mock()
        self.database.reader.side_effect = db_exception.DBConnectionError()
        self.assertEqual({}, self.told())
