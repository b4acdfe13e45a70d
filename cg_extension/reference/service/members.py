# SPDX-License-Identifier: Apache-2.0
"""Which volumes may join, leave or be deleted with a group, checked under the project's lock.

The rules of joining and leaving are ``contract.membership``'s.
"""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from cg_extension.contract import exceptions, membership, statuses
from cg_extension.reference.db import consistencygroups, rows, snapshots, volumes

_CREATING = statuses.Status.CREATING
_DELETABLE = statuses.VOLUME.work["delete"].begin.sources


def refuse(volume_id: str, reason: str) -> exceptions.InvalidState:
    """The error that names a volume and what is wrong with it."""
    return exceptions.InvalidState(reason=f"Volume {volume_id} {reason}.")


def joining(conn: sa.Connection, group: rows.Row, volume_ids: Sequence[str]) -> list[str]:
    """As ``membership.joining``."""
    facts = membership.Group(
        id=group.id,
        project_id=group.project_id,
        volume_types=consistencygroups.volume_types(conn, [group.id])[group.id],
        backend=group.host,
    )
    return membership.joining(facts, volume_ids, _load(conn, volume_ids))


def leaving(conn: sa.Connection, group: rows.Row, volume_ids: Sequence[str]) -> list[str]:
    """As ``membership.leaving``."""
    return membership.leaving(group.id, volume_ids, _load(conn, volume_ids))


def _load(conn: sa.Connection, volume_ids: Sequence[str]) -> dict[str, membership.Volume]:
    return {
        volume_id: membership.Volume(
            project_id=row.project_id,
            group_id=row.consistencygroup_id,
            volume_type_id=row.volume_type_id,
            status=row.status,
            backend=row.host,
        )
        for volume_id, row in rows.get_many(conn, volumes.TABLE, volume_ids).items()
    }


def check_snapshottable(found: Mapping[str, rows.Row]) -> None:
    """:raises InvalidState: the content of one of the volumes can't be copied now."""
    for volume in found.values():
        statuses.VOLUME.check(volume.id, volume.status, statuses.SNAPSHOTTABLE_VOLUME)


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
        statuses.VOLUME.check(volume.id, volume.status, allowed)
        if volume.id in with_snapshots:
            raise refuse(volume.id, "has snapshots; delete them first")
        if volume.id in with_clones:
            raise refuse(volume.id, "is the source of a volume that is being created")
