# SPDX-License-Identifier: Apache-2.0
"""What the runner asks of an executor, which knows one kind of operation, and shared writes."""

import abc
import dataclasses
import functools
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Self

import sqlalchemy as sa

from cg_extension.contract import context as cg_context
from cg_extension.contract import records
from cg_extension.drivers import base as driver_base
from cg_extension.reference import metrics
from cg_extension.reference.db import engine, queue, tables

Context = cg_context.RequestContext
Driver = driver_base.Driver
Updates = Sequence[Mapping[str, Any]]

# Columns that a driver's model update may set; anything else in it is the driver's own affair.
_DRIVER_COLUMNS = frozenset({"provider_location"})

# What notifications call the status of a resource that is gone.
DELETED = "deleted"


@dataclasses.dataclass(frozen=True)
class Executor(abc.ABC):
    """One operation of one kind, with the records that it works on.

    The runner calls ``load``, then ``run``, then either ``succeed`` or, when the attempts are used
    up, ``clean_up`` and ``fail``. ``load``, ``run`` and ``clean_up`` may be called again by another
    process after a crash. ``succeed`` and ``fail`` share the transaction that ends the operation.
    """

    operation: queue.Operation

    @classmethod
    @abc.abstractmethod
    def load(cls, conn: sa.Connection, operation: queue.Operation) -> Self:
        """Read what the operation works on.

        :raises NotFound: it is not there any more.
        """

    @property
    @abc.abstractmethod
    def resource(self) -> records.Resource:
        """What the operation is about, as it was when it was loaded."""

    @abc.abstractmethod
    def run(self, driver: Driver, context: Context) -> Any:
        """Call the driver; what it gives back is for ``succeed``.

        :raises DriverError: it did not work.
        """

    @abc.abstractmethod
    def succeed(self, conn: sa.Connection, result: Any) -> str:
        """Write that it is done; gives the resource's status from now on."""

    def clean_up(self, driver: Driver, context: Context) -> None:  # noqa: B027 - often nothing
        """Remove from the backend what failed attempts may have left."""

    @abc.abstractmethod
    def fail(self, conn: sa.Connection, reason: str) -> str:
        """Write that it is given up, and why; gives the resource's status from now on."""


def set_status(
    conn: sa.Connection,
    table: sa.Table,
    resources: Collection[records.Resource],
    status: str,
    *,
    reason: str | None = None,
) -> str:
    """Give resources their final status, and gives it back."""
    values = {"new_status": status, "reason": reason, "ids": [each.id for each in resources]}
    conn.execute(_set_status(table), values)
    return status


@functools.cache
def _set_status(table: sa.Table) -> sa.Update:
    return (
        sa.update(table)
        .where(table.c.id.in_(sa.bindparam("ids", expanding=True)))
        .values(
            status=sa.bindparam("new_status"),
            status_reason=sa.bindparam("reason"),
            updated_at=engine.utcnow(),
        )
    )


def apply_update(
    conn: sa.Connection, table: sa.Table, resource: records.Resource, update: Mapping[str, Any]
) -> None:
    """Write what the driver wants to remember of a resource."""
    values = {
        key: value for key, value in update.items() if key in _DRIVER_COLUMNS and key in table.c
    }
    if values:
        conn.execute(sa.update(table).where(table.c.id == resource.id).values(values))


def apply_updates(
    conn: sa.Connection,
    table: sa.Table,
    resources: Sequence[records.Resource],
    updates: Updates,
) -> None:
    """Write what the driver wants to remember of each resource, in the same order."""
    for resource, update in zip(resources, updates, strict=True):
        apply_update(conn, table, resource, update)


def measured(update: driver_base.GroupUpdate) -> driver_base.GroupUpdate:
    """What a call that may have held I/O gave back, and for how long is in the metrics now."""
    update = driver_base.GroupUpdate(*update)
    if update.held_seconds:
        metrics.FREEZES.observe(update.held_seconds)
    return update


def delete(conn: sa.Connection, table: sa.Table, resources: Collection[records.Resource]) -> str:
    """Remove rows, with what hangs on them; gives the status ``DELETED``."""
    conn.execute(sa.delete(table).where(table.c.id.in_([each.id for each in resources])))
    return DELETED


GROUPS = tables.consistencygroups
CGSNAPSHOTS = tables.cgsnapshots
VOLUMES = tables.volumes
SNAPSHOTS = tables.snapshots
