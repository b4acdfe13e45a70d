# SPDX-License-Identifier: Apache-2.0
"""In whose place the volumes of a rollback are put, and which tags they and the old ones get.

A rollback gives a member another volume, so the UUIDs by which group snapshots tell what they were
taken of would be of the past after the first. Therefore each new volume carries the UUIDs of those
in whose place it stands (``exchange.line_tags``): it is their successor, for older group snapshots
and younger ones, and for those of the state before.
"""

from collections.abc import Mapping, Sequence

from cg_extension.cmd.lvm import machinery, naming
from cg_extension.drivers.lvm import commands, engine, exchange, kinds, receipts, sets
from cg_extension.drivers.lvm.making import Part
from cg_extension.drivers.lvm.reports import LogicalVolume

_NEW = "cgback-"
# Tags that tell what a volume was made of and what it belongs to. The state before gets its own.
_FAMILY = (
    *(naming.SNAPSHOT, naming.CLONE, naming.SOURCE, naming.MEMBERS),
    *(naming.BY, naming.CONSISTENCY),
)


def parts(
    groups: machinery.Groups, family: naming.Family, keep: str, all_active: bool = False
) -> list[Part]:
    """What to put in the place of what.

    :param keep: the name of the group snapshot that the old volumes become.
    :param all_active: activate all new volumes; else those in whose place are active ones.
    :raises UsageError: it can't be told, or a name is taken or too long.
    """
    naming.check_name(naming.SNAPSHOT, keep, groups.volumes)
    places = []
    for group, volume in family.members:
        name = naming.tag_value(volume, naming.SOURCE)
        if name is None:
            raise naming.UsageError(f"{group}/{volume.name} does not tell what it was taken of")
        old = _predecessor(group, name, volume, groups.volumes[group])
        places.append((group, name, volume, old))
    count = sum(old is not None for _group, _name, _volume, old in places)
    kept_set = sets.member_tag(sets.new())
    copies = []
    for group, name, volume, old in places:
        tags = exchange.tags(name, None, up=True, gets=[])
        if old is not None:
            aside = naming.of_volume(group, name, keep)
            become = [
                *(sets.OWNED, kept_set, receipts.source_tag(old.uuid)),
                *naming.tags(naming.SNAPSHOT, keep, name, count),
                f"{naming.CONSISTENCY}{naming.CRASH_CONSISTENT}",
            ]
            tags = exchange.tags(
                name,
                aside,
                up=old.active or all_active,
                gets=[*_inherited(old), *exchange.line_tags(old.uuid, old.tags)],
                old_gets=become,
                old_loses=_lost(old),
            )
        new = commands.new_name(_NEW)
        copies.append((group, engine.Copy(source=volume.name, target=new, tags=tags)))
    return groups.parts(copies)


def _predecessor(
    group: str,
    name: str,
    snapshot: LogicalVolume,
    volumes: Mapping[str, LogicalVolume],
) -> LogicalVolume | None:
    """The volume in whose place one made of the snapshot is put; None if it was removed.

    :raises UsageError: the name belongs to another volume, or the volume has another name.
    """
    of = receipts.read(snapshot.tags).source_uuid
    old = volumes.get(name)
    if old is not None and kinds.is_part(old.traits):
        raise naming.UsageError(f"{group}/{name} is a part of another volume")
    if old is not None and naming.tag_value(old, naming.SNAPSHOT):
        raise naming.UsageError(f"{group}/{name} is itself part of a group snapshot")
    # What earlier versions made does not tell of its sources' UUIDs.
    if of is None or (old is not None and of in exchange.line(old.uuid, old.tags)):
        return old
    renamed = [
        v.name
        for v in volumes.values()
        if not kinds.is_part(v.traits)
        and of in exchange.line(v.uuid, v.tags)
        and not naming.tag_value(v, naming.SNAPSHOT)
    ]
    if renamed:
        is_now = f"{group}/{name} was renamed: it is {group}/{renamed[0]} now"
        what = "rename that out of the way, and" if old else "to roll back,"
        raise naming.UsageError(
            f"{is_now}{f', and {group}/{name} is another volume' if old else ''}; {what} "
            f"lvrename {group} {renamed[0]} {name}"
        )
    if old is not None:
        raise naming.UsageError(
            f"{group}/{name} is not the volume that {group}/{snapshot.name} was taken of, which is "
            f"no longer there; rename it (lvrename {group} {name} NEW) and that is made again"
        )
    return None


def _inherited(old: LogicalVolume) -> list[str]:
    """The tags that a volume's successor has from it: all that users and services gave it."""
    is_clone = naming.tag_value(old, naming.CLONE) is not None
    return sorted(
        tag
        for tag in old.tags
        if not tag.startswith(sets.OWNED) or (is_clone and tag.startswith(sets.member_tag("")))
    )


def _lost(old: LogicalVolume) -> Sequence[str]:
    """The tags that the state before does not keep, as it is now a group snapshot of its own."""
    return sorted(
        tag for tag in old.tags if tag.startswith(_FAMILY) or tag in receipts.of_tags(old.tags)
    )
