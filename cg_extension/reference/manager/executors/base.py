# SPDX-License-Identifier: Apache-2.0
"""What the runner asks of an executor, which knows one kind of operation, and shared writes."""

import abc
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Self

import sqlalchemy as sa

from cg_extension.contract import context as cg_context
from cg_extension.contract import records, statuses
from cg_extension.drivers import answers
from cg_extension.drivers import base as driver_base
from cg_extension.reference import metrics
from cg_extension.reference.db import queue, quotas, rows, tables

Context = cg_context.RequestContext
Driver = driver_base.Driver
Updates = Sequence[Mapping[str, Any]]

# Columns that a driver's model update may set; anything else in it is the driver's own affair.
_DRIVER_COLUMNS = frozenset({"provider_location"})


class Subject(NamedTuple):
    """Rows whose status an operation changes, and how."""

    table: sa.Table
    work: statuses.Work
    resources: Sequence[records.Resource]


@dataclasses.dataclass(frozen=True)
class Executor(abc.ABC):
    """One operation of one kind, with the records that it works on.

    The runner calls ``load``, then ``run``, then either ``succeed`` or, when the attempts are used
    up, ``clean_up`` and ``fail``. ``load``, ``run`` and ``clean_up`` may be called again by another
    process after a crash. ``succeed`` and ``fail`` share the transaction that ends the operation,
    which ``give_back`` begins before ``succeed``.
    """

    operation: queue.Operation
    # What it is called in the machines of its subjects.
    action: ClassVar[str]

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

    @property
    @abc.abstractmethod
    def subjects(self) -> Sequence[Subject]:
        """Whose status changes: the resource's, which comes last, and that of its members."""

    @abc.abstractmethod
    def run(self, driver: Driver, context: Context) -> Any:
        """Call the driver; what it gives back is for ``succeed``.

        :raises DriverError: it did not work.
        :raises TypeError: what it gives back is not what the interface says.
        """

    def give_back(self, conn: sa.Connection) -> None:
        """Take what ``succeed`` will delete off its project's usage.

        That locks the project, which comes before all other rows, the operation's included: so does
        who accepts work.
        """
        freed: dict[str, int] = {}
        for table, work, resources in self.subjects:
            if work.succeed.target == statuses.Status.DELETED:
                freed |= {name: -amount for name, amount in _usage(table, resources).items()}
        if freed:
            quotas.add(conn, self.resource.project_id, freed)

    def succeed(self, conn: sa.Connection, result: Any) -> str:
        """Write that it is done; gives the resource's status from now on."""
        return self._end(conn, lambda work: work.succeed)

    def clean_up(self, driver: Driver, context: Context) -> None:  # noqa: B027 - often nothing
        """Remove from the backend what failed attempts may have left."""

    def fail(self, conn: sa.Connection, reason: str) -> str:
        """Write that it is given up, and why; gives the resource's status from now on."""
        return self._end(conn, lambda work: work.fail, reason)

    def _end(
        self,
        conn: sa.Connection,
        choose: Callable[[statuses.Work], statuses.Transition],
        reason: str | None = None,
    ) -> str:
        status = self.resource.status
        is_as_loaded = True
        for table, work, resources in self.subjects:
            transition = choose(work)
            status = transition.target
            row_ids = [each.id for each in resources]
            if status == statuses.Status.DELETED:
                # Whatever its status says: there is nothing behind the row any more.
                is_as_loaded &= rows.delete(conn, table, row_ids) == len(row_ids)
            else:
                rows.change_status(conn, table, row_ids, transition, reason=reason)
        if not is_as_loaded:  # More was given back than was there.
            quotas.recount(conn, self.resource.project_id)
        return status


def _usage(table: sa.Table, resources: Sequence[Any]) -> Mapping[str, int]:
    """What the rows of some resources count for."""
    if table is VOLUMES:
        return quotas.of_volumes([each.size for each in resources])
    if table is SNAPSHOTS:
        return quotas.of_snapshots([each.volume_size for each in resources])
    return {"groups": len(resources)} if table is GROUPS else {}


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


def measured(update: object, members: int) -> driver_base.GroupUpdate:
    """What a call that may have held I/O gave back, and for how long is in the metrics now."""
    update = answers.group_update(update, members)
    if update.held_seconds:
        metrics.FREEZES.observe(update.held_seconds)
        if update.deadline_seconds:
            metrics.FREEZE_RATIOS.observe(update.held_seconds / update.deadline_seconds)
    return update


GROUPS = tables.consistencygroups
CGSNAPSHOTS = tables.cgsnapshots
VOLUMES = tables.volumes
SNAPSHOTS = tables.snapshots
