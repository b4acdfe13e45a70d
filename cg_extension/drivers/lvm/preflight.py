# SPDX-License-Identifier: Apache-2.0
"""What must hold before any device is frozen, and the order in which to freeze.

Everything here reads; what it reads of the machine (mounts, swap, stacking of devices) comes in
through ``Machine``, so that each rule can be shown without one.
"""

import contextlib
import dataclasses
import os
import sys
from collections.abc import Iterable, Mapping, Sequence

from cg_extension.drivers.lvm import commands, errors

_BLOCK_DEVICES = "/sys/class/block"


@dataclasses.dataclass(frozen=True, slots=True)
class Machine:
    """The machine's block devices, each as ``major:minor``.

    :param below: by device, the devices that it lies on directly.
    :param mounts: mount points and the device of each, the innermost mount of a path last.
    :param swaps: devices that hold swap, as partitions or in files.
    """

    below: Mapping[str, Sequence[str]]
    mounts: Sequence[tuple[str, str]]
    swaps: Sequence[str]

    def under(self, device: str) -> set[str]:
        """The device and all devices that it lies on, directly or not."""
        found: set[str] = set()
        todo = [device]
        while todo:
            current = todo.pop()
            if current not in found:
                found.add(current)
                todo.extend(self.below.get(current, ()))
        return found

    def device_of(self, path: str) -> str | None:
        """The device of the file system that holds ``path``."""
        holder = None
        for point, device in self.mounts:
            if path == point or path.startswith(point.rstrip("/") + "/"):
                holder = device
        return holder


def check_members(
    volumes: Mapping[str, commands.LogicalVolume], volume_group: str, names: Iterable[str]
) -> None:
    """See to it that all sources are volumes of this group, in one pool or all thick.

    :raises Refusal: one is not.
    """
    missing = [name for name in names if name not in volumes]
    if missing:
        raise errors.Refusal(
            f"not in volume group {volume_group}: {', '.join(sorted(missing))}; all members of "
            "a group snapshot must be in one volume group"
        )
    pools = {volumes[name].pool for name in names}
    if len(pools) > 1:
        raise errors.Refusal(
            "members are in different thin pools, or some thin and some thick: "
            + ", ".join(sorted(f"{name} in {volumes[name].pool or 'none'}" for name in names))
        )
    if pools == {None}:
        chained = [name for name in names if volumes[name].origin]
        if chained:
            raise errors.Refusal(
                "LVM takes no snapshot of a thick snapshot: " + ", ".join(sorted(chained))
            )


def check_own_files(machine: Machine, members: Mapping[str, str], own_paths: Iterable[str]) -> None:
    """See to it that we can go on running while the members are frozen.

    :param members: name by ``major:minor`` of each member's device.
    :param own_paths: files and directories that we read or write ourselves.
    :raises Refusal: a member holds, below a mount or in swap, what we need.
    """
    for device in machine.swaps:
        for member in machine.under(device) & set(members):
            raise errors.Refusal(f"{members[member]} holds swap of this machine: swapoff first")
    for path in own_paths:
        holder = machine.device_of(os.path.realpath(path))
        if holder:
            for member in machine.under(holder) & set(members):
                raise errors.Refusal(
                    f"{members[member]} holds {path}, which this program needs while the volume "
                    "is frozen"
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


def own_paths(more: Iterable[str] = ()) -> list[str]:
    """What this process needs: its programs, libraries, open files, and LVM's."""
    paths = {sys.executable, sys.prefix, os.getcwd(), os.path.dirname(__file__)}
    paths |= {"/usr/sbin", "/lib", "/run", "/dev", "/tmp", *more}  # noqa: S108
    with open("/proc/self/maps") as maps:
        paths |= {line.split(maxsplit=5)[-1].strip() for line in maps if "/" in line}
    for name in os.listdir("/proc/self/fd"):
        try:
            paths.add(os.readlink(f"/proc/self/fd/{name}"))
        except FileNotFoundError:  # the descriptor of the listing itself
            continue
    return sorted(path for path in paths if path.startswith("/"))


def read_machine() -> Machine:
    """The machine as it is now, from /proc and /sys."""
    below = {}
    for name in os.listdir(_BLOCK_DEVICES):
        directory = os.path.realpath(f"{_BLOCK_DEVICES}/{name}")
        if os.path.exists(f"{directory}/partition"):
            below[_number(name)] = [_number(os.path.basename(os.path.dirname(directory)))]
        elif os.path.isdir(f"{directory}/slaves"):
            slaves = os.listdir(f"{directory}/slaves")
            below[_number(name)] = [_number(slave) for slave in slaves]
    with open("/proc/self/mountinfo") as mountinfo:
        mounts = [_mount(line) for line in mountinfo]
    for name in os.listdir(_BLOCK_DEVICES):
        with (
            contextlib.suppress(FileNotFoundError),
            open(f"{_BLOCK_DEVICES}/{name}/loop/backing_file") as backing_file,
        ):
            below[_number(name)] = [device_behind(backing_file.read().strip())]
    with open("/proc/swaps") as swaps:
        paths = [line.split()[0] for line in swaps.readlines()[1:]]
    return Machine(below, mounts, [device_behind(path) for path in paths if os.path.exists(path)])


def is_mounted(path: str) -> bool:
    """Whether a block device holds a mounted file system, in whatever mount namespace.

    Known of those that show themselves in /sys/fs, as ext4 and XFS do.
    """
    # The kernel's name; where udev does not make it, the path is no link to that.
    name = os.path.basename(os.path.realpath(f"/sys/dev/block/{device_behind(path)}"))
    return any(os.path.exists(f"/sys/fs/{kind}/{name}") for kind in os.listdir("/sys/fs"))


def _number(block_device: str) -> str:
    with open(f"{_BLOCK_DEVICES}/{block_device}/dev") as file:
        return file.read().strip()


def _mount(line: str) -> tuple[str, str]:
    """One line of mountinfo (proc_pid_mountinfo(5)): the mount point and the device."""
    fields = line.split()
    point = fields[4].encode().decode("unicode_escape")
    source = fields[fields.index("-") + 2]
    # Some file systems (btrfs) show a device number of their own; their source is the device.
    if source.startswith("/dev/") and os.path.exists(source):
        return point, device_behind(source)
    return point, fields[2]


def device_behind(path: str) -> str:
    """The number of a block device, or of the device that holds a file."""
    status = os.stat(path)
    number = status.st_rdev or status.st_dev
    return f"{os.major(number)}:{os.minor(number)}"
