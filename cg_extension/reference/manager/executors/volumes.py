# SPDX-License-Identifier: Apache-2.0
"""Operations on single volumes."""

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
class VolumeExecutor(base.Executor):
    """What both have in common: the volume."""

    volume: records.Volume

    @classmethod
    def load(cls, conn: sa.Connection, operation: queue.Operation) -> Self:
        return cls(operation, load.volume(conn, operation.resource_id))

    @property
    def resource(self) -> records.Volume:
        return self.volume

    @property
    def subjects(self) -> Sequence[base.Subject]:
        work = statuses.VOLUME.work[self.action]
        return [base.Subject(base.VOLUMES, work, [self.volume])]


@dataclasses.dataclass(frozen=True)
class Create(VolumeExecutor):
    """Make a volume: empty, from a snapshot, or as a copy of another one."""

    action = "create"
    snapshot: records.Snapshot | None = None
    source: records.Volume | None = None

    @classmethod
    def load(cls, conn: sa.Connection, operation: queue.Operation) -> Self:
        loaded = super().load(conn, operation)
        snapshot = source = None
        if loaded.volume.snapshot_id is not None:
            snapshot = load.snapshot(conn, loaded.volume.snapshot_id)
        elif loaded.volume.source_volid is not None:
            source = load.volume(conn, loaded.volume.source_volid)
        return dataclasses.replace(loaded, snapshot=snapshot, source=source)

    def run(self, driver: base.Driver, context: base.Context) -> driver_base.ModelUpdate:
        return answers.model_update(self._make(driver, context))

    def _make(self, driver: base.Driver, context: base.Context) -> driver_base.ModelUpdate:
        if self.snapshot is not None:
            return driver.create_volume_from_snapshot(context, self.volume, self.snapshot)
        if self.source is not None:
            return driver.create_cloned_volume(context, self.volume, self.source)
        return driver.create_volume(context, self.volume)

    def succeed(self, conn: sa.Connection, result: driver_base.ModelUpdate) -> str:
        base.apply_update(conn, base.VOLUMES, self.volume, result)
        return super().succeed(conn, result)

    def clean_up(self, driver: base.Driver, context: base.Context) -> None:
        driver.delete_volume(context, self.volume)


@dataclasses.dataclass(frozen=True)
class Delete(VolumeExecutor):
    """Remove a volume."""

    action = "delete"

    def run(self, driver: base.Driver, context: base.Context) -> None:
        driver.delete_volume(context, self.volume)
