# SPDX-License-Identifier: Apache-2.0
"""Cinder's objects, turned into the records that our API shows: the border between the two.

Nothing here asks the database: what an object does not hold itself is handed in.
"""

import datetime
from collections.abc import Iterable

from cinder import objects

from cg_extension.contract import records, statuses


def _status(status: str) -> str:
    """Cinder's volume manager writes "deleted" shortly before it takes the row away."""
    return statuses.Status.DELETING if status == "deleted" else status


def _naive(moment: datetime.datetime) -> datetime.datetime:
    """Cinder's objects hold UTC with a zone; records hold UTC without one."""
    return moment.replace(tzinfo=None)


def group(source: objects.Group, volume_types: Iterable[str]) -> records.Group:
    """:param volume_types: ids of the types that the group allows."""
    return records.Group(
        id=source.id,
        project_id=source.project_id,
        user_id=source.user_id,
        name=source.name,
        description=source.description,
        status=_status(source.status),
        created_at=_naive(source.created_at),
        updated_at=source.updated_at and _naive(source.updated_at),
        host=source.host,
        availability_zone=source.availability_zone,
        volume_types=tuple(sorted(volume_types)),
        cgsnapshot_id=source.group_snapshot_id,
        source_cgid=source.source_group_id,
    )


def cgsnapshot(source: objects.GroupSnapshot) -> records.CGSnapshot:
    """The record of a group snapshot."""
    return records.CGSnapshot(
        id=source.id,
        project_id=source.project_id,
        user_id=source.user_id,
        name=source.name,
        description=source.description,
        status=_status(source.status),
        created_at=_naive(source.created_at),
        updated_at=source.updated_at and _naive(source.updated_at),
        consistencygroup_id=source.group_id,
    )
