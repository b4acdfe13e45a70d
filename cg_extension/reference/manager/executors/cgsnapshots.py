# SPDX-License-Identifier: Apache-2.0
"""Operations on group snapshots."""

import dataclasses
from collections.abc import Sequence
from typing import Self

import sqlalchemy as sa

from cg_extension.contract import records, statuses
from cg_extension.drivers import base as driver_base
from cg_extension.reference.db import cgsnapshots, queue
from cg_extension.reference.manager import load
from cg_extension.reference.manager.executors import base


@dataclasses.dataclass(frozen=True)
class CGSnapshotExecutor(base.Executor):
    """What both have in common: the group snapshot and its snapshots."""

    cgsnapshot: records.CGSnapshot
    snapshots: Sequence[records.Snapshot]

    @classmethod
    def load(cls, conn: sa.Connection, operation: queue.Operation) -> Self:
        cgsnapshot = load.cgsnapshot(conn, operation.resource_id)
        return cls(operation, cgsnapshot, load.snapshots_of_cgsnapshot(conn, cgsnapshot.id))

    @property
    def resource(self) -> records.CGSnapshot:
        return self.cgsnapshot

    @property
    def subjects(self) -> Sequence[base.Subject]:
        of_parts = statuses.SNAPSHOT.work[self.action]
        own = statuses.CGSNAPSHOT.work[self.action]
        return [
            base.Subject(base.SNAPSHOTS, of_parts, self.snapshots),
            base.Subject(base.CGSNAPSHOTS, own, [self.cgsnapshot]),
        ]


@dataclasses.dataclass(frozen=True)
class Create(CGSnapshotExecutor):
    """Take a snapshot of each of the group's volumes, all of one instant, or none."""

    action = "create"
    volumes: Sequence[records.Volume] = ()

    @classmethod
    def load(cls, conn: sa.Connection, operation: queue.Operation) -> Self:
        loaded = super().load(conn, operation)
        volumes = load.volumes_by_id(conn, [each.volume_id for each in loaded.snapshots])
        return dataclasses.replace(loaded, volumes=volumes)

    def run(self, driver: base.Driver, context: base.Context) -> driver_base.GroupUpdate:
        return base.measured(
            driver.create_cgsnapshot(context, self.cgsnapshot, self.snapshots, self.volumes),
            len(self.snapshots),
        )

    def succeed(self, conn: sa.Connection, result: driver_base.GroupUpdate) -> str:
        base.apply_updates(conn, base.SNAPSHOTS, self.snapshots, result.members)
        if result.receipt is not None:
            cgsnapshots.add_receipt(conn, self.cgsnapshot.id, result.receipt)
        return super().succeed(conn, result)

    def clean_up(self, driver: base.Driver, context: base.Context) -> None:
        driver.delete_cgsnapshot(context, self.cgsnapshot, self.snapshots)


@dataclasses.dataclass(frozen=True)
class Delete(CGSnapshotExecutor):
    """Remove a group snapshot and its snapshots."""

    action = "delete"

    def run(self, driver: base.Driver, context: base.Context) -> driver_base.GroupUpdate:
        return driver.delete_cgsnapshot(context, self.cgsnapshot, self.snapshots)
