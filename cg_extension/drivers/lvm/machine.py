# SPDX-License-Identifier: Apache-2.0
"""The machine's block devices and mounts, from /proc and /sys: what lies on what.

Nothing is judged or changed here.
"""

import contextlib
import dataclasses
import errno
import os
import pathlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

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
        return set().union(*map(self.under, holder_of(self.mounts, path)))


def read() -> Machine:
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
        return point, [number for layer in layers for number in holder_of(others, layer)]
    if source.startswith("/dev/") and os.path.exists(source):
        number = device_behind(source)
    if kind == "btrfs":
        return point, _btrfs_devices(number)
    return point, [number]


def holder_of(mounts: Iterable[Mount], path: str) -> Sequence[str]:
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
