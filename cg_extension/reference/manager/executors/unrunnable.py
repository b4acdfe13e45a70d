# SPDX-License-Identifier: Apache-2.0
"""Operations that can't be carried out at all, ended in an error status that the user can delete.

Such are kinds that only a newer release knows, and those whose source is gone.
"""

import dataclasses
from collections.abc import Sequence
from typing import NoReturn, Self

import sqlalchemy as sa

from cg_extension.contract import exceptions, records, statuses
from cg_extension.drivers import exceptions as driver_exceptions
from cg_extension.reference.db import queue
from cg_extension.reference.manager import load
from cg_extension.reference.manager.executors import base

_RESOURCES = (
    (base.GROUPS, statuses.GROUP, load.group),
    (base.CGSNAPSHOTS, statuses.CGSNAPSHOT, load.cgsnapshot),
    (base.VOLUMES, statuses.VOLUME, load.volume),
    (base.SNAPSHOTS, statuses.SNAPSHOT, load.snapshot),
)


@dataclasses.dataclass(frozen=True)
class Unrunnable(base.Executor):
    """An operation that can't be carried out, whatever its kind: it can only fail."""

    found: records.Resource
    ended: Sequence[base.Subject]

    @classmethod
    def load(cls, conn: sa.Connection, operation: queue.Operation) -> Self:
        for table, machine, loader in _RESOURCES:
            try:
                found = loader(conn, operation.resource_id)
            except exceptions.NotFound:
                continue
            # Members are created and deleted with it. What else is done to one is not its affair.
            action = machine.under_way.get(found.status, "")
            rows = (
                (base.VOLUMES, statuses.VOLUME, load.volumes_of_group(conn, found.id)),
                (base.SNAPSHOTS, statuses.SNAPSHOT, load.snapshots_of_cgsnapshot(conn, found.id)),
                (table, machine, [found]),
            )
            return cls(
                operation,
                found,
                [base.Subject(t, m.work[action], r) for t, m, r in rows if action in m.work],
            )
        raise exceptions.NotFound

    @property
    def resource(self) -> records.Resource:
        return self.found

    @property
    def subjects(self) -> Sequence[base.Subject]:
        return self.ended

    def run(self, driver: base.Driver, context: base.Context) -> NoReturn:
        raise driver_exceptions.DriverRefusal(
            f"This manager does not know the operation {self.operation.kind} with arguments of "
            f"version {self.operation.arguments_version}; upgrade it to the API's release."
        )

    def succeed(self, conn: sa.Connection, result: object) -> NoReturn:
        raise AssertionError("run() never returns")
