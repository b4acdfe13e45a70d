# SPDX-License-Identifier: Apache-2.0
"""Who uses volumes: what is mounted from them, what lies on them, which processes have them open.

The kernel's count of a device's users decides; the rest is for people, who want to know whom to
ask. Nothing is changed here.
"""

import contextlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping

from cg_extension.drivers.lvm import machine, privileged, removal
from cg_extension.drivers.lvm.reports import LogicalVolume

_PROCESSES = "/proc"


def find(volumes: Mapping[str, LogicalVolume]) -> list[str]:
    """A sentence about each of the volumes that is in use, with who uses it.

    A device that someone opens just for a moment, as udev does, is waited for.

    :param volumes: by what to call them.
    """
    names = {volume.device_name: name for name, volume in volumes.items() if volume.active}
    numbers = {name: volume.number for name, volume in volumes.items()}
    used = [names[device] for device in removal.kept_open(list(names))]
    return [f"{name} {_use(numbers[name] or '')}" for name in used]


def at(point: str) -> list[str]:
    """The processes that keep what is mounted at ``point`` busy, by what they have open or work in.

    By names, so that no file system is touched that may not answer.
    """

    def uses(process: str) -> bool:
        links = [f"{process}/{name}" for name in ("cwd", "root", "exe")]
        paths = [_target(link) for link in (*links, *_open_files(process))]
        return any(path == point or machine.is_below(path, point) for path in paths)

    return list(_those_that(uses))


@privileged.entrypoint
def _use(number: str) -> str:
    """By whom a device is used, as a predicate."""
    found = machine.read()
    if any(number in found.under(swap) for swap in found.swaps):
        return "holds swap of this machine (swapoff)"
    points = [mount.point for mount in found.mounts if number in found.under_mount(mount)]
    if points:
        return f"is mounted at {', '.join(dict.fromkeys(points))}"
    uses = [f"is mounted at {point} for {who}" for point, who in _mounted_elsewhere(number)]
    above = [_called(device) for device, below in found.below.items() if number in below]
    if above:
        uses.append(f"is in use by {', '.join(sorted(above))}, which lies on it")
    if processes := list(_opened_by(number)):
        uses.append(f"is open in {', '.join(processes)}")
    return " and ".join(uses) or "is in use, by whom can't be seen here (dmsetup info, fuser)"


def _called(number: str) -> str:
    """The name of a device that people know it by."""
    path = f"/sys/dev/block/{number}/dm/name"
    with contextlib.suppress(FileNotFoundError), open(path) as name:
        return f"/dev/mapper/{name.read().strip()}"
    return machine.kernel_name(number)


def _process_ids() -> list[str]:
    return sorted((name for name in os.listdir(_PROCESSES) if name.isdigit()), key=int)


def _who(process: str) -> str:
    with open(f"{_PROCESSES}/{process}/comm", errors="replace") as name:
        return f"process {process} ({name.read().strip()})"


def _mounted_elsewhere(number: str) -> Iterator[tuple[str, str]]:
    """Mount points in other mount namespaces, a container's say, and a process in each."""
    seen = {os.readlink(f"{_PROCESSES}/self/ns/mnt")}
    for process in _process_ids():
        with contextlib.suppress(OSError):  # it has ended
            namespace = os.readlink(f"{_PROCESSES}/{process}/ns/mnt")
            if namespace in seen:
                continue
            seen.add(namespace)
            with open(f"{_PROCESSES}/{process}/mountinfo", "rb") as mounts:
                for line in mounts:
                    fields = machine.fields(line)
                    if fields[2] == number:
                        yield fields[4], _who(process)


def _opened_by(number: str) -> Iterator[str]:
    """The processes that have a block device open."""
    return _those_that(
        lambda process: any(_is_device(file, number) for file in _open_files(process))
    )


def _those_that(use: Callable[[str], bool]) -> Iterator[str]:
    """The processes that ``use`` something, as far as their directories in /proc tell."""
    for process in _process_ids():
        with contextlib.suppress(OSError):  # it has ended
            if use(f"{_PROCESSES}/{process}"):
                yield _who(process)


def _open_files(process: str) -> list[str]:
    """The links to what a process has open, by its directory in /proc."""
    return [f"{process}/fd/{fd}" for fd in os.listdir(f"{process}/fd")]


def _target(link: str) -> str:
    """Where a link leads; nowhere, if it is not there any more."""
    with contextlib.suppress(OSError):
        return os.readlink(link)
    return ""


def _is_device(path: str, number: str) -> bool:
    with contextlib.suppress(OSError):
        status = os.stat(path)
        device = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
        return stat.S_ISBLK(status.st_mode) and device == number
    return False
