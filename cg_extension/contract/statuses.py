# SPDX-License-Identifier: Apache-2.0
"""Every status of every resource, and who may change to what: the one place, as data.

A change of status is one conditional UPDATE: durable work goes by a :class:`Transition`, other
calls by the sets below.
"""

import dataclasses
import enum


class GroupStatus(enum.StrEnum):
    """Statuses of a consistency group (and, without ``updating``, of a group snapshot)."""

    CREATING = "creating"
    AVAILABLE = "available"
    UPDATING = "updating"
    DELETING = "deleting"
    ERROR = "error"
    ERROR_DELETING = "error_deleting"


class VolumeStatus(enum.StrEnum):
    """Statuses of a volume, Cinder's words for those that groups need."""

    CREATING = "creating"
    AVAILABLE = "available"
    IN_USE = "in-use"
    DELETING = "deleting"
    ERROR = "error"
    ERROR_DELETING = "error_deleting"


class SnapshotStatus(enum.StrEnum):
    """Statuses of a snapshot, alone or part of a group snapshot."""

    CREATING = "creating"
    AVAILABLE = "available"
    DELETING = "deleting"
    ERROR = "error"
    ERROR_DELETING = "error_deleting"


@dataclasses.dataclass(frozen=True, slots=True)
class Transition:
    """One durable piece of work on a resource, seen from its status.

    ``sources`` is empty for a creation: the row is inserted in ``during``. ``success`` is None
    where the row is gone afterwards.
    """

    sources: frozenset[str]
    during: str
    success: str | None
    failure: str


def _creation() -> Transition:
    return Transition(frozenset(), GroupStatus.CREATING, GroupStatus.AVAILABLE, GroupStatus.ERROR)


def _deletion(*sources: str) -> Transition:
    return Transition(frozenset(sources), GroupStatus.DELETING, None, GroupStatus.ERROR_DELETING)


_DELETABLE = (GroupStatus.AVAILABLE, GroupStatus.ERROR, GroupStatus.ERROR_DELETING)

GROUP_TRANSITIONS = {
    "create": _creation(),
    "update": Transition(
        frozenset({GroupStatus.AVAILABLE}),
        GroupStatus.UPDATING,
        GroupStatus.AVAILABLE,
        GroupStatus.ERROR,
    ),
    # With force, too: any status but those in which an operation is under way.
    "delete": _deletion(*_DELETABLE),
}

CGSNAPSHOT_TRANSITIONS = {
    "create": _creation(),
    "delete": _deletion(*_DELETABLE),
}

VOLUME_TRANSITIONS = {
    "create": _creation(),
    "delete": _deletion(*_DELETABLE),
    # os-force_delete: also a volume that some fault left in use, without an attachment.
    "force_delete": _deletion(*_DELETABLE, VolumeStatus.IN_USE),
}

SNAPSHOT_TRANSITIONS = {
    "create": _creation(),
    "delete": _deletion(*_DELETABLE),
}

_UNDER_WAY = frozenset(
    transition.during
    for transitions in (
        GROUP_TRANSITIONS,
        CGSNAPSHOT_TRANSITIONS,
        VOLUME_TRANSITIONS,
        SNAPSHOT_TRANSITIONS,
    )
    for transition in transitions.values()
)

# What an administrator may set by hand: no status in which work would be under way.
RESETTABLE_GROUP = frozenset(GroupStatus) - _UNDER_WAY
RESETTABLE_CGSNAPSHOT = RESETTABLE_GROUP
RESETTABLE_VOLUME = frozenset(VolumeStatus) - _UNDER_WAY
RESETTABLE_SNAPSHOT = frozenset(SnapshotStatus) - _UNDER_WAY

# A group in these keeps its status when its name or description is changed.
RENAMABLE_GROUP = frozenset(GroupStatus) - {GroupStatus.DELETING}

# Volumes in these statuses hold data that a group snapshot or a new group can be taken from.
SNAPSHOTTABLE_VOLUME = frozenset({VolumeStatus.AVAILABLE, VolumeStatus.IN_USE})
ADDABLE_VOLUME = SNAPSHOTTABLE_VOLUME
REMOVABLE_VOLUME = frozenset(
    {
        VolumeStatus.AVAILABLE,
        VolumeStatus.IN_USE,
        VolumeStatus.ERROR,
        VolumeStatus.ERROR_DELETING,
    }
)

# A snapshot that its backend reports as lost goes from these straight to ``error``, and so does
# its group snapshot.
LOSABLE_SNAPSHOT = frozenset({SnapshotStatus.AVAILABLE})
