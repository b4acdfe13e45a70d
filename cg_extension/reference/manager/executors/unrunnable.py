# SPDX-License-Identifier: Apache-2.0
"""Operations that can't be carried out at all, ended in an error status that the user can delete.

Such are kinds that only a newer release knows, and those whose source is gone.
"""

import dataclasses
from collections.abc import Mapping
from typing import NoReturn, Self

import sqlalchemy as sa

from cg_extension.contract import exceptions, records, statuses
from cg_extension.drivers import exceptions as driver_exceptions
from cg_extension.reference.db import engine, queue
from cg_extension.reference.manager import load
from cg_extension.reference.manager.executors import base

_LOADERS = (
    (base.GROUPS, load.group),
    (base.CGSNAPSHOTS, load.cgsnapshot),
    (base.VOLUMES, load.volume),
    (base.SNAPSHOTS, load.snapshot),
)
# What belongs to a group or group snapshot and is created and deleted with it.
_MEMBERS = (
    (base.VOLUMES, base.VOLUMES.c.consistencygroup_id),
    (base.SNAPSHOTS, base.SNAPSHOTS.c.cgsnapshot_id),
)
_AFTERWARDS: Mapping[str, str] = {
    statuses.GroupStatus.DELETING: statuses.GroupStatus.ERROR_DELETING,
    statuses.GroupStatus.CREATING: statuses.GroupStatus.ERROR,
    statuses.GroupStatus.UPDATING: statuses.GroupStatus.ERROR,
}


@dataclasses.dataclass(frozen=True)
class Unrunnable(base.Executor):
    """Whatever it was to be; all it can do is fail."""

    found: records.Resource

    @classmethod
    def load(cls, conn: sa.Connection, operation: queue.Operation) -> Self:
        for _table, loader in _LOADERS:
            try:
                return cls(operation, loader(conn, operation.resource_id))
            except exceptions.NotFound:
                continue
        raise exceptions.NotFound

    @property
    def resource(self) -> records.Resource:
        return self.found

    def run(self, driver: base.Driver, context: base.Context) -> NoReturn:
        raise driver_exceptions.DriverRefusal(
            f"This manager does not know the operation {self.operation.kind} with arguments of "
            f"version {self.operation.arguments_version}; upgrade it to the API's release."
        )

    def succeed(self, conn: sa.Connection, result: object) -> NoReturn:
        raise AssertionError("run() never returns")

    def fail(self, conn: sa.Connection, reason: str) -> str:
        mine = [(table, table.c.id) for table, _loader in _LOADERS]
        for table, column in (*mine, *_MEMBERS):
            for status, afterwards in _AFTERWARDS.items():
                conn.execute(
                    sa.update(table)
                    .where(column == self.found.id, table.c.status == status)
                    .values(status=afterwards, status_reason=reason, updated_at=engine.utcnow())
                )
        return _AFTERWARDS.get(self.found.status, self.found.status)
