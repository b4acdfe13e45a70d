# SPDX-License-Identifier: Apache-2.0
"""What a new group or a group snapshot is made from: a group, or a group snapshot.

Loads it with its members, checks that their data can be taken, and says what each new volume
takes over. Creates nothing.
"""

import dataclasses
from typing import Any

from cinder import context as cinder_context
from cinder import exception, objects

from cg_extension.contract import exceptions, statuses

# Cinder's volume manager gives up, and leaves a new group in ``error``, unless all volumes of the
# group that it is made from are in one of these.
COPYABLE_VOLUME = frozenset({statuses.Status.AVAILABLE})


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """One volume of the source, and its snapshot where the source is a group snapshot."""

    volume: objects.Volume
    snapshot: objects.Snapshot | None = None

    @property
    def size(self) -> int:
        """GiB that a copy of the data takes."""
        size: int = self.snapshot.volume_size if self.snapshot else self.volume.size
        return size

    @property
    def volume_type(self) -> objects.VolumeType:
        """The type that the data was written under."""
        return self.volume.volume_type


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """One of ``source_group`` and ``group_snapshot`` is set; ``members`` is never empty."""

    members: tuple[Member, ...]
    group: objects.Group
    source_group: objects.Group | None = None
    group_snapshot: objects.GroupSnapshot | None = None

    def size(self) -> int:
        """GiB of all members."""
        return sum(member.size for member in self.members)

    def volume_type_ids(self) -> list[str]:
        """The types that the group allows, and those that its members have."""
        return sorted(
            {volume_type.id for volume_type in self.group.volume_types}
            | {member.volume.volume_type_id for member in self.members}
        )

    def arguments(self, member: Member) -> dict[str, Any]:
        """What Cinder's volume API is asked for: a volume like the member's."""
        arguments = {
            "size": member.size,
            "name": member.volume.display_name,
            "description": member.volume.display_description,
            "metadata": dict(member.volume.metadata),
            "volume_type": member.volume_type,
            "availability_zone": self.group.availability_zone,
        }
        if self.group_snapshot is not None:
            return arguments | {
                "snapshot": member.snapshot,
                "group_snapshot": self.group_snapshot,
            }
        return arguments | {"source_volume": member.volume, "source_group": self.source_group}

    def check_copyable(self) -> None:
        """:raises exceptions.InvalidState: Cinder makes no group of it; says which volume's fault
        that is, and the way round.
        """
        if self.source_group is None:
            return
        for volume in (member.volume for member in self.members):
            if volume.status not in COPYABLE_VOLUME:
                raise exceptions.InvalidState(
                    reason=f"{statuses.VOLUME.name} {volume.id} is {volume.status}; for a group to"
                    f" be made straight from group {self.source_group.id}, Cinder wants it to be"
                    f" {' or '.join(COPYABLE_VOLUME)}. Volumes in use can be members of a group"
                    " snapshot: take one, and make the new group from that (cgsnapshot_id)."
                )


def load(
    context: cinder_context.RequestContext,
    *,
    group_snapshot_id: str | None = None,
    source_group_id: str | None = None,
) -> Source:
    """Read a source as it is now; exactly one of the ids is given.

    :raises exception.GroupNotFound, exception.GroupSnapshotNotFound: no such source.
    :raises exception.InvalidGroup, exception.InvalidGroupSnapshot: it is empty.
    :raises exceptions.InvalidState: it is not available, or a member's data can't be taken.
    """
    if group_snapshot_id is not None:
        return _load_group_snapshot(context, group_snapshot_id)
    return _load_group(context, source_group_id or "")


def _load_group_snapshot(context: cinder_context.RequestContext, snapshot_id: str) -> Source:
    snapshot = objects.GroupSnapshot.get_by_id(context, snapshot_id)
    statuses.CGSNAPSHOT.check(snapshot.id, snapshot.status, statuses.USABLE)
    group = objects.Group.get_by_id(context, snapshot.group_id)
    # Those of other projects as well: without them the group would not be what was snapshotted.
    snapshots = objects.SnapshotList.get_all_for_group_snapshot(context.elevated(), snapshot.id)
    if not snapshots:
        raise exception.InvalidGroupSnapshot(reason=f"Group snapshot {snapshot.id} is empty.")
    for each in snapshots:
        if (each.project_id, each.volume.project_id) != (snapshot.project_id, group.project_id):
            raise exceptions.InvalidState(
                reason=f"{statuses.SNAPSHOT.name} {each.id} of group snapshot {snapshot.id}, or"
                f" its volume {each.volume_id}, is of another project, to which it was"
                " transferred, say."
            )
    members = tuple(Member(snapshot=member, volume=member.volume) for member in snapshots)
    return Source(members, group, group_snapshot=snapshot)


def _load_group(context: cinder_context.RequestContext, group_id: str) -> Source:
    group = objects.Group.get_by_id(context, group_id)
    statuses.GROUP.check(group.id, group.status, statuses.USABLE)
    volumes = objects.VolumeList.get_all_by_generic_group(context.elevated(), group.id)
    if not volumes:
        raise exception.InvalidGroup(reason=f"Group {group.id} has no volumes.")
    for volume in volumes:
        if volume.project_id != group.project_id:
            raise exceptions.InvalidState(
                reason=f"{statuses.VOLUME.name} {volume.id} is of another project than group"
                f" {group.id}, to which it was transferred, say. Remove it from the group first."
            )
        statuses.VOLUME.check(volume.id, volume.status, statuses.SNAPSHOTTABLE_VOLUME)
    return Source(tuple(Member(volume) for volume in volumes), group, source_group=group)
