# SPDX-License-Identifier: Apache-2.0
"""``mount`` and ``umount``: the file systems of a group snapshot, as they hang together.

What is mounted are stand-ins (``stand_ins``), since a mount replays journals: the snapshot stays
as it is. They carry the tag ``cg-lvm.mounted=DIR``, by which ``umount`` finds all that belongs to a
directory, whatever ``mount`` was doing when it was killed. Until all is mounted they go when this
process has gone, after that when the machine goes down.
"""

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from cg_extension.cmd.lvm import (
    file_systems,
    machinery,
    mount_points,
    naming,
    programs,
    stand_ins,
    temporaries,
)
from cg_extension.drivers import exceptions
from cg_extension.drivers.lvm import at_work, errors, machine, users
from cg_extension.drivers.lvm.reports import LogicalVolume

MOUNTED = "cg-lvm.mounted="

# The source of the file system, in memory, that holds the mount points.
_OURS = "cg-lvm"
_OPTIONS = "nosuid,nodev"
_STDIN = 0


class Place(NamedTuple):
    """Where a file system is to be mounted, below the directory.

    :param point: where it belongs, seen from the root of the machine.
    """

    point: str
    device: str
    kind: str
    stand_in: stand_ins.StandIn


def mount(options: argparse.Namespace) -> dict[str, Any]:
    """``mount``."""
    with _alone_at(options.directory):
        return _mount(options)


def _mount(options: argparse.Namespace) -> dict[str, Any]:
    directory, tag = check_target(options.directory)
    groups, family = machinery.find_snapshot(options, options.name, options.volume_group)
    family = groups.recovered(family) or family
    if not family.is_complete:
        raise naming.UsageError(
            f"group snapshot {options.name} is not complete; cg-lvm verify {options.name} says why"
        )
    made = stand_ins.make(groups, family, [temporaries.tag(), tag])
    try:
        warnings: list[str] = []
        places = find_places(made, options.key_file, warnings)
        mount_all(directory, places)
        for group in family.groups:
            names = [each.name for each in made if each.group == group]
            temporaries.keep_until_reboot(groups.removal(group).group, names)
    except (Exception, KeyboardInterrupt):
        _undo(directory, groups, made)
        raise
    return {
        "mounted": family.name,
        "directory": directory,
        "volumes": [
            {
                "volume_group": place.stand_in.group,
                "volume": place.stand_in.snapshot.name,
                "mount_point": _below(directory, place.point),
                "type": place.kind,
            }
            for place in places
        ],
        "warnings": warnings,
    }


def umount(options: argparse.Namespace) -> dict[str, Any]:
    """``umount``."""
    with _alone_at(options.directory):
        return _umount(options)


def _umount(options: argparse.Namespace) -> dict[str, Any]:
    directory = os.path.realpath(options.directory)
    quoted = mount_points.quote(directory)
    groups = machinery.Groups([], options, recovered=False)
    groups.add_all()
    found = {
        group: [v for v in volumes.values() if f"{MOUNTED}{quoted}" in v.tags]
        for group, volumes in groups.volumes.items()
    }
    found = {group: volumes for group, volumes in found.items() if volumes}
    if not found and not _has_ours(machine.read(), directory):
        raise naming.UsageError(f"nothing is mounted at {directory} by cg-lvm mount")
    _unmount(directory, [volume for volumes in found.values() for volume in volumes])
    for group, volumes in found.items():
        temporaries.remove(groups.removal(group), [volume.name for volume in volumes])
    return {"unmounted": directory, "volumes": []}


@contextlib.contextmanager
def _alone_at(word: str) -> Iterator[None]:
    """Be the only command at a directory: another could mount over what this one mounts.

    :raises UsageError: another is.
    """
    directory = os.path.realpath(word)
    with at_work.claimed([f"{MOUNTED}{directory}"]) as is_ours:
        if not is_ours:
            raise naming.UsageError(
                f"another cg-lvm mounts or unmounts at {directory} just now: wait for its end"
            )
        yield


def check_target(word: str) -> tuple[str, str]:
    """The directory to mount at, and the tag for it.

    :raises UsageError: it is no empty directory.
    """
    directory = os.path.realpath(word)
    if not os.path.isdir(directory):
        raise naming.UsageError(f"{word} is no directory: make an empty one to mount at")
    if os.listdir(directory):
        raise naming.UsageError(f"{word} is not empty: what is in it would be hidden")
    quoted = mount_points.quote(directory)
    if quoted is None:
        raise naming.UsageError(f"{word}: the path is too long to be kept in a tag of LVM")
    return directory, f"{MOUNTED}{quoted}"


def find_places(
    made: Sequence[stand_ins.StandIn], key_file: str | None, warnings: list[str]
) -> list[Place]:
    """What is to be mounted where, those first that others are mounted in.

    :param warnings: gets what is left out, and why.
    :raises UsageError: a file system can't be mounted, or its place is not known.
    """
    points = mount_points.of(machine.read())
    found: dict[str, Place] = {}
    for each in made:
        name = f"{each.group}/{each.snapshot.name}"
        device, content = each.path, file_systems.look(each.path)
        if content.kind == file_systems.LUKS:
            device = _open_luks(each, key_file)
            content = file_systems.look(device)
        if reason := file_systems.why_no_file_system(content):
            warnings.append(f"{name} is left out: {reason}")
            continue
        if refusal := file_systems.why_not_mounted_beside(content):
            raise naming.UsageError(f"{name} can't be mounted beside its original: {refusal}")
        point = mount_points.of_snapshot(each.group, each.snapshot, content, points)
        if point is None:
            raise naming.UsageError(
                f"{name} holds {content.kind}, but where it belongs is not known: it was not "
                "mounted when the snapshot was taken; mount the original, or add it to /etc/fstab"
            )
        if point in found:
            other = found[point].stand_in
            raise naming.UsageError(
                f"{name} and {other.group}/{other.snapshot.name} both belong at {point}"
            )
        found[point] = Place(point, device, content.kind, each)
    if not found:
        raise naming.UsageError(f"there is no file system to mount: {'; '.join(warnings)}")
    return [found[point] for point in sorted(found, key=lambda point: point.split("/"))]


def _open_luks(each: stand_ins.StandIn, key_file: str | None) -> str:
    """Open the LUKS in a stand-in; its device, which can be written to, for a journal's replay.

    :raises UsageError: there is neither a key nor a terminal at which to ask for a passphrase.
    """
    if not key_file and not os.isatty(_STDIN):
        raise naming.UsageError(
            f"{each.group}/{each.snapshot.name} holds LUKS, and there is no terminal at which to "
            "ask for its passphrase: give a file that opens it by --key-file"
        )
    name = temporaries.luks_name(os.path.basename(each.path))
    key = ["--key-file", key_file] if key_file else []
    if not key_file:
        print(f"cg-lvm: LUKS in {each.group}/{each.snapshot.name}", file=sys.stderr, flush=True)
    command = ["cryptsetup", "open", "--type", "luks", *key, each.path, name]
    status, _output = programs.result(command, asks=True)
    if status:
        raise errors.LVMError(
            f"the LUKS in {each.group}/{each.snapshot.name} could not be opened (cryptsetup: exit "
            f"status {status})"
        )
    return f"/dev/mapper/{name}"


def mount_all(directory: str, places: Sequence[Place]) -> None:
    """Mount what belongs below a directory, those first that others are mounted in.

    Unless one of them is the root, a small file system in memory holds the mount points, so that
    nothing is left of them.

    :raises LVMError: one can't be mounted; others may be.
    """
    has_root = places[0].point == "/"
    if not has_root:
        _check_leads_nowhere(directory)
        programs.run(
            *("mount", "-t", "tmpfs", "-o", f"size=1m,mode=755,{_OPTIONS}", _OURS, directory)
        )
    for place in places:
        target = _below(directory, place.point)
        _check_leads_nowhere(target)
        if not os.path.isdir(target):
            if any(machine.is_below(target, _below(directory, p.point)) for p in places):
                raise errors.LVMError(
                    f"the snapshot has no directory {target} for what belongs at {place.point}"
                )
            os.makedirs(target)
        options = f"{file_systems.mount_options(place.kind)},{_OPTIONS}"
        programs.run("mount", "-t", place.kind, "-o", options, place.device, target)
        place.stand_in.check_whole()
    if not has_root:
        programs.run("mount", "-o", "remount,ro", directory)


def _check_leads_nowhere(target: str) -> None:
    """:raises LVMError: somebody has put a symbolic link there, or above it."""
    if os.path.realpath(target) != target:
        raise errors.LVMError(f"{target} leads elsewhere, so that nothing can be mounted there")


def _undo(directory: str, groups: machinery.Groups, made: Sequence[stand_ins.StandIn]) -> None:
    """Take back what was mounted; what can't be is told."""
    try:
        volumes = {
            group: groups.removal(group).group.volumes() for group in {each.group for each in made}
        }
        _unmount(directory, [volumes[e.group][e.name] for e in made if e.name in volumes[e.group]])
        stand_ins.remove(groups, made)
    except exceptions.DriverError as error:
        print(f"cg-lvm: left behind, for cg-lvm umount {directory}: {error}", file=sys.stderr)


def _unmount(directory: str, volumes: Sequence[LogicalVolume]) -> None:
    """Unmount all that is ours below a directory.

    :raises UsageError: something else is mounted below it, or ours elsewhere, too.
    :raises LVMError: something is in use.
    """
    found = machine.read()
    numbers = {volume.number for volume in volumes if volume.number}
    ours, foreign = [], []
    for mount in found.mounts:
        is_ours = bool(found.under_mount(mount) & numbers) or _is_ours(mount, directory)
        is_below = mount.point == directory or machine.is_below(mount.point, directory)
        if is_ours and is_below:
            ours.append(mount.point)
        elif is_ours or (is_below and mount.point != directory):
            foreign.append(mount.point)
    if foreign:
        raise naming.UsageError(f"unmount first what was mounted by others: {', '.join(foreign)}")
    for point in reversed(ours):
        try:
            programs.run("umount", point)
        except errors.LVMError as error:
            if by := users.at(point):
                raise errors.LVMError(f"{error} It is in use by {', '.join(by)}") from error
            raise


def _has_ours(found: machine.Machine, directory: str) -> bool:
    return any(_is_ours(mount, directory) for mount in found.mounts)


def _is_ours(mount: machine.Mount, directory: str) -> bool:
    """Whether it holds the mount points."""
    return mount.point == directory and (mount.kind, mount.source) == ("tmpfs", _OURS)


def _below(directory: str, point: str) -> str:
    return os.path.join(directory, point.lstrip("/")).rstrip("/")
