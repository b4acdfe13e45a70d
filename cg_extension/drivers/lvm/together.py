# SPDX-License-Identifier: Apache-2.0
"""Group snapshots, clones and restores of volumes in one or several volume groups and pools.

All that one call makes shows the same instant, and is complete or gone as one. Its parts, each in
one volume group and in one pool or thick, are made apart; one re-take sets all of them to one
instant, and one transaction makes them complete.
"""

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from cg_extension.drivers import steps
from cg_extension.drivers.lvm import (
    commands,
    contents,
    making,
    preflight,
    receipts,
    reports,
    retake,
    transaction,
    vg_lock,
)
from cg_extension.drivers.lvm.making import Part
from cg_extension.drivers.lvm.model import Copy
from cg_extension.drivers.lvm.reports import LogicalVolume

LOG = logging.getLogger(__name__)

_TEMPORARY = "cgtmp-"

# A part, the tag of what is made of it, and whether that is to be volumes rather than snapshots.
_Snapshots = tuple[Part, str, bool]


class GroupSnapshot(NamedTuple):
    """What there is to tell of snapshots that show the same instant.

    :param held: the seconds for which I/O was held now, 0 if they were there already.
    :param receipt: what their tags say, however long ago they were taken.
    """

    held: float
    receipt: receipts.Receipt


def check_sources(parts: Sequence[Part]) -> Mapping[str, retake.Sources]:
    """Refuse what can't be frozen as things are, before anything is done; what was found out.

    :raises Refusal: no group snapshot can be taken of the sources; says why.
    """
    seen = {part.maker.group.name: part.seen for part in parts if part.seen is not None}
    return retake.check(_request([(part, "") for part in parts]), seen)


def snapshot_group(parts: Sequence[Part], check: Callable[[], None] | None = None) -> GroupSnapshot:
    """Take snapshots of volumes that may be written to; all show the same instant.

    :param check: called when they are taken; what it raises undoes them.
    :raises DeadlineExceeded: I/O was held for too long; there are no snapshots.
    """
    if (there := _finished(parts)) is not None:
        return GroupSnapshot(0.0, receipts.read(there[0].tags if there else ()))
    arguments = _ready_sources(parts)
    disks: dict[str, Sequence[str]] = {}
    with transaction.all_or_nothing([part.maker.removal for part in parts], disks) as mark:
        taken, seen = _snapshot([(part, mark, False) for part in parts], arguments)
        disks.update(seen)
        if check:
            check()
        _add_receipts(parts, taken)
    return GroupSnapshot(taken.held, receipts.read(receipts.tags(taken)))


def clone_group(parts: Sequence[Part], progress: contents.Progress | None = None) -> float:
    """Make new volumes of volumes that may be written to; all show the same instant.

    Gives back the seconds for which I/O was held. Thick volumes are copied afterwards, from
    snapshots that are then removed; ``progress`` is called with the bytes done and in all.
    """
    if _finished(parts) is not None:
        return 0.0
    thin = [part for part in parts if part.maker.is_thin]
    thick = [part for part in parts if not part.maker.is_thin]
    temporaries = [_temporaries(part) for part in thick]
    arguments = _ready_sources([*thin, *temporaries])
    with (
        transaction.removed_at_last([part.maker.removal for part in thick]) as temporary_mark,
        transaction.all_or_nothing([part.maker.removal for part in parts]) as mark,
    ):
        taken, _disks = _snapshot(
            [
                *((part, mark, True) for part in thin),
                *((part, temporary_mark, False) for part in temporaries),
            ],
            arguments,
        )
        _add_receipts(thin, taken)
        for part in thin:
            part.maker.extend(part.copies)
            part.maker.group.activate(part.targets)
        copy_thick(
            [
                _through(part, temporary, taken)
                for part, temporary in zip(thick, temporaries, strict=True)
            ],
            mark,
            progress,
        )
    return taken.held


def restore_group(parts: Sequence[Part], progress: contents.Progress | None = None) -> None:
    """Make new volumes of snapshots, which nobody writes to.

    :raises Refusal: a source is not there, or its copy-on-write store has overflowed.
    """
    if _finished(parts) is not None:
        return
    for part in parts:
        part.maker.check_restorable(part.copies)
    with transaction.all_or_nothing([part.maker.removal for part in parts]) as mark:
        for part in parts:
            if part.maker.is_thin:
                part.maker.make_snapshots(part.copies, {}, mark, volumes_to_be=True)
                part.maker.extend(part.copies)
                part.maker.group.activate(part.targets)
        copy_thick([part for part in parts if not part.maker.is_thin], mark, progress)


def _finished(parts: Sequence[Part]) -> list[LogicalVolume] | None:
    """What an earlier run made, if it finished; if it did not, what it made is removed.

    All of it goes, even finished members: those still to be made would be of another instant.

    :raises Refusal: a target's name belongs to a volume that the engine did not make.
    """
    if all(part.seen is not None and part.seen.keys().isdisjoint(part.targets) for part in parts):
        return None
    looked = [(part.maker, *part.maker.look_for(part.targets)) for part in parts]
    if all(done for _maker, done, _there, _volumes in looked):
        return [volume for _maker, _done, there, _volumes in looked for volume in there]
    for maker, _done, there, volumes in looked:
        maker.removal.remove_half_made(there, volumes)
    return None


def _request(parts: Sequence[tuple[Part, str]]) -> retake.Request:
    makers = [part.maker for part, _mark in parts]
    settings = makers[0].settings
    locking_dir = vg_lock.directory(settings.system_dir)
    own_paths = [path for maker in makers for path in maker.settings.own_paths]
    own_paths += [locking_dir, settings.system_dir or "/etc/lvm"]
    return retake.Request(
        system_dir=settings.system_dir,
        locking_dir=locking_dir,
        parts=[part.maker.retake_part(part.copies, mark) for part, mark in parts],
        deadline=settings.freeze_deadline,
        own_paths=preflight.own_paths(own_paths),
    )


def _ready_sources(parts: Sequence[Part]) -> Mapping[str, Mapping[str, Sequence[str]]]:
    """Refuse what can't be frozen, and activate sources: an inactive one can't be held.

    Gives back, by volume group and source, the arguments of ``lvcreate`` that its kind needs.
    """
    sources = check_sources(parts)
    for part in parts:
        inactive = sources[part.maker.group.name].inactive
        part.maker.group.activate([c.source for c in part.copies if c.source in inactive])
    arguments = {group: dict(found.arguments) for group, found in sources.items()}
    for part in parts:
        of_group = arguments[part.maker.group.name]
        backups = sources[part.maker.group.name].backups
        for copy in part.copies:
            tags = part.maker.source_tags(copy.source)
            tags += receipts.backup_tags(backups.get(copy.source, ()))
            of_group[copy.source] = [*of_group[copy.source], *making.tag_arguments(tags)]
    return arguments


def _snapshot(
    snapshots: Sequence[_Snapshots], arguments: Mapping[str, Mapping[str, Sequence[str]]]
) -> tuple[retake.Taken, dict[str, list[str]]]:
    """Have LVM make the snapshots, each at its own moment, then set them to one.

    Gives back as well the disks of the volume groups, as they were under LVM's lock: what was done
    under it is on these. Those of a group that was changed just before are not known.
    """
    seen = _make(snapshots, arguments)
    steps.checkpoint("lvm.snapshots_made")
    taken = retake.retake(_request([(part, mark) for part, mark, _volumes in snapshots]))
    count = sum(len(part.copies) for part, _mark, _volumes in snapshots)
    LOG.info("Held the I/O of %d volumes for %.2f ms", count, 1000 * taken.held)
    steps.checkpoint("lvm.retaken")
    return taken, {
        group: disks.paths
        for group, disks in seen.items()
        if disks and disks.seqno == taken.seqnos.get(group)
    }


def _make(
    snapshots: Sequence[_Snapshots], arguments: Mapping[str, Mapping[str, Sequence[str]]]
) -> dict[str, reports.Disks | None]:
    """Have LVM make the snapshots: one process for each volume group, which tells of its disks."""
    groups = {part.maker.group.name: part.maker.group for part, _mark, _volumes in snapshots}
    seen = {}
    for name, group in groups.items():
        of_group = [each for each in snapshots if each[0].maker.group.name == name]
        seen[name] = group.make_and_see_disks(
            [
                command
                for part, mark, volumes_to_be in of_group
                for command in part.maker.snapshot_commands(
                    part.copies, arguments[name], mark, volumes_to_be
                )
            ],
            {target: mark for part, mark, _volumes in of_group for target in part.targets},
        )
    return seen


def _add_receipts(parts: Sequence[Part], taken: retake.Taken) -> None:
    """Tell of the instant in tags of what was taken at it: one process for each volume group."""
    groups = {part.maker.group.name: part.maker.group for part in parts}
    for name, group in groups.items():
        targets = [t for part in parts if part.maker.group.name == name for t in part.targets]
        group.add_tags(targets, receipts.tags(taken))


def copy_thick(parts: Sequence[Part], mark: str, progress: contents.Progress | None) -> None:
    """Make thick volumes and copy the sources to them, with one progress over all."""
    made = [(part.maker, part.maker.make_thick(part.copies, mark)) for part in parts]
    devices = [device for _maker, found in made for device in found]
    if devices:
        contents.copy_all(devices, made[0][0].settings.copy_workers, progress)
    for part in parts:
        part.maker.finish_thick(part.copies)


def _through(part: Part, temporary: Part, taken: retake.Taken) -> Part:
    """The copies of a part, made of its temporary snapshots, with a receipt."""
    maker = part.maker
    return Part(
        maker,
        [
            dataclasses.replace(
                copy,
                source=through.target,
                tags=[*copy.tags, *receipts.tags(taken), *maker.source_tags(copy.source)],
            )
            for copy, through in zip(part.copies, temporary.copies, strict=True)
        ],
    )


def _temporaries(part: Part) -> Part:
    """Snapshots of a part's sources, from which volumes are copied."""
    return Part(
        part.maker,
        [Copy(source=copy.source, target=commands.new_name(_TEMPORARY)) for copy in part.copies],
        part.seen,
    )
