# SPDX-License-Identifier: Apache-2.0
"""A manager's parts over a real database, with a driver that does as a test says."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import fixtures
from oslotest import base

from cg_extension import conf as cg_conf
from cg_extension.contract import context as cg_context
from cg_extension.contract import records
from cg_extension.drivers import base as driver_base
from cg_extension.reference.db import services, tables, volume_types
from cg_extension.reference.manager import leases, notifications, runner
from cg_extension.reference.service import ReferenceService, manager_client
from cg_extension.tests import databases, usage

BACKEND = "one"
OWNER = "test/owner"
LEASE = 30.0


class Driver(driver_base.Driver):
    """Notes its calls, and does in each what ``behaviour`` says for its name."""

    def __init__(self, conf: Any, backend: str, host: str) -> None:
        super().__init__(conf, backend, host)
        self.calls: list[str] = []
        self.behaviour: dict[str, Callable[[], Any]] = {}
        self.receipt: records.Receipt | None = None

    def _called(self, name: str, answer: Any = None) -> Any:
        self.calls.append(name)
        if name in self.behaviour:
            changed = self.behaviour[name]()
            return answer if changed is None else changed
        return answer

    def do_setup(self, context: driver_base.Context) -> None:
        self._called("do_setup")

    def check_for_setup_error(self) -> None:
        pass

    def get_volume_stats(self) -> driver_base.VolumeStats:
        stats = driver_base.VolumeStats(
            volume_backend_name=self.backend,
            vendor_name="test",
            driver_version="1",
            storage_protocol="test",
            total_capacity_gb=100.0,
            free_capacity_gb=100.0,
            provisioned_capacity_gb=0.0,
        )
        return self._called("get_volume_stats", stats)

    def get_lost_snapshots(self) -> Mapping[str, str]:
        return self._called("get_lost_snapshots", {})

    def create_volume(self, context: Any, volume: Any) -> Any:
        return self._called("create_volume", {"provider_location": "here", "other": 1})

    def delete_volume(self, context: Any, volume: Any) -> None:
        self._called("delete_volume")

    def create_snapshot(self, context: Any, snapshot: Any, volume: Any) -> Any:
        return self._called("create_snapshot", {})

    def delete_snapshot(self, context: Any, snapshot: Any) -> None:
        self._called("delete_snapshot")

    def create_volume_from_snapshot(self, context: Any, volume: Any, snapshot: Any) -> Any:
        return self._called("create_volume_from_snapshot", {})

    def create_cloned_volume(self, context: Any, volume: Any, source: Any) -> Any:
        return self._called("create_cloned_volume", {})

    def initialize_connection(self, context: Any, volume: Any, connector: Any) -> Any:
        answer = {"driver_volume_type": "local", "data": {"device_path": volume.id}}
        return self._called("initialize_connection", answer)

    def terminate_connection(self, context: Any, volume: Any, connector: Any) -> None:
        self._called("terminate_connection")

    def create_consistencygroup(self, context: Any, group: Any) -> Any:
        return self._called("create_consistencygroup", {})

    def delete_consistencygroup(self, context: Any, group: Any, volumes: Any) -> Any:
        return self._called("delete_consistencygroup", ({}, [{} for _ in volumes]))

    def update_consistencygroup(
        self, context: Any, group: Any, add_volumes: Any, remove_volumes: Any
    ) -> Any:
        answer = ({}, [{} for _ in add_volumes], [{} for _ in remove_volumes])
        return self._called("update_consistencygroup", answer)

    def create_consistencygroup_from_src(
        self, context: Any, group: Any, volumes: Any, **source: Any
    ) -> Any:
        answer = ({}, [{"provider_location": volume.id} for volume in volumes])
        return self._called("create_consistencygroup_from_src", answer)

    def create_cgsnapshot(self, context: Any, cgsnapshot: Any, snapshots: Any, volumes: Any) -> Any:
        pairs = zip(snapshots, volumes, strict=True)
        assert all(snapshot.volume_id == volume.id for snapshot, volume in pairs)
        answer = ({}, [{} for _ in snapshots], 0.0, None, self.receipt)
        return self._called("create_cgsnapshot", answer)

    def delete_cgsnapshot(self, context: Any, cgsnapshot: Any, snapshots: Any) -> Any:
        return self._called("delete_cgsnapshot", ({}, [{} for _ in snapshots]))


class Notifications(notifications.Notifications):
    """Keeps what was to be sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str | None, Mapping[str, Any]]] = []

    def _send(
        self,
        priority: str,
        event_type: str,
        context: cg_context.RequestContext,
        values: Mapping[str, Any],
    ) -> None:
        self.sent.append((event_type, context.request_id, values))


class FakeManagerClient(manager_client.ManagerClient):
    """Wakes nobody."""

    def wake(self, host: str) -> None:
        pass

    def initialize_connection(self, *args: Any) -> records.Connection:
        raise NotImplementedError

    def terminate_connection(self, *args: Any) -> None:
        raise NotImplementedError


class ManagerTestCase(base.BaseTestCase):
    """However a test ends, usage is what the rows are."""

    dialect = "sqlite"

    def setUp(self) -> None:
        super().setUp()
        fixture = self.useFixture(databases.Database(self.dialect))
        self.conf, self.database = fixture.conf, fixture.database
        self.addCleanup(self.check_usage)
        self.state_path = self.useFixture(fixtures.TempDir()).path
        for name, value in (
            ("host", f"host-{self.id()}"[-60:]),
            ("state_path", self.state_path),
            ("enabled_backends", [BACKEND]),
            ("operation_retry_delay", 0.0),
            ("operation_poll_interval", 0.1),
            ("report_interval", 0.1),
        ):
            self.conf.set_override(name, value)
        cg_conf.register_backend_opts(self.conf, BACKEND)
        self.driver = Driver(self.conf, BACKEND, f"{self.conf.host}@{BACKEND}")
        self.notifications = Notifications()
        self.runner = self.new_runner(OWNER)
        self.keeper = leases.LeaseKeeper(self.database, OWNER, LEASE, [self.driver.host])
        self.service = ReferenceService(self.conf, self.database, FakeManagerClient())
        self.context = cg_context.RequestContext(user_id="u", project_id="p", is_admin=True)
        with self.database.writer() as conn:
            volume_types.ensure(conn, self.conf.default_volume_type)
            services.report(
                conn,
                host=self.driver.host,
                availability_zone="nova",
                state_ok=True,
                stats={"total_capacity_gb": 100.0, "free_capacity_gb": 100.0},
            )

    def new_runner(self, owner: str) -> runner.Runner:
        return runner.Runner(self.conf, self.database, owner, self.driver, self.notifications)

    def run_queue(self, rounds: int = 20) -> None:
        """Play the manager until the queue is empty."""
        for _ in range(rounds):
            claimed = self.keeper.claim(self.driver.host, 10)
            for operation, lease in claimed:
                self.runner.run(operation, lease)
                self.keeper.drop(lease)
            if not claimed and not self.queue():
                break
        self.check_usage()

    def check_usage(self) -> None:
        with self.database.reader() as conn:
            self.assertEqual([], usage.findings(conn))

    def queue(self) -> Sequence[Any]:
        """The rows of operations that did not end."""
        with self.database.reader() as conn:
            return conn.execute(tables.operations.select()).all()

    def row(self, table: Any, row_id: str) -> Any:
        with self.database.reader() as conn:
            return conn.execute(table.select().where(table.c.id == row_id)).one_or_none()

    def create_volume(self, **values: Any) -> str:
        wanted: dict[str, Any] = {
            "size": 1,
            "name": None,
            "description": None,
            "volume_type": None,
            "availability_zone": None,
            "metadata": {},
            "consistencygroup_id": None,
            "snapshot_id": None,
            "source_volid": None,
        }
        return self.service.create_volume(self.context, **{**wanted, **values}).id

    def create_group(self, volumes: Sequence[str] = ()) -> str:
        """A group with those volumes, which must be available."""
        group = self.service.create_group(
            self.context,
            name=None,
            description=None,
            volume_types=[self.conf.default_volume_type],
            availability_zone=None,
        )
        self.run_queue()
        if volumes:
            self.service.update_group(self.context, group.id, add_volumes=volumes)
            self.run_queue()
        return group.id
