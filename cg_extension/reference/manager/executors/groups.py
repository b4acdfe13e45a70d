# SPDX-License-Identifier: Apache-2.0
"""Operations on consistency groups."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Self

import sqlalchemy as sa

from cg_extension.contract import records, statuses
from cg_extension.drivers import answers
from cg_extension.drivers import base as driver_base
from cg_extension.reference.db import queue
from cg_extension.reference.manager import load
from cg_extension.reference.manager.executors import base


@dataclasses.dataclass(frozen=True)
class GroupExecutor(base.Executor):
    """What all of them have in common: the group."""

    group: records.Group

    @property
    def resource(self) -> records.Group:
        return self.group

    @property
    def subjects(self) -> Sequence[base.Subject]:
        return [base.Subject(base.GROUPS, statuses.GROUP.work[self.action], [self.group])]


@dataclasses.dataclass(frozen=True)
class WithVolumes(GroupExecutor):
    """An operation that changes the status of the group's volumes, too."""

    volumes: Sequence[records.Volume]

    @property
    def subjects(self) -> Sequence[base.Subject]:
        work = statuses.VOLUME.work[self.action]
        return [base.Subject(base.VOLUMES, work, self.volumes), *super().subjects]


@dataclasses.dataclass(frozen=True)
class Create(GroupExecutor):
    """Make an empty group."""

    action = "create"

    @classmethod
    def load(cls, conn: sa.Connection, operation: queue.Operation) -> Self:
        return cls(operation, load.group(conn, operation.resource_id))

    def run(self, driver: base.Driver, context: base.Context) -> driver_base.ModelUpdate:
        return driver.create_consistencygroup(context, self.group)

    def clean_up(self, driver: base.Driver, context: base.Context) -> None:
        driver.delete_consistencygroup(context, self.group, ())


@dataclasses.dataclass(frozen=True)
class CreateFromSource(WithVolumes):
    """Make a group with a volume for each of the source's, a group snapshot or a group."""

    action = "create"
    source: Mapping[str, Any]

    @classmethod
    def load(cls, conn: sa.Connection, operation: queue.Operation) -> Self:
        group = load.group(conn, operation.resource_id)
        volumes = load.volumes_of_group(conn, group.id)
        source: dict[str, Any]
        if group.cgsnapshot_id is not None:
            source = {
                "cgsnapshot": load.cgsnapshot(conn, group.cgsnapshot_id),
                "snapshots": load.snapshots_by_id(conn, [v.snapshot_id or "" for v in volumes]),
            }
        else:
            source = {
                "source_cg": load.group(conn, group.source_cgid or ""),
                "source_vols": load.volumes_by_id(conn, [v.source_volid or "" for v in volumes]),
            }
        return cls(operation, group, volumes, source)

    def run(self, driver: base.Driver, context: base.Context) -> driver_base.GroupUpdate:
        return base.measured(
            driver.create_consistencygroup_from_src(
                context, self.group, self.volumes, **self.source
            ),
            len(self.volumes),
        )

    def succeed(self, conn: sa.Connection, result: driver_base.GroupUpdate) -> str:
        base.apply_updates(conn, base.VOLUMES, self.volumes, result.members)
        return super().succeed(conn, result)

    def clean_up(self, driver: base.Driver, context: base.Context) -> None:
        driver.delete_consistencygroup(context, self.group, self.volumes)


@dataclasses.dataclass(frozen=True)
class Update(GroupExecutor):
    """Change the membership. Added volumes are members already, removed ones still are."""

    action = "update"
    added: Sequence[records.Volume]
    removed: Sequence[records.Volume]

    @classmethod
    def load(cls, conn: sa.Connection, operation: queue.Operation) -> Self:
        arguments = operation.arguments
        return cls(
            operation,
            load.group(conn, operation.resource_id),
            load.volumes_by_id(conn, arguments["add_volumes"]),
            load.volumes_by_id(conn, arguments["remove_volumes"]),
        )

    def run(self, driver: base.Driver, context: base.Context) -> driver_base.MembershipUpdate:
        update = driver.update_consistencygroup(context, self.group, self.added, self.removed)
        return answers.membership_update(update, len(self.added), len(self.removed))

    def succeed(self, conn: sa.Connection, result: driver_base.MembershipUpdate) -> str:
        self._release(conn, self.removed)
        base.apply_updates(conn, base.VOLUMES, self.added, result.added)
        base.apply_updates(conn, base.VOLUMES, self.removed, result.removed)
        return super().succeed(conn, result)

    def fail(self, conn: sa.Connection, reason: str) -> str:
        self._release(conn, self.added)
        return super().fail(conn, reason)

    def _release(self, conn: sa.Connection, volumes: Sequence[records.Volume]) -> None:
        conn.execute(
            sa.update(base.VOLUMES)
            .where(base.VOLUMES.c.id.in_([volume.id for volume in volumes]))
            .values(consistencygroup_id=None)
        )


@dataclasses.dataclass(frozen=True)
class Delete(WithVolumes):
    """Remove a group with every volume that is still in it."""

    action = "delete"

    @classmethod
    def load(cls, conn: sa.Connection, operation: queue.Operation) -> Self:
        group = load.group(conn, operation.resource_id)
        return cls(operation, group, load.volumes_of_group(conn, group.id))

    def run(self, driver: base.Driver, context: base.Context) -> driver_base.GroupUpdate:
        return driver.delete_consistencygroup(context, self.group, self.volumes)
