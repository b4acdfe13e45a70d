# SPDX-License-Identifier: Apache-2.0
"""Applies the rules of ``contract.membership``, and keeps a volume from joining two groups.

Cinder's own checks are made before the group's status changes and hold nothing, so that a volume
could join two groups, or be deleted while it joins one, which leaves the group in ``updating``.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias, cast

import sqlalchemy as sa
from cinder import context as cinder_context
from cinder import exception, objects
from cinder.volume import api, volume_utils

from cg_extension.cinder.database import api as db
from cg_extension.cinder.database import models
from cg_extension.contract import membership, statuses

Context: TypeAlias = cinder_context.RequestContext
VOLUME = models.Volume
SNAPSHOT = models.Snapshot
# No migration is under way in these, of which Cinder's volume API starts one.
_SETTLED = api.API.AVAILABLE_MIGRATION_STATUS
# Someone works with a volume that is in one of these. Cinder deletes none of them alone.
WORKED_WITH = (
    *("creating", "downloading", "attaching", "reserved", "detaching", "uploading", "backing-up"),
    *("restoring-backup", "extending", "reverting", "awaiting-transfer"),
)

# The same of a snapshot: a backup is made of it, or its volume is reverted to it.
SNAPSHOT_WORKED_WITH = ("backing-up", "restoring")


def joining(context: Context, group: objects.Group, volume_ids: Sequence[str]) -> list[str]:
    """As ``membership.joining``."""
    found = _load(context, volume_ids)
    facts = membership.Group(
        id=group.id,
        project_id=group.project_id,
        volume_types={volume_type.id for volume_type in group.volume_types} if found else (),
        backend=_backend(group.resource_backend),
    )
    return membership.joining(facts, volume_ids, found)


def leaving(context: Context, group: objects.Group, volume_ids: Sequence[str]) -> list[str]:
    """As ``membership.leaving``."""
    return membership.leaving(group.id, volume_ids, _load(context, volume_ids))


@contextlib.contextmanager
def claimed(context: Context, group: objects.Group, volume_ids: Sequence[str]) -> Iterator[None]:
    """Make volumes members of the group, all or none; and no members when the block fails.

    :raises exception.InvalidVolume: one is no longer fit.
    """
    free = [
        VOLUME.group_id.is_(None),
        VOLUME.status.in_(statuses.ADDABLE_VOLUME),
        VOLUME.migration_status.is_(None) | VOLUME.migration_status.in_(filter(None, _SETTLED)),
        ~VOLUME.deleted,
    ]
    with db.main_context_manager.writer.using(context) as session:
        if _set_group(session, volume_ids, free, group.id) != len(volume_ids):
            raise exception.InvalidVolume(
                reason=f"One of the volumes {', '.join(volume_ids)} was changed meanwhile."
            )
    try:
        yield
    except Exception:
        with db.main_context_manager.writer.using(context) as session:
            _set_group(session, volume_ids, [VOLUME.group_id == group.id], None)
        raise


def begin_deletion(context: Context, group: objects.Group, count: int) -> None:
    """Set the volumes of a group, ``count`` of them, to ``deleting``: all or none.

    :raises exception.InvalidVolume: one is no longer fit for it, or they are more or fewer.
    """
    of_group = [VOLUME.group_id == group.id, ~VOLUME.deleted]
    fit = [
        VOLUME.project_id == group.project_id,
        VOLUME.status.not_in(WORKED_WITH),
        VOLUME.attach_status.is_(None) | (VOLUME.attach_status != "attached"),
        ~sa.exists().where(SNAPSHOT.volume_id == VOLUME.id, ~SNAPSHOT.deleted),
    ]
    statement = sa.update(VOLUME).where(*of_group, *fit).values(status="deleting")
    with db.main_context_manager.writer.using(context) as session:
        changed = _row_count(session, statement)
        if not changed == count == session.scalar(sa.select(sa.func.count()).where(*of_group)):
            raise exception.InvalidVolume(
                reason=f"One of the volumes of group {group.id} was changed meanwhile."
            )


def some_of_others() -> sa.ColumnElement[bool]:
    """A condition on ``groups``: a member is of another project.

    Cinder transfers volumes that are in a group, and leaves them in it; and an administrator may
    make a volume in another project's group.
    """
    return _some_member(VOLUME.project_id != models.Group.project_id)


def some_worked_with() -> sa.ColumnElement[bool]:
    """A condition on ``groups``: a member is being attached, backed up or the like."""
    return _some_member(VOLUME.status.in_(WORKED_WITH))


def some_snapshot_of_others() -> sa.ColumnElement[bool]:
    """A condition on ``group_snapshots``: one of its snapshots is of another project.

    Cinder transfers a volume with its snapshots, and leaves them in their group snapshots.
    """
    return _some_snapshot(SNAPSHOT.project_id != models.GroupSnapshot.project_id)


def some_snapshot_worked_with() -> sa.ColumnElement[bool]:
    """A condition on ``group_snapshots``: one of its snapshots is being backed up or the like."""
    return _some_snapshot(SNAPSHOT.status.in_(SNAPSHOT_WORKED_WITH))


def _some_snapshot(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    of_group_snapshot = SNAPSHOT.group_snapshot_id == models.GroupSnapshot.id
    return sa.exists().where(of_group_snapshot, condition, ~SNAPSHOT.deleted)


def why_snapshot_kept(context: Context, group_snapshot: objects.GroupSnapshot) -> str:
    """Why a group snapshot can't be deleted, as far as a second look tells."""
    snapshots = objects.SnapshotList.get_all_for_group_snapshot(
        context.elevated(), group_snapshot.id
    )
    others = [each.id for each in snapshots if each.project_id != group_snapshot.project_id]
    if others and not context.is_admin:
        return (
            f"Snapshots of group snapshot {group_snapshot.id} are of another project, to which they"
            f" were transferred with their volume: {', '.join(others)}. Only an administrator can"
            " delete it."
        )
    busy = [f"{s.id} is {s.status}" for s in snapshots if s.status in SNAPSHOT_WORKED_WITH]
    if busy:
        return f"Snapshots of group snapshot {group_snapshot.id} are in use: {', '.join(busy)}."
    return f"A group is being created from group snapshot {group_snapshot.id}; wait for it."


def _some_member(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return sa.exists().where(VOLUME.group_id == models.Group.id, condition, ~VOLUME.deleted)


def _load(context: Context, volume_ids: Sequence[str]) -> dict[str, membership.Volume]:
    if not volume_ids:
        return {}
    statement = sa.select(
        VOLUME.id,
        VOLUME.project_id,
        VOLUME.group_id,
        VOLUME.volume_type_id,
        VOLUME.status,
        VOLUME.migration_status,
        VOLUME.host,
        VOLUME.cluster_name,
    ).where(VOLUME.id.in_(volume_ids), ~VOLUME.deleted)
    # What is read here is acted upon: never from a replica, whatever ``synchronous_reader`` says.
    with db.main_context_manager.writer.using(context) as session:
        return {
            row.id: membership.Volume(
                project_id=row.project_id,
                group_id=row.group_id,
                volume_type_id=row.volume_type_id,
                # While it migrates, a volume stays "available" or "in-use" to Cinder; where it
                # will be then is not known, and no member may change its backend.
                status=row.status if row.migration_status in _SETTLED else "migrating",
                backend=_backend(row.cluster_name or row.host),
            )
            for row in session.execute(statement)
        }


def _set_group(
    session: sa.orm.Session,
    volume_ids: Sequence[str],
    conditions: Sequence[sa.ColumnElement[bool]],
    group_id: str | None,
) -> int:
    """Put those volumes that meet the conditions into the group; gives how many they are."""
    statement = sa.update(VOLUME).where(VOLUME.id.in_(volume_ids), *conditions)
    return _row_count(session, statement.values(group_id=group_id))


def _row_count(session: sa.orm.Session, statement: sa.Update) -> int:
    """Change rows; gives how many they are."""
    changed = session.execute(statement, execution_options={"synchronize_session": False})
    return cast(sa.CursorResult[Any], changed).rowcount


def _backend(host: str | None) -> str | None:
    """``host@backend``, without the pool."""
    return volume_utils.extract_host(host) if host else None
