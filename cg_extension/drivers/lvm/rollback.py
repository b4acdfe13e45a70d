# SPDX-License-Identifier: Apache-2.0
"""Rolling volumes back to snapshots of them: all of them, in all volume groups, or none.

A new volume is made of each snapshot: a thin one shares its blocks, a thick one is a copy of it.
Then the new volumes take the names of the old ones (``exchange``), which are set aside under other
names as they are: they are the state before. So the snapshots stay, nothing of the old content is
overwritten, and what takes long or may fail is done before anything is changed.

``lvconvert --merge`` would do without the copy of a thick one, but not for a set: LVM begins each
merge by itself, it uses the snapshot up, and what it overwrites is gone.
"""

import dataclasses
import datetime
import logging
from collections.abc import Iterator, Mapping, Sequence

from cg_extension.conf.errors import describe
from cg_extension.drivers import steps
from cg_extension.drivers.lvm import (
    commands,
    contents,
    device_mapper,
    errors,
    exchange,
    kinds,
    machine,
    privileged,
    receipts,
    retake,
    sets,
    thin,
    together,
    transaction,
    users,
)
from cg_extension.drivers.lvm.making import Part
from cg_extension.drivers.lvm.reports import LogicalVolume

LOG = logging.getLogger(__name__)

# The volumes of each volume group by name.
_Volumes = Mapping[str, Mapping[str, LogicalVolume]]

# What a thick volume may be beside linear: a new one is just that.
_LINEAR = frozenset(["linear", "public", "origin", "thickorigin", "multithickorigin"])
# Of the mounted file systems, those without which nothing runs at boot.
_NEEDED_AT_BOOT = ("/", "/usr", "/etc")


class Unfinished(errors.LVMError):
    """It was decided, and will be finished; until then names are mixed, and volumes inactive."""


def roll_back(parts: Sequence[Part], progress: contents.Progress | None = None) -> None:
    """Put volumes that are made of the sources in the place of others, all or none.

    :param parts: the sources are snapshots, or other volumes that nobody writes to; the targets
        names that are free, until the new volumes take those in their tags (``exchange.tags``).
    :param progress: called with the bytes of thick volumes that are copied, and the bytes in all.
    :raises Refusal: it can't be, as things are; says why.
    :raises Unfinished: it was decided, but something failed then: the next recovery finishes it.
    :raises LVMError: something failed; all is as it was, or will be after the next recovery.
    """
    check(parts)
    _check_unused(parts)
    groups = _groups(parts)
    removals = [part.maker.removal for part in parts]
    set_name = ""

    def undo() -> None:
        for group in groups:
            _reactivate(group, parts)

    try:
        with transaction.all_or_nothing(removals, undo=undo) as member_tag:
            set_name = member_tag.removeprefix(sets.member_tag(""))
            for group in groups:
                group.change_tags(add=[sets.mark(sets.BACK, set_name)])
            steps.checkpoint("lvm.back_marked")
            idle = _make([_untagged(part) for part in parts], member_tag, progress)
            for part in parts:
                for copy in part.copies:
                    part.maker.group.add_tags([copy.target], copy.tags)
            steps.checkpoint("lvm.new_made")
            _deactivate_all(parts, idle)
            _add_receipts(parts)
            steps.checkpoint("lvm.old_inactive")
    except (Exception, KeyboardInterrupt):
        for group in groups:
            _take_back(group, parts, set_name)
        raise
    try:
        exchange.finish(groups, sets.mark(sets.BACK, set_name), set_name)
    except (Exception, KeyboardInterrupt) as error:
        why = "interrupted" if isinstance(error, KeyboardInterrupt) else describe(error)
        raise Unfinished(
            "the rollback is decided, and not finished: use none of its volumes before cg-lvm "
            f"finish has gone on with it ({why})"
        ) from error


def check(parts: Sequence[Part]) -> None:
    """See to it, before anything is made, that the volumes can be rolled back, if not in use.

    :raises Refusal: they can't be; says why.
    """
    volumes = _volumes(parts)
    refused = [
        f"{group}/{volume.name} {reason}"
        for group, volume, source in _replaced(parts, volumes)
        if (reason := _obstacle(volume, source))
    ]
    if refused:
        raise errors.Refusal("; ".join(refused))
    for part in parts:
        part.maker.check_restorable(part.copies)
    for group, of_group in volumes.items():
        _check_names(group, of_group, parts)
    _check_space(parts, volumes)


def _check_unused(parts: Sequence[Part]) -> None:
    """See to it that nobody uses the volumes that are to be replaced.

    :raises Refusal: somebody does; says who.
    """
    volumes = _volumes(parts)
    meant: dict[str, LogicalVolume] = {}
    for group, volume, _source in _replaced(parts, volumes):
        meant[f"{group}/{volume.name}"] = volume
        # They are deactivated along with it.
        for other in volumes[group].values():
            if other.origin == volume.name and other.pool is None:
                meant[f"{group}/{other.name}, a snapshot of {group}/{volume.name},"] = other
    if used := users.find(meant):
        raise errors.Refusal(f"{'; '.join(used)}: nothing was changed")


def check_not_needed_at_boot(parts: Sequence[Part]) -> None:
    """See to it that the volumes can be free when the machine has just been booted.

    :raises Refusal: one holds swap, or a file system that the rollback itself needs.
    """
    found = machine.read()
    numbers = {
        volume.number: f"{group}/{volume.name}"
        for group, volume, _source in _replaced(parts, _volumes(parts))
        if volume.number
    }
    for path in _NEEDED_AT_BOOT:
        if held := found.under_path(path) & set(numbers):
            raise errors.Refusal(
                f"{numbers[min(held)]} holds {path}, which is in use at boot from the start; roll "
                "it back from a rescue system"
            )
    for swap in found.swaps:
        if held := found.under(swap) & set(numbers):
            raise errors.Refusal(f"{numbers[min(held)]} holds swap of this machine: swapoff first")


def _groups(parts: Sequence[Part]) -> list[commands.VolumeGroup]:
    """The volume groups, in the order of their names."""
    return [each.group for each in transaction.in_order([part.maker.removal for part in parts])]


def _volumes(parts: Sequence[Part]) -> _Volumes:
    return {group.name: group.volumes() for group in _groups(parts)}


def _replaced(
    parts: Sequence[Part], volumes: _Volumes
) -> Iterator[tuple[str, LogicalVolume, LogicalVolume | None]]:
    """The volumes whose names are taken, with their groups and the sources; some may be gone."""
    for part in parts:
        of_group = volumes[part.maker.group.name]
        for copy in part.copies:
            volume = of_group.get(exchange.taken_name(copy.tags) or "")
            if volume is not None:
                yield part.maker.group.name, volume, of_group.get(copy.source)


def _obstacle(volume: LogicalVolume, source: LogicalVolume | None) -> str | None:
    if sets.is_doomed(volume):
        return "is half-made or half-removed"
    if reason := kinds.obstacle(volume.traits):
        return reason
    if volume.pool is None and (more := volume.traits - _LINEAR):
        return (
            f"is not a plain thick volume ({', '.join(sorted(more))}), but what is put in its "
            "place would be one: clone the snapshot, and copy it over"
        )
    # Else it is a snapshot, which no member is: that is for the other rules.
    if source is not None and source.traits & {"merging", "locked", "converting"}:
        return f"can't be rolled back while LVM changes {source.name} (lvs -a)"
    return None


def _check_names(group: str, volumes: Mapping[str, LogicalVolume], parts: Sequence[Part]) -> None:
    wanted = [
        name
        for part in parts
        if part.maker.group.name == group
        for copy in part.copies
        if (name := exchange.aside_name(copy.tags))
    ]
    if there := sorted(name for name in wanted if name in volumes):
        raise errors.Refusal(f"there already: {', '.join(there)} in {group}")


def _check_space(parts: Sequence[Part], volumes: _Volumes) -> None:
    """Thick volumes are copied to the last byte; thin ones cost their pool a little metadata."""
    needed: dict[str, int] = {}
    for part in parts:
        of_group = volumes[part.maker.group.name]
        pool = part.maker.settings.pool
        if pool is None:
            size = sum(of_group[copy.source].size for copy in part.copies)
            needed[part.maker.group.name] = needed.get(part.maker.group.name, 0) + size
        elif of_group[pool].active:
            settings = part.maker.settings
            group = part.maker.group.name
            _check_pool(group, pool, settings.data_limit, settings.metadata_limit)
    for part in parts:
        name = part.maker.group.name
        free = part.maker.group.usage().free if name in needed else 0
        if needed.get(name, 0) > free:
            raise errors.Refusal(
                f"volume group {name} has {free >> 20} MiB free, and the thick volumes to be "
                f"copied are {needed[name] >> 20} MiB: vgextend it, or remove something"
            )


@privileged.entrypoint
def _check_pool(group: str, pool: str, data_limit: float, metadata_limit: float) -> None:
    with device_mapper.Control() as control:
        thin.check_pool(control, group, pool, data_limit, metadata_limit)


def _make(
    parts: Sequence[Part], member_tag: str, progress: contents.Progress | None
) -> dict[str, list[str]]:
    """Make the new volumes; gives back, by volume group, sources that had to be activated."""
    for part in parts:
        if part.maker.is_thin:
            part.maker.make_snapshots(part.copies, {}, member_tag, volumes_to_be=False)
    thick = [part for part in parts if not part.maker.is_thin]
    volumes = _volumes(thick)
    idle = {
        part.maker.group.name: [
            copy.source
            for copy in part.copies
            if not volumes[part.maker.group.name][copy.source].active
        ]
        for part in thick
    }
    try:
        for part in thick:
            if names := idle[part.maker.group.name]:
                part.maker.group.activate(names)
                part.maker.check_restorable(part.copies)  # an overflow shows on active ones only
        together.copy_thick(thick, member_tag, progress)
    except (Exception, KeyboardInterrupt):
        for part in thick:
            _deactivate(part.maker.group, idle[part.maker.group.name])
        raise
    return idle


def _untagged(part: Part) -> Part:
    """The copies without tags, which LVM's shell, with its 64 words, would not take at once."""
    return Part(part.maker, [dataclasses.replace(copy, tags=()) for copy in part.copies])


def _deactivate_all(parts: Sequence[Part], idle: Mapping[str, Sequence[str]]) -> None:
    """Deactivate the new volumes, what was activated for them, and the old ones.

    So nothing finds a UUID twice, and from here on nobody can open what is to be replaced.

    :raises LVMError: somebody has opened one meanwhile.
    """
    volumes = _volumes(parts)
    wanted = {group: list(idle.get(group, ())) for group in volumes}
    for part in parts:
        wanted[part.maker.group.name] += part.targets
    for name, volume, _source in _replaced(parts, volumes):
        wanted[name].append(volume.name)
    for group in _groups(parts):
        of_group = volumes[group.name]
        group.deactivate([name for name in wanted[group.name] if of_group[name].active])


def _deactivate(group: commands.VolumeGroup, names: Sequence[str]) -> None:
    volumes = group.volumes()
    group.deactivate([name for name in names if volumes[name].active])


def _add_receipts(parts: Sequence[Part]) -> None:
    """The state before is of this moment: nobody could write to it since."""
    now = retake.Taken(datetime.datetime.now(datetime.UTC), 0.0)
    for group in _groups(parts):
        names = [t for part in parts if part.maker.group.name == group.name for t in part.targets]
        group.add_tags(names, exchange.told_later(receipts.tags(now)))


def _take_back(group: commands.VolumeGroup, parts: Sequence[Part], set_name: str) -> None:
    """After a failure: the old volumes are active again, unless it may be decided all the same.

    What can't be told now is left to the next recovery.
    """
    try:
        volumes = group.volumes()
        if any(set_name in sets.names(volume) for volume in volumes.values()):
            return
        _reactivate(group, parts)
        if set_name:
            group.change_tags(remove=[sets.mark(sets.BACK, set_name)])
    except errors.LVMError as error:
        LOG.warning("Left to the next start: the rollback in %s: %s", group.name, error)


def _reactivate(group: commands.VolumeGroup, parts: Sequence[Part]) -> None:
    """Activate the old volumes of a group again that are to be active."""
    of_group = [part for part in parts if part.maker.group.name == group.name]
    copies = [copy for part in of_group for copy in part.copies]
    up = [copy for copy in copies if exchange.is_to_be_active(copy.tags)]
    exchange.reactivate(group, [exchange.taken_name(copy.tags) or "" for copy in up])
