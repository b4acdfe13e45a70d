# SPDX-License-Identifier: Apache-2.0
"""Which volumes may join a group or leave it, and that no two groups get the same one.

Cinder's own checks are made before the group's status changes and hold nothing, so that a volume
could join two groups, or be deleted while it joins one, which leaves the group in ``updating``.
"""

import contextlib
from collections.abc import Collection, Iterator, Sequence

import sqlalchemy as sa
from cinder import context as cinder_context
from cinder import exception, objects
from cinder.group import api
from cinder.volume import volume_utils

from cg_extension.cinder.database import api as db
from cg_extension.cinder.database import models

Context = cinder_context.RequestContext
VOLUME = models.Volume


def joining(context: Context, group: objects.Group, volume_ids: Sequence[str]) -> list[str]:
    """Those of the volumes that are not in the group yet, all of them fit to join it.

    :raises exception.InvalidVolume: one is not fit; says which and why.
    """
    found = _rows(context, volume_ids)
    types = {volume_type.id for volume_type in group.volume_types} if found else set()
    backend = _backend(group.resource_backend)
    ids = []
    for volume_id in volume_ids:
        volume = found.get(volume_id)
        # One of another project is not to be told apart from one that does not exist.
        if volume is None or volume.project_id != group.project_id:
            raise _refusal(volume_id, "could not be found")
        if volume.group_id == group.id:
            continue
        if volume.group_id is not None:
            raise _refusal(volume_id, f"is in group {volume.group_id}")
        if volume.volume_type_id not in types:
            raise _refusal(volume_id, "has a volume type that the group does not allow")
        _check_status(volume, api.VALID_ADD_VOL_TO_GROUP_STATUS)
        if _backend(volume.cluster_name or volume.host) != backend:
            raise _refusal(volume_id, "is on another backend than the group")
        ids.append(volume_id)
    return ids


def leaving(context: Context, group: objects.Group, volume_ids: Sequence[str]) -> list[str]:
    """The volumes, all of them fit to leave the group.

    :raises exception.InvalidVolume: one is not fit; says which and why.
    """
    found = _rows(context, volume_ids)
    for volume_id in volume_ids:
        volume = found.get(volume_id)
        if volume is None or volume.group_id != group.id:
            raise _refusal(volume_id, "is not in the group")
        _check_status(volume, api.VALID_REMOVE_VOL_FROM_GROUP_STATUS)
    return list(volume_ids)


@contextlib.contextmanager
def claimed(context: Context, group: objects.Group, volume_ids: Sequence[str]) -> Iterator[None]:
    """Make volumes members of the group, all or none; and no members when the block fails.

    :raises exception.InvalidVolume: one is no longer fit.
    """
    free = [
        VOLUME.group_id.is_(None),
        VOLUME.status.in_(api.VALID_ADD_VOL_TO_GROUP_STATUS),
        ~VOLUME.deleted,
    ]
    with db.main_context_manager.writer.using(context) as session:
        if _set_group(session, volume_ids, free, group.id) != len(volume_ids):
            raise exception.InvalidVolume(
                reason=f"Of the volumes {', '.join(volume_ids)} one was changed meanwhile."
            )
    try:
        yield
    except Exception:
        with db.main_context_manager.writer.using(context) as session:
            _set_group(session, volume_ids, [VOLUME.group_id == group.id], None)
        raise


def _rows(context: Context, volume_ids: Sequence[str]) -> dict[str, sa.Row]:
    if not volume_ids:
        return {}
    statement = sa.select(
        VOLUME.id,
        VOLUME.project_id,
        VOLUME.group_id,
        VOLUME.volume_type_id,
        VOLUME.status,
        VOLUME.host,
        VOLUME.cluster_name,
    ).where(VOLUME.id.in_(volume_ids), ~VOLUME.deleted)
    # What is read here is acted upon: never from a replica, whatever ``synchronous_reader`` says.
    with db.main_context_manager.writer.using(context) as session:
        return {row.id: row for row in session.execute(statement)}


def _set_group(
    session: sa.orm.Session,
    volume_ids: Sequence[str],
    conditions: Sequence[sa.ColumnElement[bool]],
    group_id: str | None,
) -> int:
    """How many of the volumes met the conditions and are now in the group."""
    statement = sa.update(VOLUME).where(VOLUME.id.in_(volume_ids), *conditions)
    changed = session.execute(
        statement.values(group_id=group_id), execution_options={"synchronize_session": False}
    )
    return changed.rowcount


def _backend(host: str | None) -> str | None:
    """``host@backend``, without the pool."""
    return volume_utils.extract_host(host) if host else None


def _check_status(volume: sa.Row, allowed: Collection[str]) -> None:
    if volume.status not in allowed:
        raise _refusal(volume.id, f"is {volume.status}; it must be {' or '.join(sorted(allowed))}")


def _refusal(volume_id: str, reason: str) -> exception.InvalidVolume:
    return exception.InvalidVolume(reason=f"Volume {volume_id} {reason}.")
