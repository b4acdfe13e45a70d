# SPDX-License-Identifier: Apache-2.0
"""What must hold before any device is frozen, and the order in which to freeze.

Nothing is changed here. What is known of the machine (mounts, swap, stacking of devices) comes in
through ``Machine``, so that each rule can be tested without the real one.
"""

import contextlib
import dataclasses
import errno
import os
import pathlib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

from cg_extension.drivers.lvm import commands, errors, kinds, sets

_BLOCK_DEVICES = "/sys/class/block"
_FILE_SYSTEMS = "/sys/fs"
_MOUNTINFO = "/proc/self/mountinfo"

# Where a path is mounted, and the devices that the file system there lies on.
Mount = tuple[str, Sequence[str]]


@dataclasses.dataclass(frozen=True, slots=True)
class Machine:
    """The machine's block devices, each as ``major:minor``.

    :param below: by device, the devices that it lies on directly.
    :param mounts: mount points and the devices of each, the innermost mount of a path last.
    :param swaps: devices that hold swap, as partitions or in files.
    """

    below: Mapping[str, Sequence[str]]
    mounts: Sequence[Mount]
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

    def under_path(self, path: str) -> set[str]:
        """All devices that the file system with ``path`` lies on."""
        return set().union(*map(self.under, _holder(self.mounts, path)))


def check_members(
    volumes: Mapping[str, commands.LogicalVolume], volume_group: str, names: Iterable[str]
) -> None:
    """See to it that all sources are volumes of this group, of kinds that can be members, in one
    pool or all thick.

    :raises Refusal: one is not.
    """
    missing = [name for name in names if name not in volumes]
    if missing:
        raise errors.Refusal(
            f"not in volume group {volume_group}: {', '.join(sorted(missing))}; all members of "
            "a group snapshot must be in one volume group"
        )
    obstacles = {name: _obstacle(volumes[name]) for name in names}
    if refused := [f"{name} {reason}" for name, reason in sorted(obstacles.items()) if reason]:
        raise errors.Refusal("; ".join(refused))
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
            raise errors.Refusal(
                f"{name} holds {path}, which this program needs while the volume is frozen"
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
    below: dict[str, list[str]] = {}
    for name in os.listdir(_BLOCK_DEVICES):
        with _unless_gone():
            below[_number(name)] = _below(name)
    mounts: list[Mount] = []
    with open(_MOUNTINFO, "rb") as mountinfo:
        for line in mountinfo:
            mounts.append(_mount(os.fsdecode(line), mounts))
    with open("/proc/swaps") as swaps:
        paths = [line.split()[0] for line in swaps.readlines()[1:]]
    return Machine(below, mounts, [device_behind(path) for path in paths if os.path.exists(path)])


def _below(block_device: str) -> list[str]:
    """What a disk, partition or loop device lies on directly."""
    directory = os.path.realpath(f"{_BLOCK_DEVICES}/{block_device}")
    if os.path.exists(f"{directory}/partition"):
        return [_number(os.path.basename(os.path.dirname(directory)))]
    below = []
    with _unless_gone():
        for slave in os.listdir(f"{directory}/slaves"):
            with _unless_gone():
                below.append(_number(slave))
    with _unless_gone(), open(f"{directory}/loop/backing_file") as backing_file:
        below.append(device_behind(backing_file.read().strip()))
    return below


@contextlib.contextmanager
def _unless_gone() -> Iterator[None]:
    """Devices come and go while /sys is read; a file that is open by then gives ENODEV."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENODEV):
            raise


def is_mounted(path: str) -> bool:
    """Whether a block device holds a mounted file system, in whatever mount namespace.

    Seen only of file systems that have an entry in /sys/fs, as ext4 and XFS do.
    """
    # The kernel's name of the device; without udev, ``path`` is not a link to that name.
    name = os.path.basename(os.path.realpath(f"/sys/dev/block/{device_behind(path)}"))
    return any(
        os.path.exists(f"{_FILE_SYSTEMS}/{kind}/{name}") for kind in os.listdir(_FILE_SYSTEMS)
    )


def _number(block_device: str) -> str:
    with open(f"{_BLOCK_DEVICES}/{block_device}/dev") as file:
        return file.read().strip()


def _mount(line: str, others: Sequence[Mount]) -> Mount:
    """One line of mountinfo (proc_pid_mountinfo(5)); ``others`` are those before it.

    A file system on several devices, or on other file systems, has a device number of its own.
    """
    # Blanks and the like are written as octal escapes.
    fields = [re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), field) for field in line.split()]
    point, number = fields[4], fields[2]
    kind, source, options = fields[fields.index("-") + 1 :][:3]
    if kind == "overlay":
        layers = _layers(options)
        return point, [number for layer in layers for number in _holder(others, layer)]
    if source.startswith("/dev/") and os.path.exists(source):
        number = device_behind(source)
    if kind == "btrfs":
        return point, _btrfs_devices(number)
    return point, [number]


def _holder(mounts: Iterable[Mount], path: str) -> Sequence[str]:
    """The devices of the file system that holds ``path``."""
    holder: Sequence[str] = ()
    for point, devices in mounts:
        if path == point or path.startswith(point.rstrip("/") + "/"):
            holder = devices
    return holder


def _layers(options: str) -> list[str]:
    """The directories of an overlay that can be seen from here; a container's can't."""
    layers = []
    for option in options.split(","):
        name, _equals, paths = option.partition("=")
        if name.rstrip("+") in ("lowerdir", "upperdir"):
            layers += paths.split(":")
    return [os.path.realpath(layer) for layer in layers if os.path.exists(layer)]


def _btrfs_devices(number: str) -> list[str]:
    """All devices of the file system that the device with ``number`` belongs to."""
    for file_system in pathlib.Path(_FILE_SYSTEMS, "btrfs").glob("*/devices"):
        numbers = [_number(device.name) for device in file_system.iterdir()]
        if number in numbers:
            return numbers
    return [number]


def device_behind(path: str) -> str:
    """The number of a block device, or of the device that holds a file."""
    status = os.stat(path)
    number = status.st_rdev or status.st_dev
    return f"{os.major(number)}:{os.minor(number)}"
