# SPDX-License-Identifier: Apache-2.0
"""Which volumes may join a group or leave it: what is checked, in which order, and the messages.

Both hosts use these rules. Nothing is read here: the host loads the volumes, and makes sure that
what was checked still holds when the group is changed.
"""

import dataclasses
from collections.abc import Collection, Mapping, Sequence

from cg_extension.contract import exceptions, statuses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What the rules need to know of a group. ``volume_types`` are the ids that it allows."""

    id: str
    project_id: str
    volume_types: Collection[str]
    backend: str | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """What the rules need to know of a volume. ``group_id`` is the group that it is in, if any."""

    project_id: str
    group_id: str | None
    volume_type_id: str | None
    status: str
    backend: str | None


def joining(group: Group, volume_ids: Sequence[str], found: Mapping[str, Volume]) -> list[str]:
    """The ids of those volumes that are not in the group yet, if all of these may join it.

    :param found: the volumes that exist, by id.
    :raises InvalidState: one may not; says which and why.
    """
    ids = []
    for volume_id in volume_ids:
        volume = found.get(volume_id)
        # A volume of another project must look like one that does not exist.
        if volume is None or volume.project_id != group.project_id:
            raise _refusal(volume_id, "could not be found")
        if volume.group_id == group.id:
            continue
        if volume.group_id is not None:
            raise _refusal(volume_id, f"is in group {volume.group_id}")
        if volume.volume_type_id not in group.volume_types:
            raise _refusal(volume_id, "has a volume type that the group does not allow")
        statuses.VOLUME.check(volume_id, volume.status, statuses.ADDABLE_VOLUME)
        if volume.backend != group.backend:
            raise _refusal(volume_id, "is on another backend than the group")
        ids.append(volume_id)
    return ids


def leaving(group_id: str, volume_ids: Sequence[str], found: Mapping[str, Volume]) -> list[str]:
    """The ids of the volumes, if all of them may leave the group.

    :param found: the volumes that exist, by id.
    :raises InvalidState: one may not; says which and why.
    """
    for volume_id in volume_ids:
        volume = found.get(volume_id)
        if volume is None or volume.group_id != group_id:
            raise _refusal(volume_id, "is not in the group")
        statuses.VOLUME.check(volume_id, volume.status, statuses.REMOVABLE_VOLUME)
    return list(volume_ids)


def _refusal(volume_id: str, reason: str) -> exceptions.InvalidState:
    return exceptions.InvalidState(reason=f"Volume {volume_id} {reason}.")
