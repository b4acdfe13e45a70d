# SPDX-License-Identifier: Apache-2.0
"""New volumes of the reference host: empty, in a group, from a snapshot or from a volume."""

from collections.abc import Mapping

import sqlalchemy as sa
from oslo_db import exception as db_exception

from cg_extension.contract import exceptions, records, statuses
from cg_extension.contract.operations import OperationKind
from cg_extension.reference.db import (
    consistencygroups,
    pairs,
    rows,
    snapshots,
    volume_types,
    volumes,
)
from cg_extension.reference.db import quotas as db_quotas
from cg_extension.reference.service import base, groups, members, quotas, scheduler
from cg_extension.reference.service import volume_types as types
from cg_extension.reference.service.volumes import NOT_FOUND, TABLE


class VolumeCreation(base.Part):
    """The call of the host's API that makes volumes."""

    def create_volume(
        self,
        context: base.Context,
        *,
        size: int | None,
        name: str | None,
        description: str | None,
        volume_type: str | None,
        availability_zone: str | None,
        metadata: Mapping[str, str] | None,
        consistencygroup_id: str | None,
        snapshot_id: str | None,
        source_volid: str | None,
    ) -> records.Volume:
        """Accept a new volume of ``size`` GiB (of a source: None is the source's size).

        At most one of ``snapshot_id`` and ``source_volid`` is given.
        A volume in a group is on the group's backend and in its zone, one from a source on the
        source's. ``volume_type`` is a name or an id; None is the source's or the default.

        :raises InvalidInput: the request contradicts itself, its source or its group.
        :raises NotFound: a source, group or type does not exist for the caller.
        :raises InvalidState: the source or the group is not available.
        :raises QuotaExceeded: on ``volumes`` or ``gigabytes``.
        :raises ServiceUnavailable: no backend that fits takes it now.
        """
        project_id = base.project_of(context)

        def work(transaction: base.Transaction) -> records.Volume:
            conn = transaction.conn
            origin = _origin(conn, context, snapshot_id, source_volid)
            origins_project = origin.project_id if origin else project_id
            if origin or consistencygroup_id:
                # Under the lock their states can't change before the commit.
                transaction.lock(project_id, origins_project)
                origin = _origin(conn, context, snapshot_id, source_volid)
            volume_size = _checked_size(size, origin)
            chosen_type = self._type(conn, context, volume_type, origin)
            group = _group(conn, context, consistencygroup_id, project_id, chosen_type)
            amounts = db_quotas.of_volumes([volume_size])
            quotas.accept(transaction, self.conf, project_id, amounts)
            place = self._place(conn, availability_zone, origin or group, chosen_type, volume_size)
            if group is not None and group.host != place["host"]:
                raise exceptions.InvalidInput(
                    reason="the source is on another backend than the consistency group"
                )
            values = transaction.new_row(
                context,
                statuses.VOLUME,
                project_id=project_id,
                name=name,
                description=description,
                size=volume_size,
                volume_type_id=chosen_type.id if chosen_type else None,
                consistencygroup_id=consistencygroup_id,
                snapshot_id=snapshot_id,
                source_volid=source_volid,
                **place,
            )
            try:
                rows.insert(conn, TABLE, [values])
            except db_exception.DBReferenceError as error:  # The type was deleted just now.
                raise db_exception.RetryRequest(error) from error
            pairs.insert(conn, volumes.METADATA, {values["id"]: metadata or {}})
            transaction.enqueue(
                OperationKind.VOLUME_CREATE,
                context,
                resource_id=values["id"],
                project_id=project_id,
                host=values["host"],
            )
            return records.Volume(**values, metadata=dict(metadata or {}))

        return self.write(work)

    def _type(
        self,
        conn: sa.Connection,
        context: base.Context,
        volume_type: str | None,
        origin: records.Volume | None,
    ) -> records.VolumeType | None:
        """The type asked for, the source's or the default; None if there is no default."""
        if volume_type is not None:
            try:
                return types.find(conn, context, [volume_type])[0]
            except exceptions.InvalidInput:
                raise exceptions.VolumeTypeNotFound(id=volume_type) from None
        if origin is not None:
            return types.get(conn, origin.volume_type_id) if origin.volume_type_id else None
        default = volume_types.get_by_name(conn, self.conf.default_volume_type)
        return types.get(conn, default.id) if default is not None else None

    def _place(
        self,
        conn: sa.Connection,
        zone: str | None,
        beside: records.Volume | records.Group | None,
        chosen_type: records.VolumeType | None,
        size: int,
    ) -> dict[str, str]:
        """Host and zone of a new volume: where its source or its group is, or the best backend."""
        services = scheduler.list_services(conn, self.conf)
        specs = chosen_type.extra_specs if chosen_type else {}
        if beside is None:
            zone = scheduler.checked_zone(services, self.conf, zone)
            return {
                "host": scheduler.choose(services, zone, [specs], size),
                "availability_zone": zone,
            }
        where = {"host": str(beside.host), "availability_zone": beside.availability_zone}
        if zone is not None and zone != where["availability_zone"]:
            raise exceptions.InvalidInput(
                reason=f"the source or group is in availability zone {where['availability_zone']}"
                f", the new volume can't be in {zone}"
            )
        backend = scheduler.require(services, where["host"], size)
        if not scheduler.satisfies(backend.stats, specs):
            raise exceptions.InvalidInput(
                reason="the backend of the source or group lacks what the volume type asks for"
            )
        return where


def _origin(
    conn: sa.Connection,
    context: base.Context,
    snapshot_id: str | None,
    source_volid: str | None,
) -> records.Volume | None:
    """The volume whose content is copied, in the size of the snapshot if there is one."""
    if snapshot_id is not None:
        snapshot = base.get_visible(
            conn, context, snapshots.TABLE, snapshot_id, exceptions.SnapshotNotFound
        )
        statuses.SNAPSHOT.check(snapshot_id, snapshot.status, statuses.USABLE)
        volume = rows.get(conn, TABLE, snapshot.volume_id)
        assert volume is not None  # noqa: S101 (a foreign key holds it)
        return records.Volume(
            **{**volume._mapping, "size": snapshot.volume_size, "project_id": snapshot.project_id}
        )
    if source_volid is not None:
        volume = base.get_visible(conn, context, TABLE, source_volid, NOT_FOUND)
        members.check_snapshottable({source_volid: volume})
        return records.Volume(**volume._mapping)
    return None


def _checked_size(size: int | None, origin: records.Volume | None) -> int:
    if origin is None:
        assert size is not None  # noqa: S101 (the caller sees to it)
        return size
    if size is None:
        return origin.size
    if size < origin.size:
        raise exceptions.InvalidInput(
            reason=f"size must be at least the source's, {origin.size} GiB"
        )
    return size


def _group(
    conn: sa.Connection,
    context: base.Context,
    group_id: str | None,
    project_id: str,
    chosen_type: records.VolumeType | None,
) -> records.Group | None:
    """The group that the volume is to be in, if it may be."""
    if group_id is None:
        return None
    row = base.get_visible(conn, context, groups.TABLE, group_id, groups.NOT_FOUND)
    if row.project_id != project_id:
        raise exceptions.InvalidInput(
            reason=f"consistency group {group_id} belongs to another project"
        )
    statuses.GROUP.check(group_id, row.status, statuses.USABLE)
    allowed = consistencygroups.volume_types(conn, [group_id])[group_id]
    if chosen_type is None or chosen_type.id not in allowed:
        raise exceptions.InvalidInput(
            reason=f"consistency group {group_id} does not allow volumes of that type"
        )
    return records.Group(**row._mapping, volume_types=allowed)
