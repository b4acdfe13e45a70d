# SPDX-License-Identifier: Apache-2.0
"""What the next start does about what a crash or a power cut left: one privileged call.

It goes by sets: one that was being made or removed by a process that is gone is removed, whole, and
all others are left alone; what was decided of a rollback is finished. It may be cut short at any
point, and several processes may run it.
"""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from cg_extension.drivers.lvm import (
    at_work,
    commands,
    exchange,
    model,
    privileged,
    removal,
    sets,
)

LOG = logging.getLogger(__name__)


class _Record(NamedTuple):
    """A decision that ``holder`` keeps for ``mark``, which ``other``, another group, has."""

    holder: commands.VolumeGroup
    record: sets.Mark
    other: commands.VolumeGroup
    mark: sets.Mark


def recover(settings: model.Settings) -> list[str]:
    """Let go of what is held, and remove what is half-made or half-removed.

    Gives back the names of volumes that have to be wiped first: they were only set aside.

    :raises LVMError: something could not be removed; the next call tries again.
    """
    return list(_recover(dataclasses.asdict(settings)))


def is_needed(volumes: Mapping[str, commands.LogicalVolume]) -> bool:
    """Whether a crash has left anything in a volume group with these volumes.

    :param volumes: all of them, reported after ``commands.wait_for_all``: LVM's commands outlive a
        killed caller, and only their end shows what they have done.
    """
    if not volumes:  # then it is not known which tags the group has
        return True
    orphaned = sets.orphaned(next(iter(volumes.values())).group_tags)
    return bool(orphaned or sets.left_by_earlier_versions(volumes))


@privileged.entrypoint
def _recover(arguments: dict[str, Any]) -> list[str]:
    settings = model.Settings(**arguments)
    group = commands.VolumeGroup(settings.volume_group, settings.system_dir)
    # LVM commands outlive a killed caller, and only their end shows what they have done.
    at_work.wait_for_all()
    # Alone: another recovery could end meanwhile, and the names that we saw be in use again.
    with at_work.alone(f"recovery-{group.name}"):
        volumes = group.volumes()
        orphaned = sets.orphaned(_group_tags(group, volumes))
        if not orphaned and not sets.left_by_earlier_versions(volumes):
            return []
        # Again, for those processes whose tags we saw that were killed after the first time.
        at_work.wait_for_all()
        volumes = group.volumes()
        # What their last commands took off counts no more, and its record may be gone already.
        tags = _group_tags(group, volumes)
        orphaned = [mark for mark in orphaned if str(mark) in tags]
        rollbacks = [mark for mark in orphaned if mark.kind == sets.BACK]
        orphaned, records = _settled(group, [mark for mark in orphaned if mark not in rollbacks])
        left = sets.of_marks(volumes.values(), orphaned)
        left += [v for v in sets.left_by_earlier_versions(volumes) if v not in left]
        if left:
            names = sorted(volume.name for volume in left)
            LOG.warning("Removing volumes that a crash had left half-made: %s", names)
        doomed = {mark.set_name for mark in orphaned}
        exchange.undo(group, left, [m for m in rollbacks if m.set_name in doomed])
        aside = removal.Removal(settings, group).set_aside(left, volumes)
        if empty := [str(m) for m in orphaned if not sets.of_marks(volumes.values(), [m])]:
            group.change_tags(remove=empty)
        exchange.settle(group, [m for m in rollbacks if m.set_name not in doomed])
        _close(records)
        return aside


def _settled(
    group: commands.VolumeGroup, orphaned: Sequence[sets.Mark]
) -> tuple[list[sets.Mark], list[_Record]]:
    """Act on what was decided elsewhere of sets over several volume groups.

    Gives back the marks of those sets of which all that is here has to go, and the records of
    decisions that may count no more once that has been done.
    """
    if not any(mark.group for mark in orphaned):
        return list(orphaned), []
    groups = {each.uuid: each for each in group.all_groups()}
    (own_uuid,) = (each.uuid for each in groups.values() if each.name == group.name)
    doomed: list[sets.Mark] = []
    off: list[str] = []
    records: list[_Record] = []
    for mark in orphaned:
        other = groups.get(mark.group)
        if mark.dooms and not mark.group:
            doomed.append(mark)
            continue
        if other is None:
            LOG.warning(
                "Volume group %s has to wait for another, which is missing: %s", group.name, mark
            )
            continue
        elsewhere = commands.VolumeGroup(other.name, group.system_dir)
        if not mark.dooms:  # a record, of which the other group makes use itself
            records.append(_Record(group, mark, elsewhere, mark.decided(own_uuid)))
            continue
        record = mark.decision(own_uuid)
        decided = str(record) in other.tags
        if decided:
            elsewhere.flush()  # a power cut must not take back what is acted on now
            records.append(_Record(elsewhere, record, group, mark))
        if decided == (mark.kind == sets.GOING):
            doomed.append(mark)
        else:
            off.append(str(mark))
    if off:
        group.change_tags(remove=off)
    return doomed, records


def _close(records: Sequence[_Record]) -> None:
    """Take records off that the other group has acted on; it is asked again now."""
    if not records:
        return
    tags = {each.name: each.tags for each in records[0].holder.all_groups()}
    for holder, record, other, mark in records:
        if other.name in tags and str(mark) not in tags[other.name]:
            other.flush()  # else its mark might come back, and find nothing decided
            holder.change_tags(remove=[str(record)])


def _group_tags(
    group: commands.VolumeGroup, volumes: Mapping[str, commands.LogicalVolume]
) -> frozenset[str]:
    """The tags of the volume group, which each of its volumes has; it may have no volumes."""
    return next(iter(volumes.values())).group_tags if volumes else group.usage().tags
