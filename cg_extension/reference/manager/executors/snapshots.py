# SPDX-License-Identifier: Apache-2.0
"""Operations on single snapshots."""

import dataclasses
from collections.abc import Sequence
from typing import Self

import sqlalchemy as sa

from cg_extension.contract import records, statuses
from cg_extension.drivers import answers
from cg_extension.drivers import base as driver_base
from cg_extension.reference.db import queue
from cg_extension.reference.manager import load
from cg_extension.reference.manager.executors import base


@dataclasses.dataclass(frozen=True)
class SnapshotExecutor(base.Executor):
    """What both have in common: the snapshot and its volume."""

    snapshot: records.Snapshot
    volume: records.Volume

    @classmethod
    def load(cls, conn: sa.Connection, operation: queue.Operation) -> Self:
        snapshot = load.snapshot(conn, operation.resource_id)
        return cls(operation, snapshot, load.volume(conn, snapshot.volume_id))

    @property
    def resource(self) -> records.Snapshot:
        return self.snapshot

    @property
    def subjects(self) -> Sequence[base.Subject]:
        work = statuses.SNAPSHOT.work[self.action]
        return [base.Subject(base.SNAPSHOTS, work, [self.snapshot])]


@dataclasses.dataclass(frozen=True)
class Create(SnapshotExecutor):
    """Take a snapshot of one volume."""

    action = "create"

    def run(self, driver: base.Driver, context: base.Context) -> driver_base.ModelUpdate:
        update = driver.create_snapshot(context, self.snapshot, self.volume)
        return answers.model_update(update)

    def succeed(self, conn: sa.Connection, result: driver_base.ModelUpdate) -> str:
        base.apply_update(conn, base.SNAPSHOTS, self.snapshot, result)
        return super().succeed(conn, result)

    def clean_up(self, driver: base.Driver, context: base.Context) -> None:
        driver.delete_snapshot(context, self.snapshot)


@dataclasses.dataclass(frozen=True)
class Delete(SnapshotExecutor):
    """Remove a snapshot."""

    action = "delete"

    def run(self, driver: base.Driver, context: base.Context) -> None:
        driver.delete_snapshot(context, self.snapshot)
