# SPDX-License-Identifier: Apache-2.0
"""Several real processes: what was accepted gets done once, whichever of them stands still.

Once over PostgreSQL and once over MariaDB. What happens at random is in ``tests.chaos``.
"""

import collections
import re
import uuid
from collections.abc import Mapping
from typing import Any, ClassVar

from oslotest import base

from cg_extension.tests import waiting
from cg_extension.tests.deployment import deployment, servers
from cg_extension.tests.deployment.gated_driver import GATE

POOL_A, POOL_B = deployment.POOL
_BEGINS = re.compile(r"volume\.create of (\S+) begins, attempt (\d+)")


class PoolTestCase(base.BaseTestCase):
    """Two managers that share one backend, and two API processes."""

    database: ClassVar[str]
    driver = "file"
    # Longer than a manager stands still because the machine is busy.
    options: ClassVar[Mapping[str, Any]] = {"operation_lease": 120}

    def setUp(self) -> None:
        super().setUp()
        self.running = self.useFixture(self._deployment())
        self.client = self.running.connect(uuid.uuid4().hex)
        self.volumes = self.running.volumes_path(POOL_A)
        self.managers = self.running.managers

    def _deployment(self) -> deployment.Deployment:
        return deployment.Deployment(
            self.database, managers=deployment.POOL, driver=self.driver, options=self.options
        )

    def attempts(self) -> dict[str, list[tuple[str, int]]]:
        """Volume → (manager, attempt) of every beginning of its creation, from the logs."""
        found = collections.defaultdict(list)
        for name, process in self.managers.items():
            for volume_id, attempt in _BEGINS.findall(process.log.read_text()):
                found[volume_id].append((name, int(attempt)))
        return found


class ActiveActiveTests:
    """Two managers of one backend."""

    def test_each_operation_is_carried_out_once(self) -> None:
        created = [self.client.begin("volumes", size=1) for _ in range(60)]
        for volume_id in created:
            self.client.wait_for(f"/volumes/{volume_id}", "available")
        attempts = self.attempts()
        self.assertEqual(set(created), set(attempts))
        self.assertEqual({1}, {len(each) for each in attempts.values()}, attempts)
        # One that stood still all the while has its share of what comes later.
        waiting.eventually(
            lambda: self._at_work() == set(self.managers) or self._one_more(), "both are at work"
        )

    def _at_work(self) -> set[str]:
        return {name for each in self.attempts().values() for name, _attempt in each}

    def _one_more(self) -> None:
        volume_id = self.client.begin("volumes", size=1)
        self.client.wait_for(f"/volumes/{volume_id}", "available")

    def test_a_manager_that_dies_is_replaced_by_the_other(self) -> None:
        self.managers["pool-a"].kill()
        volume_id = self.client.begin("volumes", size=1)
        self.client.wait_for(f"/volumes/{volume_id}", "available")

    def test_an_api_process_that_dies_takes_nothing_accepted_with_it(self) -> None:
        for process in self.managers.values():
            process.pause()
        created = [self.client.begin("volumes", size=1) for _ in range(4)]
        for process in self.running.apis.values():
            process.kill()
            process.start()
        for process in self.managers.values():
            process.resume()
        self.running.wait_until_up()
        for volume_id in created:
            self.client.wait_for(f"/volumes/{volume_id}", "available")


class FencingTests:
    """A manager that stands still for longer than its lease, and then goes on."""

    driver = "gated"
    options: ClassVar[Mapping[str, Any]] = {"operation_lease": 3}

    def setUp(self) -> None:
        super().setUp()
        self.volumes.mkdir(exist_ok=True)
        self.gate = self.volumes / GATE
        self.gate.touch()
        self.volume_id = self.client.begin("volumes", size=1)
        self.first = self._wait_for_manager_but("")

    def _wait_for_manager_but(self, other: str) -> str:
        """The manager that waits at the gate with the newest attempt, once it is not ``other``."""

        def find() -> str | None:
            attempts = {attempt: name for name, attempt in self.attempts()[self.volume_id]}
            name = attempts[max(attempts)] if attempts else other
            waits = name != other and self.volumes / f"waiting-{self.managers[name].pid}"
            return name if waits and waits.exists() else None

        return waiting.eventually(find, f"a manager is at work that is not {other}")

    def _take_over(self) -> None:
        """Stop the first manager in the middle of its work until the other one has done it."""
        self.managers[self.first].pause()
        self._wait_for_manager_but(self.first)
        self.gate.unlink()
        self.client.wait_for(f"/volumes/{self.volume_id}", "available")

    def _go_on(self) -> None:
        """Let the first manager go on, and wait until it has noticed what happened."""
        first = self.managers[self.first]
        first.resume()
        waiting.eventually(lambda: "Lost the lease" in first.printed(), "the loss is noticed")

    def test_a_late_manager_leaves_a_finished_resource_alone(self) -> None:
        self._take_over()
        path = self.volumes / f"volume-{self.volume_id}"
        before = path.stat()
        self._go_on()
        self.assertEqual("available", self.client.status(f"/volumes/{self.volume_id}"))
        after = path.stat()
        self.assertEqual(before, after)

    def test_a_late_manager_does_not_bring_back_what_was_deleted(self) -> None:
        self._take_over()
        self.client.delete(f"/volumes/{self.volume_id}")
        self.client.wait_for(f"/volumes/{self.volume_id}", "gone")
        self._go_on()
        self.assertEqual("gone", self.client.status(f"/volumes/{self.volume_id}"))
        left = [path.name for path in self.volumes.rglob(f"*{self.volume_id}*")]
        self.assertEqual([], left)

    def test_the_late_manager_goes_on_working(self) -> None:
        self._take_over()
        self._go_on()
        other = {"pool-a": "pool-b", "pool-b": "pool-a"}[self.first]
        self.managers[other].kill()
        volume_id = self.client.begin("volumes", size=1)
        self.client.wait_for(f"/volumes/{volume_id}", "available")


class BrokerTests:
    """RabbitMQ is of use, but nothing depends on it."""

    def _deployment(self) -> deployment.Deployment:
        self.broker = self.useFixture(servers.RabbitMQ())
        return deployment.Deployment(
            self.database, broker=self.broker.url, managers=deployment.POOL, options=self.options
        )

    def test_without_a_broker_work_is_accepted_and_done(self) -> None:
        self.broker.crash()
        volume_id = self.client.begin("volumes", size=1)
        self.client.wait_for(f"/volumes/{volume_id}", "available")
        self.broker.start()
        volume_id = self.client.begin("volumes", size=1)
        self.client.wait_for(f"/volumes/{volume_id}", "available")


class PostgreSQLActiveActiveTest(ActiveActiveTests, PoolTestCase):
    database = "postgresql"


class MySQLActiveActiveTest(ActiveActiveTests, PoolTestCase):
    database = "mysql"


class PostgreSQLFencingTest(FencingTests, PoolTestCase):
    database = "postgresql"


class MySQLFencingTest(FencingTests, PoolTestCase):
    database = "mysql"


class BrokerTest(BrokerTests, PoolTestCase):
    database = "postgresql"
