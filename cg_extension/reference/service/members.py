# SPDX-License-Identifier: Apache-2.0
"""Which volumes may join, leave or be deleted with a group, checked under the project's lock."""

from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa

from cg_extension.contract import exceptions, statuses
from cg_extension.reference.db import consistencygroups, rows, snapshots, volumes

_CREATING = statuses.VolumeStatus.CREATING
_DELETABLE = statuses.VOLUME_TRANSITIONS["delete"].sources


def refuse(volume_id: str, reason: str) -> exceptions.InvalidState:
    """The error that names a volume and what is wrong with it."""
    return exceptions.InvalidState(reason=f"Volume {volume_id} {reason}.")


def to_add(conn: sa.Connection, group: rows.Row, volume_ids: Sequence[str]) -> list[str]:
    """Those of the volumes that are not in the group yet, all of them fit to join it.

    :raises InvalidState: one is not fit.
    """
    found = rows.get_many(conn, volumes.TABLE, set(volume_ids))
    allowed_types = consistencygroups.volume_types(conn, [group.id])[group.id]
    adding = []
    for volume_id in sorted(set(volume_ids)):
        volume = found.get(volume_id)
        # One of another project is not to be told apart from one that does not exist.
        if volume is None or volume.project_id != group.project_id:
            raise refuse(volume_id, "could not be found")
        if volume.consistencygroup_id == group.id:
            continue
        if volume.consistencygroup_id is not None:
            raise refuse(volume_id, f"is in consistency group {volume.consistencygroup_id}")
        if volume.volume_type_id not in allowed_types:
            raise refuse(volume_id, "has a volume type that the group does not allow")
        if volume.status not in statuses.ADDABLE_VOLUME:
            raise refuse(volume_id, wrong_status(volume, statuses.ADDABLE_VOLUME))
        if volume.host != group.host:
            raise refuse(volume_id, "is on another backend than the group")
        adding.append(volume_id)
    return adding


def to_remove(conn: sa.Connection, group: rows.Row, volume_ids: Sequence[str]) -> list[str]:
    """The volumes, all of them fit to leave the group.

    :raises InvalidState: one is not fit.
    """
    found = rows.get_many(conn, volumes.TABLE, set(volume_ids))
    removing = sorted(set(volume_ids))
    for volume_id in removing:
        volume = found.get(volume_id)
        if volume is None or volume.consistencygroup_id != group.id:
            raise refuse(volume_id, "is not in the consistency group")
        if volume.status not in statuses.REMOVABLE_VOLUME:
            raise refuse(volume_id, wrong_status(volume, statuses.REMOVABLE_VOLUME))
    return removing


def check_snapshottable(found: Mapping[str, rows.Row]) -> None:
    """:raises InvalidState: the content of one of the volumes can't be copied now."""
    for volume in found.values():
        if volume.status not in statuses.SNAPSHOTTABLE_VOLUME:
            raise refuse(volume.id, wrong_status(volume, statuses.SNAPSHOTTABLE_VOLUME))


def check_deletable(
    conn: sa.Connection, found: Mapping[str, rows.Row], allowed: frozenset[str] = _DELETABLE
) -> None:
    """Volumes on their own, or with their group; ``allowed`` are the statuses to be in.

    :raises InvalidState: one is in use, has snapshots, is a source, or is being worked on.
    """
    if not found:
        return
    attached = volumes.attachments(conn, found)
    with_snapshots = snapshots.volumes_with_snapshots(conn, found)
    with_clones = volumes.made_from_volumes(conn, found, status=_CREATING)
    for volume in found.values():
        if attached[volume.id]:
            raise refuse(volume.id, "is attached; detach it first")
        if volume.status not in allowed:
            raise refuse(volume.id, wrong_status(volume, allowed))
        if volume.id in with_snapshots:
            raise refuse(volume.id, "has snapshots; delete them first")
        if volume.id in with_clones:
            raise refuse(volume.id, "is the source of a volume that is being created")


def wrong_status(volume: rows.Row, allowed: Collection[str]) -> str:
    """What is wrong with a volume whose status is not one of ``allowed``."""
    return f"is {volume.status}; it must be {' or '.join(sorted(allowed))}"
