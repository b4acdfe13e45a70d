# SPDX-License-Identifier: Apache-2.0
"""What must hold before any device is frozen, and the order in which to freeze.

Nothing is changed here. What is known of the machine (mounts, swap, stacking of devices) comes in
through ``machine.Machine``, so that each rule can be tested without the real one.
"""

import os
import sys
from collections.abc import Iterable, Mapping

from cg_extension.drivers.lvm import commands, errors, kinds, sets
from cg_extension.drivers.lvm.machine import Machine, device_behind


def check_members(
    volumes: Mapping[str, commands.LogicalVolume], volume_group: str, names: Iterable[str]
) -> None:
    """See to it that all sources are volumes of this group, of kinds that can be members, in one
    pool or all thick.

    :raises Refusal: one is not.
    """
    missing = [name for name in names if name not in volumes]
    if missing:
        raise errors.Refusal(f"not in volume group {volume_group}: {', '.join(sorted(missing))}")
    obstacles = {name: _obstacle(volumes[name]) for name in names}
    if refused := [
        f"{volume_group}/{name} {reason}" for name, reason in sorted(obstacles.items()) if reason
    ]:
        raise errors.Refusal("; ".join(refused))
    if taken := sets.taken_names(volumes.values()).intersection(names):
        raise errors.Refusal(
            f"a rollback is putting others in the place of {', '.join(sorted(taken))} in volume "
            f"group {volume_group}: wait for its end, or for cg-lvm finish"
        )
    pools = {volumes[name].pool for name in names}
    if len(pools) > 1:
        raise errors.Refusal(
            "members are in different thin pools, or some thin and some thick: "
            + ", ".join(sorted(f"{name} in {volumes[name].pool or 'none'}" for name in names))
        )


def _obstacle(volume: commands.LogicalVolume) -> str | None:
    if sets.is_doomed(volume):
        return "is half-made or half-removed"
    return kinds.obstacle(volume.traits)


def check_own_files(machine: Machine, members: Mapping[str, str], own_paths: Iterable[str]) -> None:
    """See to it that we can go on running while the members are frozen.

    :param members: name by ``major:minor`` of each member's device.
    :param own_paths: files and directories that we read or write ourselves.
    :raises Refusal: a member holds, below a mount or in swap, what we need.
    """
    for device in machine.swaps:
        if found := machine.under(device) & set(members):
            name = members[min(found)]
            raise errors.Refusal(f"{name} holds swap of this machine: swapoff first")
    for path in own_paths:
        if found := machine.under_path(os.path.realpath(path)) & set(members):
            name = members[min(found)]
            if path == _working_directory():
                raise errors.Refusal(f"{name} holds {path}, where this is called: cd elsewhere")
            raise errors.Refusal(
                f"{name} holds {path}, which this program needs while the volume is frozen"
            )


def check_not_below(
    found: Machine, volume_group: str, disks: Iterable[str], members: Mapping[str, str]
) -> None:
    """See to it that no member holds a disk of a volume group with other members.

    While it is held, the snapshots in that group could not be taken.

    :param disks: the paths of the volume group's disks.
    :param members: name by ``major:minor`` of each member's device.
    :raises Refusal: one does.
    """
    for disk in disks:
        if below := found.under(device_behind(disk)) & set(members):
            raise errors.Refusal(
                f"{members[min(below)]} holds {disk}, a disk of volume group {volume_group}: their "
                "volumes can't be held together; take a group snapshot of each"
            )


def suspend_order(machine: Machine, members: Mapping[str, str]) -> list[str]:
    """The members' names in the one order in which they are always suspended.

    A device above another comes first: its suspend flushes to the one below, which must still
    run. Among others the order is that of the names.
    """

    def depth(device: str) -> int:
        """On how many members it lies."""
        return len(machine.under(device) & set(members))

    return [members[device] for device in sorted(members, key=lambda d: (-depth(d), members[d]))]


def parts_of_file_systems(machine: Machine, members: Mapping[str, str]) -> set[str]:
    """The names of members that hold mounted file systems together with other members.

    :param members: name by ``major:minor`` of each member's device.
    """
    found: set[str] = set()
    for mount in machine.mounts:
        parts = machine.under_mount(mount) & set(members)
        # An overlay has no devices of its own: its layers' file systems have.
        if len(mount.devices) > 1 and len(parts) > 1 and mount.kind != "overlay":
            found |= {members[part] for part in parts}
    return found


def own_paths(more: Iterable[str] = ()) -> list[str]:
    """What this process needs: its programs, libraries, open files, and LVM's."""
    paths = {sys.executable, sys.prefix, os.path.dirname(__file__)}
    paths |= {"/usr/sbin", "/lib", "/run", "/dev", "/tmp", *more}  # noqa: S108
    if directory := _working_directory():
        paths.add(directory)
    with open("/proc/self/maps") as maps:
        paths |= {line.split(maxsplit=5)[-1].strip() for line in maps if "/" in line}
    for name in os.listdir("/proc/self/fd"):
        try:
            paths.add(os.readlink(f"/proc/self/fd/{name}"))
        except FileNotFoundError:  # the descriptor of the listing itself
            continue
    return sorted(path for path in paths if path.startswith("/"))


def _working_directory() -> str | None:
    """None: it was removed."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return None
