# SPDX-License-Identifier: Apache-2.0
"""``verify``: whether a group snapshot is there with all its members, the very same, and whole.

What is compared is what was recorded when it was taken, in its receipt and in the pool itself. A
source may be renamed or removed since, and a volume may be moved (pvmove) or renamed: that makes
no other snapshot of it, and counts as nothing wrong.
"""

import argparse
import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cg_extension.cmd.lvm import file_systems, machinery, naming, stand_ins
from cg_extension.drivers.lvm import (
    commands,
    device_mapper,
    errors,
    receipts,
    reports,
    sets,
    thin,
    thin_space,
)
from cg_extension.drivers.lvm.reports import LogicalVolume

# Percent of a thick snapshot's store in use above which there is a note.
_NEARLY_FULL = 80


@dataclasses.dataclass(slots=True)
class Findings:
    """What was found of a volume.

    :param wrong: what makes it worth nothing, or doubtful.
    :param notes: what its owner may want to know.
    """

    wrong: list[str] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class Pool:
    """What a thin pool says.

    :param unfit: why no snapshot in it can be relied on; None if it is healthy.
    :param backups: the volumes in which repairs have left its old metadata.
    :param created: when each volume was made, by its id, in the pool's own count of snapshots;
        None: not known.
    """

    unfit: str | None
    backups: Sequence[str] = ()
    created: Mapping[int, int] | None = None


def verify(options: argparse.Namespace) -> dict[str, Any]:
    """``verify``."""
    groups, family = machinery.find_snapshot(options, options.name, options.volume_group)
    if options.deep and family.is_complete:  # which makes volumes
        family = groups.recovered(family) or family
    found = _look_at(family, groups)
    whole = _of_the_whole(family)
    contents: dict[tuple[str, str], dict[str, str]] = {}
    if options.deep:
        if whole or any(each.wrong for each in found.values()):
            whole.append("not looked into: the file systems, as something is wrong already")
        else:
            contents = _look_into(family, groups, found)
    is_right = not whole and not any(each.wrong for each in found.values())
    return {
        "verified": family.name,
        "ok": is_right,
        "deep": options.deep,
        "volume_groups": family.groups,
        "wrong": whole,
        "volumes": [
            {
                "volume_group": group,
                "volume": volume.name,
                "ok": not found[group, volume.name].wrong,
                "wrong": found[group, volume.name].wrong,
                "notes": found[group, volume.name].notes,
                "content": contents.get((group, volume.name)),
            }
            for group, volume in family.members
        ],
    }


def _of_the_whole(family: naming.Family) -> list[str]:
    """What is wrong with a group snapshot as a whole."""
    counts = {naming.tag_value(volume, naming.MEMBERS) or "" for _group, volume in family.members}
    here = len(family.members)
    if any(sets.is_doomed(volume) for _group, volume in family.members):
        return [
            "it is being made or deleted, or was cut short: the next command that changes "
            "something in the volume group removes it"
        ]
    if counts != {str(here)}:
        of = " or ".join(sorted(counts))
        return [
            f"{here} of {of} volumes are there: others were removed, or their volume group is "
            "missing"
        ]
    return []


def _look_at(family: naming.Family, groups: machinery.Groups) -> dict[tuple[str, str], Findings]:
    """What is found of each volume, by volume group and name."""
    found: dict[tuple[str, str], Findings] = {}
    for group in family.groups:
        volumes = commands.VolumeGroup(group).volumes(status=True, usage=True)
        uuids = {name: volume.uuid for name, volume in volumes.items()}
        members = []
        for volume in family.of_group(group):
            if volume.name in volumes:
                members.append(volumes[volume.name])
            else:
                found[group, volume.name] = Findings(wrong=["it was removed just now"])
        pools = {
            pool: look_at_pool(group, pool, volumes) for pool in {v.pool for v in members} if pool
        }
        for volume in members:
            findings = compare(volume, uuids, pools)
            percent = volume.data_percent
            if volume.pool is None and not volume.invalid and (percent or 0) > _NEARLY_FULL:
                findings.notes.append(f"its store is {percent:.0f} % full; once full, it is lost")
            found[group, volume.name] = findings
        for pool, said in pools.items():
            in_pool = [v for v in members if v.pool == pool and not _was_set_aside(v, uuids)]
            if said.created is not None and (wrong := not_at_once(in_pool, said.created)):
                for volume in in_pool:
                    found[group, volume.name].wrong.append(wrong)
    return found


def compare(volume: LogicalVolume, uuids: Mapping[str, str], pools: Mapping[str, Pool]) -> Findings:
    """What LVM and the pool say of a volume, beside its receipt.

    :param uuids: those of all volumes in its volume group, by name.
    :param pools: by name, what the pools say.
    """
    found = Findings()
    receipt = receipts.read(volume.tags)
    if "partial" in volume.traits:
        found.wrong.append("its volume group lacks a disk")
    if volume.invalid:
        found.wrong.append("its store overflowed: its content is lost")
    _compare_source(volume, receipt, uuids, found)
    if volume.pool is not None:
        _compare_pool(volume, receipt, pools[volume.pool], found)
    elif not volume.active and not _was_set_aside(volume, uuids):
        found.wrong.append(
            "it is not active, so that nobody can tell whether its store is whole (lvchange -ay -K)"
        )
    return found


def _was_set_aside(volume: LogicalVolume, uuids: Mapping[str, str]) -> bool:
    """Whether it is the very volume that its receipt names: the state before a rollback."""
    of = receipts.read(volume.tags).source_uuid
    return of is not None and uuids.get(volume.name) == of


def _compare_source(
    volume: LogicalVolume, receipt: receipts.Receipt, uuids: Mapping[str, str], found: Findings
) -> None:
    if receipt.source_uuid is None:
        found.notes.append("it has no receipt: an earlier version made it")
        return
    if _was_set_aside(volume, uuids):
        found.notes.append("no snapshot, but the volume itself, as a rollback has set it aside")
        return
    if volume.origin is not None and volume.origin in uuids:
        if uuids[volume.origin] != receipt.source_uuid:
            found.wrong.append(
                f"it is a snapshot of {volume.origin}, and not of the volume that its receipt names"
            )
        elif volume.origin != naming.tag_value(volume, naming.SOURCE):
            found.notes.append(f"the volume that it was taken of is called {volume.origin} now")
    elif receipt.source_uuid not in uuids.values():
        if volume.pool is None:
            found.wrong.append("it is no snapshot any more: its origin is gone")
        else:
            found.notes.append("the volume that it was taken of is gone")


def _compare_pool(
    volume: LogicalVolume, receipt: receipts.Receipt, pool: Pool, found: Findings
) -> None:
    if pool.unfit:
        found.wrong.append(f"its pool {volume.pool} {pool.unfit}")
        return
    if pool.created is not None and volume.thin_id not in pool.created:
        found.wrong.append(f"its pool {volume.pool} has no volume with its id {volume.thin_id}")
    if later := sorted(set(pool.backups) - receipt.backups):
        found.wrong.append(
            f"its pool {volume.pool} was repaired since, which may have taken blocks from it: "
            f"{', '.join(later)} has the pool's metadata of before"
        )


def not_at_once(volumes: Sequence[LogicalVolume], created: Mapping[int, int]) -> str | None:
    """Whether the pool made volumes one right after another, as it does at one instant.

    With each snapshot it counts on, and keeps the count with the new volume, whoever looks at it or
    repairs it later (``__create_snap`` in the kernel's dm-thin-metadata.c).
    """
    counts = sorted(
        count for number, count in created.items() if number in {v.thin_id for v in volumes}
    )
    if all(later - earlier == 1 for earlier, later in itertools.pairwise(counts)):
        return None
    return (
        "the pool did not make the members one right after another: one of them is not what was "
        "taken at the instant"
    )


def look_at_pool(group: str, name: str, volumes: Iterable[str]) -> Pool:
    """What a thin pool says.

    :param volumes: the names of all volumes in its volume group.
    """
    try:
        with device_mapper.Control() as control:
            status = reports.pool_status(control.status(commands.device_name(group, name, "tpool")))
    except OSError:
        return Pool(f"is not active, so that nobody can tell (lvchange -ay {group}/{name})")
    if status.unfit:
        return Pool(status.unfit)
    try:
        return Pool(None, thin.metadata_backups(volumes, name), thin_space.created(group, name))
    except errors.LVMError as error:
        return Pool(f"can't be read: {error}")


def _look_into(
    family: naming.Family,
    groups: machinery.Groups,
    found: Mapping[tuple[str, str], Findings],
) -> dict[tuple[str, str], dict[str, str]]:
    """Check the contents, on stand-ins; by volume group and name, what was found."""
    contents = {}
    with stand_ins.made(groups, family) as made:
        for each in made:
            content, verdict = file_systems.check(each.path)
            try:
                each.check_whole()
            except errors.LVMError as error:
                verdict = file_systems.Verdict("failed", str(error))
            contents[each.group, each.snapshot.name] = {
                "kind": content.kind,
                "state": verdict.state,
                "text": verdict.text,
            }
            if not verdict.is_right:
                found[each.group, each.snapshot.name].wrong.append(verdict.text)
    return contents


def text(answer: Mapping[str, Any]) -> str:
    """The answer for people."""
    verdict = "all right" if answer["ok"] else "NOT RIGHT"
    lines = [f"group snapshot {answer['verified']}: {verdict}"]
    lines += [f"  {wrong}" for wrong in answer["wrong"]]
    for volume in answer["volumes"]:
        lines.append(
            f"{volume['volume_group']}/{volume['volume']}: {'right' if volume['ok'] else 'WRONG'}"
        )
        content = volume["content"]
        lines += _indented(volume["wrong"])
        if content and content["text"] not in volume["wrong"]:
            kind = f"{content['kind']}: " if content["state"] == "sound" else ""
            lines += _indented([f"{kind}{content['text']}"])
        lines += _indented(volume["notes"])
    if not answer["deep"]:
        lines.append("What is in the volumes was not looked at; --deep checks their file systems.")
    return "\n".join(lines)


def _indented(words: Iterable[str]) -> list[str]:
    return [f"  {word}" for word in words]
