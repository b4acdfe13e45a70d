# SPDX-License-Identifier: Apache-2.0
"""Seam 1 in Cinder: consistency groups are Cinder's groups of one group type.

As in Cinder's own consistency group controllers, that is ``default_cgsnapshot_type``, which
Cinder's first database migration makes; groups of other types stay invisible here, as these do
in Cinder's /groups. Rules, quotas, scheduling and execution are Cinder's.
"""

import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from cinder import context as cinder_context
from cinder import exception, objects
from cinder.volume import group_types, volume_types

from cg_extension.cinder import convert, errors, groups, receipts
from cg_extension.cinder.context import of_cinder
from cg_extension.cinder.database import api as db
from cg_extension.cinder.database import models
from cg_extension.contract import exceptions, interface, records

Context = interface.Context
R = TypeVar("R", bound=records.Identified)
Method = TypeVar("Method", bound=Callable[..., Any])


def _raises_ours(method: Method) -> Method:
    """Let a method raise our exceptions in place of Cinder's."""

    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        with errors.from_cinder():
            return method(*args, **kwargs)

    return call  # type: ignore[return-value]


def _need_project(context: Context) -> None:
    """:raises Forbidden: the caller's token has no project that something new could be in."""
    if not context.project_id:
        raise exceptions.Forbidden(action="a request without a project")


class CinderService(interface.GroupService):
    """The service interface over ``cinder.group.api``."""

    def __init__(self) -> None:
        self._api = groups.GroupAPI()

    @_raises_ours
    def list_groups(
        self, context: Context, query: records.ListQuery
    ) -> records.Page[records.Group]:
        page = self._list(context, query, dict(query.filters), self._group, self._api.get_all)
        types = self._volume_types(context, [group.id for group in page.items])
        return records.Page(
            tuple(convert.group(group, types[group.id]) for group in page.items), page.has_more
        )

    @_raises_ours
    def get_group(self, context: Context, group_id: str) -> records.Group:
        return self._record(context, self._group(context, group_id))

    @_raises_ours
    def create_group(
        self,
        context: Context,
        *,
        name: str | None,
        description: str | None,
        volume_types: Sequence[str],
        availability_zone: str | None,
    ) -> records.Group:
        _need_project(context)
        types = self._resolve_volume_types(of_cinder(context), volume_types)
        group = self._api.create(
            of_cinder(context),
            name,
            description,
            self._group_type(),
            types,
            availability_zone=availability_zone,
        )
        return convert.group(group, types)

    @_raises_ours
    def create_group_from_src(
        self,
        context: Context,
        *,
        name: str | None,
        description: str | None,
        cgsnapshot_id: str | None = None,
        source_cgid: str | None = None,
    ) -> records.Group:
        _need_project(context)
        if cgsnapshot_id is not None:
            self._group_snapshot(context, cgsnapshot_id)
        elif source_cgid is not None:
            self._group(context, source_cgid)
        group = self._api.create_from_src(
            of_cinder(context), name, description, cgsnapshot_id, source_cgid
        )
        return self._record(context, group)

    @_raises_ours
    def update_group(
        self,
        context: Context,
        group_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        add_volumes: Sequence[str] = (),
        remove_volumes: Sequence[str] = (),
    ) -> None:
        group = self._group(context, group_id)
        self._api.update(
            of_cinder(context),
            group,
            name,
            description,
            add_volumes,
            remove_volumes,
        )

    @_raises_ours
    def delete_group(self, context: Context, group_id: str, *, force: bool = False) -> None:
        self._api.delete(of_cinder(context), self._group(context, group_id), force)

    @_raises_ours
    def reset_group_status(self, context: Context, group_id: str, *, status: str) -> None:
        # Whatever the status is now: that of work under way looks the same as one that was left
        # behind when a process died.
        self._api.reset_status(of_cinder(context), self._group(context, group_id), status)

    @_raises_ours
    def list_cgsnapshots(
        self, context: Context, query: records.ListQuery
    ) -> records.Page[records.CGSnapshot]:
        filters = dict(query.filters)
        if "consistencygroup_id" in filters:
            filters["group_id"] = filters.pop("consistencygroup_id")
        page = self._list(
            context,
            query,
            filters,
            self._group_snapshot,
            self._api.get_all_group_snapshots,
        )
        return records.Page(
            tuple(convert.cgsnapshot(snapshot) for snapshot in page.items), page.has_more
        )

    @_raises_ours
    def get_cgsnapshot(self, context: Context, cgsnapshot_id: str) -> records.CGSnapshot:
        return convert.cgsnapshot(self._group_snapshot(context, cgsnapshot_id))

    @_raises_ours
    def get_receipts(
        self, context: Context, cgsnapshot_ids: Sequence[str]
    ) -> Mapping[str, records.Receipt]:
        return receipts.of_group_snapshots(context, cgsnapshot_ids)

    @_raises_ours
    def create_cgsnapshot(
        self,
        context: Context,
        *,
        group_id: str,
        name: str | None,
        description: str | None,
    ) -> records.CGSnapshot:
        _need_project(context)
        group = self._group(context, group_id)
        return convert.cgsnapshot(
            self._api.create_group_snapshot(of_cinder(context), group, name, description)
        )

    @_raises_ours
    def delete_cgsnapshot(self, context: Context, cgsnapshot_id: str) -> None:
        snapshot = self._group_snapshot(context, cgsnapshot_id)
        self._api.delete_group_snapshot(of_cinder(context), snapshot)

    @_raises_ours
    def reset_cgsnapshot_status(self, context: Context, cgsnapshot_id: str, *, status: str) -> None:
        snapshot = self._group_snapshot(context, cgsnapshot_id)
        self._api.reset_group_snapshot_status(of_cinder(context), snapshot, status)

    @staticmethod
    def _group_type() -> str:
        """The id of the group type that makes a group a consistency group."""
        group_type = group_types.get_default_cgsnapshot_type()
        if not group_type:
            raise exceptions.ServiceUnavailable(
                reason=f"The group type {group_types.DEFAULT_CGSNAPSHOT_TYPE}, by which"
                " consistency groups are told from other groups, does not exist; the deployer"
                " must create it."
            )
        return str(group_type["id"])

    def _group(self, context: Context, group_id: str) -> objects.Group:
        group = self._api.get(of_cinder(context), group_id)
        if group.group_type_id != self._group_type():
            raise exceptions.GroupNotFound(id=group_id)
        return group

    def _group_snapshot(self, context: Context, snapshot_id: str) -> objects.GroupSnapshot:
        snapshot = self._api.get_group_snapshot(of_cinder(context), snapshot_id)
        if snapshot.group_type_id != self._group_type():
            raise exceptions.CGSnapshotNotFound(id=snapshot_id)
        return snapshot

    def _record(self, context: Context, group: objects.Group) -> records.Group:
        return convert.group(group, self._volume_types(context, [group.id])[group.id])

    def _list(
        self,
        context: Context,
        query: records.ListQuery,
        filters: dict[str, object],
        get: Callable[..., R],
        get_all: Callable[..., Iterable[R]],
    ) -> records.Page[R]:
        """One page in a fixed number of queries; one row too many tells whether more follow."""
        if query.limit == 0:
            return records.Page((), False)
        filters["group_type_id"] = self._group_type()
        asked = filters.pop("project_id", None)
        wanted = None if asked is None else str(asked)
        project_id = context.project_id
        if query.all_tenants and context.is_admin:
            project_id = wanted
            filters["all_tenants"] = True
            if wanted is not None:
                filters["project_id"] = wanted
        elif not project_id:
            # Cinder would list the group snapshots of all projects.
            return records.Page((), False)
        if query.marker is not None:
            self._check_marker(context, query.marker, get, project_id)
        if wanted not in (None, project_id):
            # Cinder would list the caller's own project instead.
            return records.Page((), False)
        rows = list(
            get_all(
                of_cinder(context),
                filters=filters,
                marker=query.marker,
                limit=query.limit + 1,
                offset=query.offset,
                sort_keys=[key for key, _ in query.sort],
                sort_dirs=[direction for _, direction in query.sort],
            )
        )
        return records.Page(tuple(rows[: query.limit]), len(rows) > query.limit)

    @staticmethod
    def _check_marker(
        context: Context, marker: str, get: Callable[..., Any], project_id: str | None
    ) -> None:
        """:param project_id: the project of the list's rows; None: they may be of any.
        :raises InvalidInput: the marker is not a row that the list could hold.
        """
        try:
            row = get(context, marker)
        except (exception.NotFound, exceptions.NotFound):
            row = None
        if row is None or project_id not in (None, row.project_id):
            raise exceptions.InvalidInput(reason=f"marker {marker} is not in this list.")

    @staticmethod
    def _volume_types(context: Context, group_ids: Sequence[str]) -> Mapping[str, list[str]]:
        """Ids of the volume types that each group allows, for all groups in one query."""
        mapping = models.GroupVolumeTypeMapping
        statement = sa.select(mapping.group_id, mapping.volume_type_id).where(
            mapping.group_id.in_(group_ids), ~mapping.deleted
        )
        types = defaultdict(list)
        if group_ids:
            with db.main_context_manager.reader.using(of_cinder(context)) as session:
                for group_id, type_id in session.execute(statement):
                    types[group_id].append(type_id)
        return types

    @staticmethod
    def _resolve_volume_types(
        context: cinder_context.RequestContext, names: Sequence[str]
    ) -> list[str]:
        """Ids for names or ids, each once; all unknown ones are named in one error."""
        ids: dict[str, None] = {}
        unknown = []
        for name in names:
            try:
                ids[volume_types.get_by_name_or_id(context, name)["id"]] = None
            except exception.NotFound:
                unknown.append(name)
        if unknown:
            raise exceptions.InvalidInput(
                reason=f"volume types that do not exist: {', '.join(unknown)}."
            )
        return list(ids)
