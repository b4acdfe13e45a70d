# SPDX-License-Identifier: Apache-2.0
"""Cinder's group API, with those calls written anew that could leave a row stuck.

In Cinder 29 a failure in the middle of these calls leaves volumes in ``deleting``, groups in
``creating``, a quota that nothing uses or keys of volumes that are not there; keys stay behind
when groups are deleted with encrypted volumes; and a change of name makes any group ``available``.
Here a change of status comes first, is one conditional UPDATE, and is taken back when what
follows it fails. Everything else is Cinder's, and so are all rows and messages.
"""

import contextlib
import copy
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from cinder import context as cinder_context
from cinder import exception, objects, quota, quota_utils
from cinder.group import api
from cinder.objects import fields
from cinder.policies import group_actions
from cinder.policies import group_snapshots as group_snapshot_policies
from cinder.policies import groups as group_policies
from oslo_utils import excutils, timeutils
from sqlalchemy import sql
from typing_extensions import override

from cg_extension.cinder import keys, members, sources
from cg_extension.cinder.database import api as db
from cg_extension.cinder.database import models
from cg_extension.contract import exceptions, statuses

Context: TypeAlias = cinder_context.RequestContext
GroupStatus = fields.GroupStatus
GROUP_QUOTAS = quota.GROUP_QUOTAS


def _snapshot_being_created() -> sql.ColumnElement[bool]:
    """A condition on ``groups``: a snapshot of the group is being created."""
    return sql.exists().where(
        models.GroupSnapshot.group_id == models.Group.id,
        models.GroupSnapshot.status == fields.GroupSnapshotStatus.CREATING,
        ~models.GroupSnapshot.deleted,
    )


def _change(
    machine: statuses.Machine,
    row: objects.base.CinderPersistentObject,
    allowed: Collection[str],
    values: Mapping[str, object],
    filters: Sequence[sql.ColumnElement[bool]] = (),
) -> bool:
    """Change a row by compare and swap; gives False if one of the filters does not hold.

    :raises exceptions.InvalidState: the status is not one of those allowed.
    """
    values = {**values, "updated_at": timeutils.utcnow()}
    if row.conditional_update(values, {"status": allowed}, filters):
        return True
    now = type(row).get_by_id(row._context, row.id)
    machine.check(row.id, now.status, allowed)
    return False


@contextlib.contextmanager
def _status_on_failure(rows: Iterable[tuple[objects.base.CinderObject, str]]) -> Iterator[None]:
    """When the block fails, give each object the status paired with it, and raise the error on."""
    try:
        yield
    except Exception:
        with excutils.save_and_reraise_exception():
            for row, status in rows:
                row.status = status
                row.save()


@contextlib.contextmanager
def _values_on_failure(row: objects.base.CinderObject, names: Iterable[str]) -> Iterator[None]:
    """When the block fails, give the object the values that it has now; not yet saved."""
    values = {name: getattr(row, name) for name in names}
    try:
        yield
    except Exception:
        row.update(values)
        raise


class GroupAPI(api.API):  # type: ignore[misc]  # untyped
    """Used for consistency groups only; Cinder's own /groups paths keep Cinder's class.

    What is marked ``override`` takes the place of Cinder's own; the rest is new.
    """

    @override
    def _cast_create_group(self, context: Context, group: objects.Group, *rest: object) -> None:
        try:
            super()._cast_create_group(context, group, *rest)
        except Exception:
            with excutils.save_and_reraise_exception():
                failed = {"status": GroupStatus.ERROR}
                group.conditional_update(failed, {"status": GroupStatus.CREATING})
                # The scheduler may have heard of it all the same.
                if not objects.Group.exists(context, group.id):
                    # Cinder has removed the row, and keeps its quota.
                    self.update_quota(context, group, -1, group.project_id)

    @override
    def create_from_src(
        self,
        context: Context,
        name: str | None,
        description: str | None = None,
        group_snapshot_id: str | None = None,
        source_group_id: str | None = None,
    ) -> objects.Group:
        """Make a group with one new volume for each of the source's.

        :raises exception.GroupNotFound, exception.GroupSnapshotNotFound: no such source.
        :raises exceptions.InvalidState: the status of the source or of a member forbids it.
        :raises exception.InvalidGroup: the source is empty, or its backend has no room.
        :raises exception.QuotaError: on groups, volumes or gigabytes.
        """
        context.authorize(group_policies.CREATE_POLICY)
        ids = {"group_snapshot_id": group_snapshot_id, "source_group_id": source_group_id}
        source = sources.load(context, **ids)
        source.check_copyable()
        reservations = self._reserve_group(context)
        try:
            group = objects.Group(
                context=context,
                user_id=context.user_id,
                project_id=context.project_id,
                status=GroupStatus.CREATING,
                name=name,
                description=description,
                volume_type_ids=source.volume_type_ids(),
                replication_status=fields.ReplicationStatus.DISABLED,
                **ids,
            )
            group.create(**ids)
            try:
                self._fill(context, group, ids)
            except Exception:
                with excutils.save_and_reraise_exception():
                    self._undo(context, group)
        except Exception:
            with excutils.save_and_reraise_exception():
                GROUP_QUOTAS.rollback(context, reservations)
        GROUP_QUOTAS.commit(context, reservations)
        return group

    def _reserve_group(self, context: Context) -> Sequence[str]:
        try:
            reserved: Sequence[str]
            reserved = GROUP_QUOTAS.reserve(context, project_id=context.project_id, groups=1)
            return reserved
        except exception.OverQuota as error:
            # Raises an error that names the quota.
            quota_utils.process_reserve_over_quota(context, error, resource="groups")
            raise

    def _fill(self, context: Context, group: objects.Group, ids: dict[str, str | None]) -> None:
        """Insert the rows of the group's volumes and hand the work to the volume manager."""
        # From now on the group's row keeps its source from being deleted. Look again at what may
        # have happened to the source before.
        source = sources.load(context, **ids)
        source.check_copyable()
        group.assert_not_frozen()
        spec = objects.RequestSpec(
            group_id=group.id, volume_properties=objects.VolumeProperties(size=source.size())
        )
        backend = group.resource_backend
        if not backend or not self.scheduler_rpcapi.validate_host_capacity(context, backend, spec):
            raise exception.InvalidGroup(
                reason=f"The source's backend has no room for {source.size()} GiB."
            )
        with keys.deleted_on_failure(context, self.volume_api) as volume_api:
            for member in source.members:
                # In a group made from a source, this inserts a row and casts nothing.
                volume_api.create(context, group=group, **source.arguments(member))
            self._update_volumes_host(context, group)
            self.volume_rpcapi.create_group_from_src(
                context, group, source.group_snapshot, source.source_group
            )

    def _undo(self, context: Context, group: objects.Group) -> None:
        """Remove a group that the volume manager has not heard of, and give its quota back."""
        # Whoever may make volumes need not be one who may delete them.
        elevated = context.elevated()
        for volume in objects.VolumeList.get_all_by_generic_group(elevated, group.id):
            # Without a host Cinder removes just the row and its quota.
            volume.host = None
            self.volume_api.delete(elevated, volume)
        group.destroy()

    @override
    def update(
        self,
        context: Context,
        group: objects.Group,
        name: str | None,
        description: str | None,
        add_volumes: Sequence[str],
        remove_volumes: Sequence[str],
    ) -> None:
        """Change name, description and members; unlike Cinder's own, it takes lists of ids.

        :raises exceptions.InvalidState: the group is not available, or a volume may not join or
            leave; says which and why.
        :raises exception.InvalidVolume: a volume was changed meanwhile.
        :raises exception.InvalidGroup: the group is a source in use, or was changed meanwhile.
        """
        context.authorize(group_policies.UPDATE_POLICY, target_obj=group)
        values: dict[str, object] = {}
        if name is not None:
            values["name"] = name
        if description is not None:
            values["description"] = description
        if not (add_volumes or remove_volumes):
            self._rename(group, values, statuses.RENAMABLE_GROUP)
            return
        begin = statuses.GROUP.work["update"].begin
        add = members.joining(context, group, add_volumes)
        remove = members.leaving(context, group, remove_volumes)
        if not (add or remove):
            self._rename(group, values, begin.sources)
            return
        filters = [~db.group_creating_from_src(group_id=group.id), ~_snapshot_being_created()]
        updating = {"status": begin.target}
        if not _change(statuses.GROUP, group, begin.sources, updating, filters):
            raise exception.InvalidGroup(
                reason=f"The members of group {group.id} can't change while a group or a group"
                " snapshot is being created from it."
            )
        with _status_on_failure([(group, GroupStatus.AVAILABLE)]):
            # From here on no other call changes this group. Look again at what one did before.
            add = members.joining(context, group, add_volumes)
            remove = members.leaving(context, group, remove_volumes)
            with members.claimed(context, group, add), _values_on_failure(group, values):
                group.update(values)
                group.save()
                # The volume manager is to find a member that was transferred to another project.
                self.volume_rpcapi.update_group(
                    context.elevated(),
                    group,
                    add_volumes=",".join(add),
                    remove_volumes=",".join(remove),
                )

    @staticmethod
    def _rename(
        group: objects.Group, values: Mapping[str, object], allowed: Collection[str]
    ) -> None:
        if not _change(statuses.GROUP, group, allowed, values):
            raise exception.InvalidGroup(reason=f"Group {group.id} was changed meanwhile.")

    @override
    def delete(self, context: Context, group: objects.Group, delete_volumes: bool = False) -> None:
        """Delete a group, and with ``delete_volumes`` its volumes as well.

        :raises exceptions.InvalidState: its status forbids it.
        :raises exception.InvalidGroup: its members, snapshots or a group being created from it
            forbid it.
        :raises exception.InvalidVolume: a member was changed meanwhile.
        """
        context.authorize(group_actions.DELETE_POLICY, target_obj=group)
        if group.host:
            group.assert_not_frozen()
        before = group.status
        filters = [
            ~db.group_has_group_snapshot_filter(),
            ~db.group_has_volumes_filter(attached_or_with_snapshots=delete_volumes),
            ~db.group_creating_from_src(group_id=group.id),
            ~members.some_of_others(),
            ~members.some_worked_with(),
        ]
        begin = statuses.GROUP.work["delete"].begin
        deleting = {"status": begin.target}
        if not _change(statuses.GROUP, group, begin.sources, deleting, filters):
            raise exception.InvalidGroup(reason=self._why_kept(context, group, delete_volumes))
        if not group.host:
            # The scheduler found no backend for it, so there is nothing behind the row.
            self.update_quota(context, group, -1, group.project_id)
            group.destroy()
            return
        volumes = objects.VolumeList.get_all_by_generic_group(context.elevated(), group.id)
        with _status_on_failure([(group, before)]):
            # Again, and now for good: other calls may have come between.
            members.begin_deletion(context, group, len(volumes))
            with _status_on_failure([(volume, volume.status) for volume in volumes]):
                self.volume_rpcapi.delete_group(context, group)
        keys.delete(context, self.volume_api, [volume.encryption_key_id for volume in volumes])

    def _why_kept(self, context: Context, group: objects.Group, delete_volumes: bool) -> str:
        """Why a group can't be deleted, as far as a second look tells."""
        elevated = context.elevated()
        if objects.GroupSnapshotList.get_all_by_group(elevated, group.id):
            return f"Group {group.id} has group snapshots; delete them first."
        volumes = objects.VolumeList.get_all_by_generic_group(elevated, group.id)
        if volumes and not delete_volumes:
            return exceptions.GroupHasVolumes(id=group.id).msg
        others = [volume.id for volume in volumes if volume.project_id != group.project_id]
        if others:
            return (
                f"Volumes of group {group.id} are of another project, to which they were"
                f" transferred, say; remove them from the group first: {', '.join(others)}."
            )
        attached = [volume.id for volume in volumes if volume.attach_status == "attached"]
        if attached:
            return f"Volumes of group {group.id} are attached: {', '.join(attached)}."
        busy = [f"{v.id} is {v.status}" for v in volumes if v.status in members.WORKED_WITH]
        if busy:
            return f"Volumes of group {group.id} are in use: {', '.join(busy)}."
        held = [
            volume.id
            for volume in volumes
            if objects.SnapshotList.get_all_for_volume(elevated, volume.id)
        ]
        if held:
            return f"Volumes of group {group.id} have snapshots of their own: {', '.join(held)}."
        return f"Another group is being created from group {group.id}; wait for it."

    @override
    def create_group_snapshot(
        self, context: Context, group: objects.Group, name: str | None, description: str | None
    ) -> objects.GroupSnapshot:
        """Take a snapshot of all of the group's volumes.

        :raises exceptions.InvalidState: the status of the group or of a member forbids it.
        :raises exception.InvalidGroup: the group has no volumes.
        :raises exception.QuotaError: on snapshots or gigabytes.
        """
        context.authorize(group_snapshot_policies.CREATE_POLICY, target_obj=group)
        group.assert_not_frozen()
        sources.load(context, source_group_id=group.id)
        # Whoever takes it, it is part of what the group's project has and counts for its quota.
        owner = copy.copy(context)
        owner.project_id = group.project_id
        snapshot = objects.GroupSnapshot(
            owner,
            group_id=group.id,
            user_id=context.user_id,
            project_id=owner.project_id,
            status=fields.GroupSnapshotStatus.CREATING,
            name=name,
            description=description,
            group_type_id=group.group_type_id,
        )
        snapshot.create()
        try:
            # As in _fill: from here on neither the group nor its membership can change.
            source = sources.load(context, source_group_id=group.id)
            snapshots = self.volume_api.create_snapshots_in_db(
                owner,
                [member.volume for member in source.members],
                name,
                description,
                None,
                snapshot.id,
            )
        except Exception:
            with excutils.save_and_reraise_exception():
                snapshot.destroy()
        error = fields.GroupSnapshotStatus.ERROR
        with _status_on_failure([(row, error) for row in (snapshot, *snapshots)]):
            self.volume_rpcapi.create_group_snapshot(context, snapshot)
        return snapshot

    @override
    def delete_group_snapshot(
        self, context: Context, group_snapshot: objects.GroupSnapshot
    ) -> None:
        """Delete a group snapshot; unlike Cinder's own, also one in ``error_deleting``.

        :raises exceptions.InvalidState: its status forbids it.
        :raises exception.InvalidGroupSnapshot: a group is being created from it, or one of its
            snapshots is in use, or is another project's and the caller is no administrator.
        """
        context.authorize(group_snapshot_policies.DELETE_POLICY, target_obj=group_snapshot)
        group_snapshot.assert_not_frozen()
        before = group_snapshot.status
        begin = statuses.CGSNAPSHOT.work["delete"].begin
        deleting = {"status": begin.target}
        filters = [
            ~db.group_creating_from_src(group_snapshot_id=group_snapshot.id),
            ~members.some_snapshot_worked_with(),
        ]
        if not context.is_admin:
            filters.append(~members.some_snapshot_of_others())
        if not _change(statuses.CGSNAPSHOT, group_snapshot, begin.sources, deleting, filters):
            reason = members.why_snapshot_kept(context, group_snapshot)
            raise exception.InvalidGroupSnapshot(reason=reason)
        snapshots = objects.SnapshotList.get_all_for_group_snapshot(context, group_snapshot.id)
        restore = [(group_snapshot, before), *((each, each.status) for each in snapshots)]
        with _status_on_failure(restore):
            for each in snapshots:
                each.status = fields.SnapshotStatus.DELETING
                each.save()
            self.volume_rpcapi.delete_group_snapshot(context.elevated(), group_snapshot)
