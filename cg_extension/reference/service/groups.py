# SPDX-License-Identifier: Apache-2.0
"""Consistency groups: list, show, create, update, delete. From a source: ``group_creation``."""

from collections.abc import Mapping, Sequence
from typing import Any

from oslo_db import exception as db_exception

from cg_extension.contract import exceptions, records, statuses
from cg_extension.contract.operations import OperationKind
from cg_extension.reference.db import cgsnapshots, consistencygroups, rows, volumes
from cg_extension.reference.service import base, members, quotas, scheduler
from cg_extension.reference.service import volume_types as types

TABLE = consistencygroups.TABLE
NOT_FOUND = exceptions.GroupNotFound
FILTERS = ("name", "status", "availability_zone", "project_id")

# Columns of a list with detail.
_LISTED = tuple(name for name in records.ListedGroup._fields if name in TABLE.c)

MACHINE = statuses.GROUP
_CREATING = statuses.Status.CREATING


class Groups(base.Part):
    """Group calls of seam 1."""

    def list_groups(
        self, context: base.Context, query: records.ListQuery
    ) -> records.Page[records.ListedGroup]:
        with self.read(context, single=base.is_single(query)) as conn:
            found, has_more = base.page(
                conn, context, TABLE, query, FILTERS, _LISTED, consistencygroups.TYPES
            )
        listed = (
            records.ListedGroup._make((*row[:-1], consistencygroups.type_ids(row[-1])))
            for row in found
        )
        return records.Page(tuple(listed), has_more)

    def list_group_names(
        self, context: base.Context, query: records.ListQuery
    ) -> records.Page[records.Name]:
        with self.read(context, single=base.is_single(query)) as conn:
            return base.names_page(conn, context, TABLE, query, FILTERS)

    def get_group(self, context: base.Context, group_id: str) -> records.Group:
        with self.read(context, single=True) as conn:
            values = consistencygroups.get(conn, group_id)
        if values is None:
            raise NOT_FOUND(id=group_id)
        group = records.Group(**values)
        if not base.is_visible(context, group):
            raise NOT_FOUND(id=group_id)
        return group

    def create_group(
        self,
        context: base.Context,
        *,
        name: str | None,
        description: str | None,
        volume_types: Sequence[str],
        availability_zone: str | None,
    ) -> records.Group:
        project_id = base.project_of(context)

        def work(transaction: base.Transaction) -> records.Group:
            conn = transaction.conn
            allowed = types.find(conn, context, volume_types)
            services = scheduler.list_services(conn, self.conf)
            zone = scheduler.checked_zone(services, self.conf, availability_zone)
            host = scheduler.choose(services, zone, [item.extra_specs for item in allowed])
            # From here on others of the project wait, so the checks that need no lock come first.
            quotas.accept(transaction, self.conf, project_id, {"groups": 1})
            values = transaction.new_row(
                context,
                MACHINE,
                project_id=project_id,
                name=name,
                description=description,
                availability_zone=zone,
                host=host,
            )
            type_ids = tuple(sorted(item.id for item in allowed))
            insert(transaction, values, type_ids)
            group = records.Group(**values, volume_types=type_ids)
            enqueue(transaction, OperationKind.GROUP_CREATE, context, group)
            return group

        return self.write(work)

    def update_group(
        self,
        context: base.Context,
        group_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        add_volumes: Sequence[str] = (),
        remove_volumes: Sequence[str] = (),
    ) -> None:
        given = {"name": name, "description": description}
        changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}

        def work(transaction: base.Transaction) -> None:
            group = base.get_locked(transaction, context, TABLE, group_id, NOT_FOUND)
            if not add_volumes and not remove_volumes:
                MACHINE.check(group_id, group.status, statuses.RENAMABLE_GROUP)
                transaction.change(TABLE, [group_id], changes, statuses=statuses.RENAMABLE_GROUP)
                return
            begin = MACHINE.work["update"].begin
            MACHINE.check(group_id, group.status, begin.sources)
            self._check_is_no_source(transaction, group)
            adding = members.joining(transaction.conn, group, add_volumes)
            removing = members.leaving(transaction.conn, group, remove_volumes)
            if changes:
                transaction.change(TABLE, [group_id], changes, statuses=begin.sources)
            if adding:
                transaction.change(
                    volumes.TABLE,
                    adding,
                    {"consistencygroup_id": group_id},
                    statuses=statuses.ADDABLE_VOLUME,
                )
            if adding or removing:
                transaction.change_status(TABLE, [group_id], begin)
                enqueue(
                    transaction,
                    OperationKind.GROUP_UPDATE,
                    context,
                    group,
                    {"add_volumes": adding, "remove_volumes": removing},
                )

        self.write(work)

    def delete_group(self, context: base.Context, group_id: str, *, force: bool = False) -> None:
        def work(transaction: base.Transaction) -> None:
            group = base.get_locked(transaction, context, TABLE, group_id, NOT_FOUND)
            scheduler.check_not_frozen(transaction.conn, group.host)
            begin = MACHINE.work["delete"].begin
            MACHINE.check(group_id, group.status, begin.sources)
            if cgsnapshots.of_group(transaction.conn, group_id):
                raise exceptions.InvalidState(
                    reason=f"Consistency group {group_id} has group snapshots; delete them first."
                )
            self._check_is_no_source(transaction, group)
            found = volumes.of_group(transaction.conn, group_id)
            if found and not force:
                raise exceptions.GroupHasVolumes(id=group_id)
            members.check_deletable(transaction.conn, found)
            transaction.change_status(TABLE, [group_id], begin)
            transaction.change_status(volumes.TABLE, found, statuses.VOLUME.work["delete"].begin)
            enqueue(transaction, OperationKind.GROUP_DELETE, context, group)

        self.write(work)

    def reset_group_status(self, context: base.Context, group_id: str, *, status: str) -> None:
        self.write(
            lambda transaction: base.reset_status(
                transaction, context, TABLE, MACHINE, group_id, NOT_FOUND, status
            )
        )

    @staticmethod
    def _check_is_no_source(transaction: base.Transaction, group: rows.Row) -> None:
        """:raises InvalidState: a group or a snapshot is being made from the group."""
        clone = consistencygroups.made_from(
            transaction.conn, source_cgid=group.id, status=_CREATING
        )
        if clone:
            raise exceptions.InvalidState(
                reason=f"Consistency group {group.id} is the source of consistency group {clone}, "
                "which is being created; try again when it is available."
            )
        under_way = cgsnapshots.of_group(transaction.conn, group.id, status=_CREATING)
        if under_way:
            raise exceptions.InvalidState(
                reason=f"Group snapshot {under_way[0]} of consistency group {group.id} is being "
                "created; try again when it is available."
            )


def insert(
    transaction: base.Transaction, values: Mapping[str, Any], type_ids: Sequence[str]
) -> None:
    """Insert a group; when one of its types was deleted just now, look at all of it again."""
    try:
        consistencygroups.insert(transaction.conn, values, type_ids)
    except db_exception.DBReferenceError as error:
        raise db_exception.RetryRequest(error) from error


def enqueue(
    transaction: base.Transaction,
    kind: OperationKind,
    context: base.Context,
    group: Any,
    arguments: Mapping[str, Any] | None = None,
) -> None:
    """Queue an operation on a group, a row or a record."""
    transaction.enqueue(
        kind,
        context,
        resource_id=group.id,
        project_id=group.project_id,
        host=group.host,
        arguments=arguments,
    )
