# SPDX-License-Identifier: Apache-2.0
"""The reference service over each database, with one backend that reports and no manager.

A test plays the manager where a status must change: ``settle`` ends all work that was accepted.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
import testscenarios
from oslotest import base

from cg_extension.contract import context as cg_context
from cg_extension.contract import records
from cg_extension.reference.db import rows, services, tables, volume_types
from cg_extension.reference.service import ReferenceService, manager_client
from cg_extension.tests import databases, usage

HOST = "host@one"
MISSING = "00000000-0000-4000-8000-000000000000"
STATS = {
    "volume_backend_name": "one",
    "total_capacity_gb": 1000.0,
    "free_capacity_gb": 900.0,
    "provisioned_capacity_gb": 0.0,
    "capabilities": {"color": "blue"},
}


class FakeManagerClient(manager_client.ManagerClient):
    """Notes who was woken."""

    def __init__(self) -> None:
        self.woken: list[str] = []

    def wake(self, host: str) -> None:
        self.woken.append(host)

    def initialize_connection(self, host: str, context: Any, volume_id: str, connector: Any) -> Any:
        return {"driver_volume_type": "local", "data": {"device_path": volume_id}}

    def terminate_connection(self, host: str, context: Any, volume_id: str, connector: Any) -> None:
        pass


class ServiceTestCase(testscenarios.WithScenarios, base.BaseTestCase):
    scenarios = databases.SCENARIOS
    dialect: str

    def setUp(self) -> None:
        super().setUp()
        fixture = self.open_database()
        self.conf, self.database = fixture.conf, fixture.database
        for resource in ("groups", "volumes", "snapshots", "gigabytes"):
            self.conf.set_override(f"quota_{resource}", -1)
        self.managers = FakeManagerClient()
        self.service = ReferenceService(self.conf, self.database, self.managers)
        self.member = cg_context.RequestContext(user_id="u", project_id="p", roles=["member"])
        self.stranger = cg_context.RequestContext(user_id="s", project_id="q", roles=["member"])
        self.admin = cg_context.RequestContext(user_id="a", project_id="a", is_admin=True)
        self.report()
        with self.database.writer() as conn:
            volume_types.ensure(conn, self.conf.default_volume_type)
        self.default_type = self.service.get_default_type(self.admin)

    def open_database(self) -> databases.Database:
        """An empty database of the scenario's dialect."""
        return self.useFixture(databases.Database(self.dialect))

    def report(
        self, host: str = HOST, *, zone: str = "nova", stats: Mapping[str, Any] = STATS
    ) -> None:
        """A heartbeat of a backend."""
        with self.database.writer() as conn:
            services.report(
                conn, host=host, availability_zone=zone, state_ok=True, stats=dict(stats)
            )

    def settle(self) -> None:
        """What was being made is available, what was being deleted is gone."""
        with self.database.writer() as conn:
            self.assertEqual([], usage.findings(conn))
            for table in reversed(tables.metadata.sorted_tables):
                if "status" in table.c:
                    conn.execute(sa.delete(table).where(table.c.status == "deleting"))
                    conn.execute(
                        sa.update(table)
                        .where(table.c.status.in_(["creating", "updating"]))
                        .values(status="available")
                    )
            conn.execute(sa.delete(tables.operations))
            usage.recount(conn)

    def set_columns(self, table: sa.Table, row_id: str, **values: Any) -> None:
        with self.database.writer() as conn:
            self.assertTrue(rows.change(conn, table, [row_id], values))

    def operations(self) -> list[tuple[str, str]]:
        """Kind and resource of all work that was accepted."""
        with self.database.reader() as conn:
            found = conn.execute(sa.select(tables.operations).order_by(tables.operations.c.kind))
            return [(row.kind, row.resource_id) for row in found]

    def group(self, context: Any = None, **values: Any) -> records.Group:
        """A group; available, unless something else is accepted before ``settle``."""
        arguments: dict[str, Any] = {
            "name": None,
            "description": None,
            "volume_types": [self.default_type.id],
            "availability_zone": None,
            **values,
        }
        group = self.service.create_group(context or self.member, **arguments)
        self.settle()
        return dataclasses.replace(group, status="available")

    def volume(self, group: records.Group | None = None, **values: Any) -> records.Volume:
        """An available volume of 1 GiB, in ``group`` if one is given."""
        context = values.pop("context", self.member)
        volume = self.service.create_volume(context, **self.volume_arguments(group, **values))
        self.settle()
        return self.service.get_volume(context, volume.id)

    def volume_arguments(self, group: records.Group | None = None, **values: Any) -> dict[str, Any]:
        return {
            "size": 1,
            "name": None,
            "description": None,
            "volume_type": None,
            "availability_zone": None,
            "metadata": None,
            "consistencygroup_id": group.id if group else None,
            "snapshot_id": None,
            "source_volid": None,
            **values,
        }

    def cgsnapshot(self, group: records.Group, **values: Any) -> records.CGSnapshot:
        """A group snapshot that is available."""
        arguments = {"name": None, "description": None, **values}
        cgsnapshot = self.service.create_cgsnapshot(self.member, group_id=group.id, **arguments)
        self.settle()
        return dataclasses.replace(cgsnapshot, status="available")

    def snapshot(self, volume: records.Volume, **values: Any) -> records.Snapshot:
        """A snapshot that is available."""
        arguments = {
            "name": None,
            "description": None,
            "force": False,
            "metadata": None,
            **values,
        }
        snapshot = self.service.create_snapshot(self.member, volume_id=volume.id, **arguments)
        self.settle()
        return dataclasses.replace(snapshot, status="available")

    def refused(
        self, reason: str, error: type[Exception], call: Any, *args: Any, **kw: Any
    ) -> None:
        """The call raises ``error`` with ``reason`` in its message."""
        raised = self.assertRaises(error, call, *args, **kw)
        self.assertIn(reason, str(raised))
