# SPDX-License-Identifier: Apache-2.0
"""The end of a rollback: new volumes take the names of others, all of them, whatever cuts in.

LVM renames one volume after another. So the new volumes of a rollback are a set (``sets``), whose
becoming complete is the decision, in one step over all volume groups, and what is to become of the
names stands in their tags before. After the decision every step may be repeated: it is done by
whom made the set, or by recovery when that process is gone.

====================================  ============  ===========================================
``cg_ext.back=SET:BOOT-PID-START``    volume group  SET takes names, once nothing dooms it
``cg_ext.takes=NAME``                 new volume    the name that it gets
``cg_ext.aside=NAME``                 new volume    the name that the volume gets which has its
``cg_ext.up``                         new volume    it is to be active then; not without it
``cg_ext.gets=TAG``                   new volume    a tag that it gets then
``cg_ext.old.gets=TAG``               new volume    a tag that the other one gets
``cg_ext.old.loses=TAG``              new volume    a tag that the other one loses
``cg_ext.was=UUID``                   new volume    for good: volumes in whose place it stands
``cg_ext.wanted=TEXT``                volume group  a rollback that waits for the next boot
====================================  ============  ===========================================

=====  ============================================  ===================================
step                                                 cut after it, recovery
=====  ============================================  ===================================
1      the set is begun, then ``back`` is put on     undoes: removes the new volumes, and
2      the new volumes are made, inactive            activates the old ones, if they were
3      the old ones are deactivated: from now on
       nobody can mount or open one
4      the set becomes complete: decided             goes on: steps 5 to 7
5      in each group: the old ones get their tags,   goes on
       then their names, and the new ones theirs
6      the new ones are activated                    goes on
7      their tags above are taken off, then          finds nothing to do, if the
       ``back`` and any ``wanted`` of the group;      disks had written that out
       the disks are flushed
=====  ============================================  ===================================
"""

import logging
from collections.abc import Iterable, Mapping, Sequence

from cg_extension.drivers import steps
from cg_extension.drivers.lvm import commands, errors, receipts, sets
from cg_extension.drivers.lvm.reports import LogicalVolume

LOG = logging.getLogger(__name__)

_ASIDE = "cg_ext.aside="
_UP = "cg_ext.up"
_GETS = "cg_ext.gets="
_OLD_GETS = "cg_ext.old.gets="
_OLD_LOSES = "cg_ext.old.loses="
_FOR_NOW = (sets.TAKES, _ASIDE, _GETS, _OLD_GETS, _OLD_LOSES)
_WAS = "cg_ext.was="
_WANTED = "cg_ext.wanted="


def tags(
    takes: str,
    aside: str | None,
    up: bool,
    gets: Iterable[str],
    old_gets: Iterable[str] = (),
    old_loses: Iterable[str] = (),
) -> list[str]:
    """The tags of a new volume that say what becomes of names.

    :param aside: None: no volume has the name that is taken.
    """
    return [
        f"{sets.TAKES}{takes}",
        *([f"{_ASIDE}{aside}"] if aside else []),
        *([_UP] if up else []),
        *(f"{_GETS}{tag}" for tag in gets),
        *(f"{_OLD_GETS}{tag}" for tag in old_gets),
        *(f"{_OLD_LOSES}{tag}" for tag in old_loses),
    ]


def told_later(old_gets: Iterable[str]) -> list[str]:
    """Tags to add to new volumes, for more tags that the others get."""
    return [f"{_OLD_GETS}{tag}" for tag in old_gets]


def taken_name(tags: Iterable[str]) -> str | None:
    """The name that a volume with these tags will get."""
    return _value(tags, sets.TAKES)


def aside_name(tags: Iterable[str]) -> str | None:
    """The name that the volume will get which has that name now."""
    return _value(tags, _ASIDE)


def is_to_be_active(tags: Iterable[str]) -> bool:
    """Whether the volume is to be active then, as the one that has its name is now."""
    return _UP in tags


def line_tags(uuid: str, tags: Iterable[str]) -> list[str]:
    """Tags for a volume that takes the place of the one with this UUID and these tags."""
    return sorted({f"{_WAS}{uuid}", *(tag for tag in tags if tag.startswith(_WAS))})


def line(uuid: str, tags: Iterable[str]) -> set[str]:
    """The UUIDs of a volume with these tags and of those in whose place it stands."""
    return {uuid, *(tag.removeprefix(_WAS) for tag in tags if tag.startswith(_WAS))}


def is_pending(group_tags: Iterable[str]) -> bool:
    """Whether a volume group's tags tell of a rollback to be finished or carried out."""
    return any(tag.startswith((sets.BACK, _WANTED)) for tag in group_tags)


def wanted_tag(name: str, keep: str) -> str:
    """The tag of a volume group by which a rollback to ``name`` waits for the next boot.

    :param keep: what the state before is to be called.
    """
    return f"{_WANTED}{name}:{keep}"


def waiting(group_tags: Iterable[str]) -> list[tuple[str, str]]:
    """What such tags tell: the group snapshot, and what the state before is to be called."""
    found = []
    for tag in sorted(group_tags):
        if tag.startswith(_WANTED):
            name, _colon, keep = tag.removeprefix(_WANTED).partition(":")
            found.append((name, keep))
    return found


def finish(groups: Sequence[commands.VolumeGroup], mark: str, set_name: str) -> None:
    """Exchange the names in all groups, then activate the volumes under them.

    :param mark: the tag of each group that says that the set takes names.
    :raises LVMError: it could not be done; the next recovery goes on.
    """
    for group in groups:
        _exchange(group, set_name)
    for group in groups:
        _complete(group, mark, set_name)


def settle(group: commands.VolumeGroup, marks: Sequence[sets.Mark]) -> None:
    """Finish what was decided of rollbacks whose process is gone; leave what is in doubt.

    :param marks: those of kind BACK.
    :raises LVMError: as ``finish``.
    """
    if not marks:
        return
    doomed = {mark.set_name for mark in sets.read_marks(group.usage().tags) if mark.dooms}
    for mark in marks:
        if mark.set_name not in doomed:
            LOG.warning("Finishing a rollback in volume group %s that was cut", group.name)
            finish([group], str(mark), mark.set_name)


def undo(
    group: commands.VolumeGroup, new: Iterable[LogicalVolume], marks: Sequence[sets.Mark]
) -> None:
    """Of rollbacks that were not decided, activate the volumes that they have deactivated.

    The new ones are still to be removed: they are doomed (``sets``).

    :param new: volumes that would have taken names.
    :param marks: those of kind BACK.
    """
    if marks:
        reactivate(group, [name for v in new if _UP in v.tags and (name := taken_name(v.tags))])
        group.change_tags(remove=[str(mark) for mark in marks])


def reactivate(group: commands.VolumeGroup, names: Iterable[str]) -> None:
    """Activate those of the volumes that are there and inactive; what fails is only logged."""
    try:
        volumes = group.volumes()
        group.activate([n for n in names if n in volumes and not volumes[n].active])
    except errors.LVMError as error:
        LOG.warning("Left inactive: %s", error)


def _exchange(group: commands.VolumeGroup, set_name: str) -> None:
    """Set the volumes aside that have the names, and give the names to the new ones."""
    volumes = group.volumes()
    waiting = {
        name: new
        for new in _of_set(volumes, set_name)
        if (name := taken_name(new.tags)) and name != new.name
    }
    old = {name: volumes[name] for name in waiting if name in volumes}
    asides = {name: _value(waiting[name].tags, _ASIDE) for name in old}
    strange = [name for name, volume in old.items() if not _is_meant(volume, waiting[name])]
    strange += [aside for name, aside in asides.items() if name not in strange and aside in volumes]
    if strange:
        raise errors.LVMError(
            f"{group.name}/{', '.join(sorted(strange))} has appeared where the rollback puts a "
            "volume; rename it, and run cg-lvm finish"
        )
    _retag_old(group, waiting, old)
    steps.checkpoint("lvm.old_told")
    # Now that no boot, which may be at it, activates them again: nobody may hold one by its name.
    found = group.volumes()
    group.deactivate([name for name in old if found[name].active])
    group.rename({name: aside for name, aside in asides.items() if aside})
    steps.checkpoint("lvm.old_aside")
    group.rename({new.name: name for name, new in waiting.items()})
    steps.checkpoint("lvm.renamed")


def _is_meant(old: LogicalVolume, new: LogicalVolume) -> bool:
    """Whether it is the volume that was to be set aside, and no other of its name."""
    uuid = _value(new.tags, f"{_OLD_GETS}{receipts.source_tag('')}")
    return _value(new.tags, _ASIDE) is not None and uuid in (None, old.uuid)


def _retag_old(
    group: commands.VolumeGroup,
    waiting: Mapping[str, LogicalVolume],
    old: Mapping[str, LogicalVolume],
) -> None:
    """Give the old volumes the tags that are meant for them; none comes up by itself any more."""
    for name in old:
        gets = _values(waiting[name].tags, _OLD_GETS)
        loses = [tag for tag in _values(waiting[name].tags, _OLD_LOSES) if tag not in gets]
        _change(group, name, add=gets, remove=loses, is_skipped=True)
    if old:
        found = group.volumes()
        for name in old:
            if not found[name].tags.issuperset(_values(waiting[name].tags, _OLD_GETS)):
                raise errors.LVMError(f"{group.name}/{name} does not take its tags")


def _complete(group: commands.VolumeGroup, mark: str, set_name: str) -> None:
    """Activate the volumes under their new names, and take off what told of the rollback."""
    volumes = group.volumes()
    new = [v for v in _of_set(volumes, set_name) if taken_name(v.tags)]
    if wrong := [v.name for v in new if taken_name(v.tags) != v.name]:
        raise errors.LVMError(f"{group.name}/{', '.join(wrong)} did not get its name")
    try:
        group.activate([v.name for v in new if _UP in v.tags and not v.active])
    except errors.LVMError as error:
        LOG.warning("Rolled back, but not activated: %s", error)
    steps.checkpoint("lvm.activated")
    for volume in new:
        for_now = [tag for tag in volume.tags if tag == _UP or tag.startswith(_FOR_NOW)]
        gets = _values(volume.tags, _GETS)
        _change(group, volume.name, add=gets, remove=sorted(for_now), is_skipped=False)
    volumes = group.volumes()
    if any(taken_name(v.tags) for v in _of_set(volumes, set_name)):
        raise errors.LVMError(f"volumes in {group.name} keep tags of the rollback")
    steps.checkpoint("lvm.told")
    # Each volume has the tags of its group. With none of the set the rollback was undone.
    tags = [tag for volume in _of_set(volumes, set_name) for tag in volume.group_tags]
    wanted = {tag for tag in tags if tag.startswith(_WANTED)}
    group.change_tags(remove=[mark, *sorted(wanted)])
    group.flush()
    steps.checkpoint("lvm.rolled_back")


def _of_set(volumes: Mapping[str, LogicalVolume], set_name: str) -> list[LogicalVolume]:
    found = [volume for volume in volumes.values() if set_name in sets.names(volume)]
    return sorted(found, key=lambda volume: volume.name)


def _change(
    group: commands.VolumeGroup,
    name: str,
    add: Iterable[str],
    remove: Iterable[str],
    is_skipped: bool,
) -> None:
    """Change a volume's tags, and whether it comes up by itself.

    In a process of its own: LVM's shell takes no more than 64 words, and tags are many.
    """
    changes = [("--addtag", tag) for tag in add] + [("--deltag", tag) for tag in remove]
    words = [word for change in changes for word in change]
    skip = ("--setactivationskip", "y" if is_skipped else "n")
    group.run("lvchange", *words, *skip, f"{group.name}/{name}")


def _value(tags: Iterable[str], prefix: str) -> str | None:
    return next(iter(_values(tags, prefix)), None)


def _values(tags: Iterable[str], prefix: str) -> list[str]:
    return sorted(tag.removeprefix(prefix) for tag in tags if tag.startswith(prefix))
