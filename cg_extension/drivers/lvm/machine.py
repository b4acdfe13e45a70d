# SPDX-License-Identifier: Apache-2.0
"""The machine's block devices and mounts, from /proc and /sys: what lies on what.

And what belongs where, mounted or not, by fstab(5) and systemd.mount(5).

Nothing is judged or changed here. Paths are bytes that any user may have chosen, by a mount of FUSE
or in a user namespace: only the kernel's own separators count, which it writes as octal escapes
within them.
"""

import contextlib
import dataclasses
import errno
import glob
import os
import pathlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

_BLOCK_DEVICES = "/sys/class/block"
_FILE_SYSTEMS = "/sys/fs"
_MOUNTINFO = "/proc/self/mountinfo"
_FSTAB = "/etc/fstab"
# Where an administrator puts units; those that packages bring are of the system itself.
_UNIT_DIRECTORIES = ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system")
_SOURCE_OF_UNIT = re.compile(r"^What\s*=\s*(\S.*?)\s*$", re.MULTILINE)
_SWAPS = "/proc/swaps"

_DEVICES_BY_NUMBER = "/sys/dev/block"
# Device-mapper's UUID of a logical volume: those of its group and of itself, without dashes, and
# perhaps a suffix. Its name doubles dashes; a device that LVM keeps below it has a third part.
_DM_UUID = re.compile(r"LVM-[A-Za-z0-9]{32}([A-Za-z0-9]{32})(-[a-z]+)?")
# Where LVM puts dashes in a UUID.
_UUID_PARTS = ((0, 6), (6, 10), (10, 14), (14, 18), (18, 22), (22, 26), (26, 32))
_DM_NAME = re.compile(r"((?:[^-]|--)+)-((?:[^-]|--)+)")


@dataclasses.dataclass(frozen=True, slots=True)
class Mount:
    """A file system mounted at ``point``.

    :param devices: all that it lies on: that of an overlay are those of its layers.
    :param kind: its type, as in mountinfo.
    :param source: what mountinfo has as its source.
    :param root: the directory of the file system that is mounted there.
    """

    point: str
    devices: Sequence[str]
    kind: str = ""
    source: str = ""
    root: str = "/"


class Entry(NamedTuple):
    """Where something is mounted at boot, or when it is asked for.

    :param told_by: fstab(5), or the file of a unit of systemd's.
    """

    source: str
    point: str
    is_automatic: bool
    told_by: str = _FSTAB

    @property
    def remedy(self) -> str:
        """The command that mounts it."""
        return f"{'mount' if self.told_by == _FSTAB else 'systemctl start'} {self.point}"


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
        mount = self.mount_of(path)
        return self.under_mount(mount) if mount else set()

    def under_mount(self, mount: Mount) -> set[str]:
        """All devices that a mounted file system lies on."""
        return set().union(*map(self.under, mount.devices))

    def mount_of(self, path: str) -> Mount | None:
        """The mounted file system that holds ``path``, which has no symbolic link in it."""
        return _mount_of(self.mounts, path)


def read() -> Machine:
    """The machine as it is now, from /proc and /sys."""
    below: dict[str, list[str]] = {}
    for name in os.listdir(_BLOCK_DEVICES):
        with _unless_gone():
            below[_number(name)] = _below(name)
    mounts: list[Mount] = []
    with open(_MOUNTINFO, "rb") as mountinfo:
        for line in mountinfo:
            mounts.append(_mount(line, mounts))
    with open(_SWAPS, "rb") as swaps:
        paths = [fields(line)[0] for line in swaps.readlines()[1:]]
    return Machine(below, mounts, [device_behind(path) for path in paths if os.path.exists(path)])


def belongings() -> list[Entry]:
    """What belongs where, mounted or not, by fstab(5) and by systemd's units."""
    found = list(_of_units())
    with contextlib.suppress(FileNotFoundError), open(_FSTAB, errors="surrogateescape") as file:
        found[:0] = entries(file)
    return found


def entries(lines: Iterable[str]) -> Iterator[Entry]:
    """The lines of fstab(5) that have a mount point."""
    for line in lines:
        words = [_unescaped(word) for word in line.partition("#")[0].split()]
        if len(words) >= 2 and words[1].startswith("/"):
            yield Entry(words[0], words[1], "noauto" not in "".join(words[3:4]).split(","))


def _of_units() -> Iterator[Entry]:
    """What systemd.mount(5) units have; one that is masked, or has no source, has nothing."""
    units: dict[str, pathlib.Path] = {}
    for directory in map(pathlib.Path, _UNIT_DIRECTORIES):
        for path in sorted(directory.glob("*.mount")):
            units.setdefault(path.name, path)
    for name, path in units.items():
        try:
            source = _SOURCE_OF_UNIT.search(path.read_text(errors="surrogateescape"))
        except OSError:  # of a link that leads nowhere, say
            continue
        if source:
            wanted = (
                link
                for directory in _UNIT_DIRECTORIES
                for kind in ("wants", "requires")
                for link in pathlib.Path(directory).glob(f"*.{kind}/{glob.escape(name)}")
            )
            yield Entry(source[1], _point_of_unit(path.stem), any(wanted), str(path))


def _point_of_unit(stem: str) -> str:
    """The path that a unit is named after, as systemd.unit(5) has it."""
    path = os.fsencode("/" + stem.strip("-").replace("-", "/"))
    plain = re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), path)
    return os.fsdecode(plain)


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
    with _unless_gone(), open(f"{directory}/loop/backing_file", "rb") as backing_file:
        below.append(device_behind(os.fsdecode(backing_file.read().removesuffix(b"\n"))))
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
    name = os.path.basename(os.path.realpath(f"{_DEVICES_BY_NUMBER}/{device_behind(path)}"))
    return any(
        os.path.exists(f"{_FILE_SYSTEMS}/{kind}/{name}") for kind in os.listdir(_FILE_SYSTEMS)
    )


def _number(block_device: str) -> str:
    with open(f"{_BLOCK_DEVICES}/{block_device}/dev") as file:
        return file.read().strip()


def fields(line: bytes) -> list[str]:
    """The fields of a line of /proc that has paths among them."""
    return [_unescaped(word) for word in os.fsdecode(line.removesuffix(b"\n")).split(" ")]


def _unescaped(word: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), word)


def _mount(line: bytes, others: Sequence[Mount]) -> Mount:
    """One line of mountinfo (proc_pid_mountinfo(5)); ``others`` are those before it.

    A file system on several devices, or on other file systems, has a device number of its own, of
    major 0, and its source tells a device. Of others the number does: their source is what was said
    when they were mounted, and may be another volume's name by now.
    """
    words = fields(line)
    point, number, root = words[4], words[2], words[3]
    kind, source, options = words[words.index("-", 6) + 1 :][:3]
    if kind == "overlay":
        layers = [_mount_of(others, layer) for layer in _layers(options)]
        devices = [number for layer in layers if layer for number in layer.devices]
        return Mount(point, devices, kind, source, root)
    if number.startswith("0:") and source.startswith("/dev/") and os.path.exists(source):
        number = device_behind(source)
    if kind == "btrfs":
        return Mount(point, _btrfs_devices(number), kind, source, root)
    return Mount(point, [number, *_other_devices(kind, options)], kind, source, root)


def is_below(path: str, directory: str) -> bool:
    """Whether a path lies below a directory, by their names alone."""
    return path.startswith(directory.rstrip("/") + "/")


def _mount_of(mounts: Iterable[Mount], path: str) -> Mount | None:
    found = None
    for mount in mounts:
        if path == mount.point or is_below(path, mount.point):
            found = mount
    return found


def _layers(options: str) -> list[str]:
    """The directories of an overlay that can be seen from here; a container's can't."""
    layers = []
    for option in options.split(","):
        name, _equals, paths = option.partition("=")
        if name.rstrip("+") in ("lowerdir", "upperdir"):
            layers += paths.split(":")
    return [os.path.realpath(layer) for layer in layers if os.path.exists(layer)]


def _other_devices(kind: str, options: str) -> list[str]:
    """The devices of an XFS besides its own: for its log and for its realtime files (xfs(5))."""
    if kind != "xfs":
        return []
    pairs = (option.partition("=") for option in options.split(","))
    paths = [path for name, _equals, path in pairs if name in ("logdev", "rtdev")]
    return [device_behind(path) for path in paths if os.path.exists(path)]


def _btrfs_devices(number: str) -> list[str]:
    """All devices of the file system that the device with ``number`` belongs to."""
    for file_system in pathlib.Path(_FILE_SYSTEMS, "btrfs").glob("*/devices"):
        numbers = [_number(device.name) for device in file_system.iterdir()]
        if number in numbers:
            return numbers
    return [number]


def device_behind(path: str | int) -> str:
    """The number of a block device, or of the device that holds a file; also of a descriptor."""
    status = os.stat(path)
    number = status.st_rdev or status.st_dev
    return f"{os.major(number)}:{os.minor(number)}"


def volume_of(number: str) -> tuple[str, str] | None:
    """The names of the volume group and the logical volume that a device is; None: of none."""
    try:
        uuid, name = (
            pathlib.Path(_DEVICES_BY_NUMBER, number, "dm", file).read_text().strip()
            for file in ("uuid", "name")
        )
    except FileNotFoundError:
        return None
    names = _DM_NAME.fullmatch(name)
    if not names or not _DM_UUID.fullmatch(uuid):
        return None
    group, volume = (word.replace("--", "-") for word in names.groups())
    return group, volume


def name_of(number: str, of: str) -> str | None:
    """Device-mapper's name of a device whose UUID there begins with ``of``; None: it is no such."""
    directory = pathlib.Path(_DEVICES_BY_NUMBER, number, "dm")
    try:
        uuid, name = ((directory / file).read_text().strip() for file in ("uuid", "name"))
    except FileNotFoundError:
        return None
    return name if uuid.startswith(of) else None


def volume_uuid(path: str | int) -> str | None:
    """LVM's UUID of the logical volume whose device this is; None: it is not one.

    :param path: of the device, or a descriptor of it.
    """
    try:
        number = device_behind(path)
        uuid = pathlib.Path(_DEVICES_BY_NUMBER, number, "dm", "uuid").read_text().strip()
    except FileNotFoundError:
        return None
    found = _DM_UUID.fullmatch(uuid)
    return "-".join(found[1][start:end] for start, end in _UUID_PARTS) if found else None


def kernel_name(number: str) -> str:
    """The kernel's name of a device, for messages; its number, if the kernel has none."""
    path = os.path.join(_DEVICES_BY_NUMBER, number)
    return f"/dev/{os.path.basename(os.path.realpath(path))}" if os.path.exists(path) else number
