# SPDX-License-Identifier: Apache-2.0
"""What people call the thing to snapshot, and the logical volumes that this means.

A member is said as ``VG/LV``, or as a path: of a device, of a mount point, directory or file. A
path stands for all logical volumes that the file system with it lies on, whatever is between: LUKS,
a partition, a loop device, a file system on several of them. Of stacked logical volumes it is the
uppermost. What lies on none, or in part on something else, is refused by name; so is a path where
another file system belongs, by fstab(5) or systemd, that is not mounted.
"""

import contextlib
import dataclasses
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence

from cg_extension.drivers.lvm import errors, machine

# A volume group and a logical volume in it.
Volume = tuple[str, str]

# What LVM takes as the name of a volume group or a volume.
_NAME = re.compile(r"[A-Za-z0-9+_.][A-Za-z0-9+_.-]*")

# File systems that hold nothing which a snapshot could.
_IN_MEMORY = frozenset(
    (
        *("autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts"),
        *("devtmpfs", "efivarfs", "fusectl", "hugetlbfs", "mqueue", "nsfs", "proc", "pstore"),
        *("ramfs", "rpc_pipefs", "securityfs", "selinuxfs", "sysfs", "tmpfs", "tracefs"),
    )
)


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """The volumes that were meant, each once, and what the user should know of them.

    ``seen`` is the machine by which they were found.
    """

    volumes: Sequence[Volume]
    warnings: Sequence[str]
    seen: machine.Machine

    @property
    def groups(self) -> list[str]:
        """The names of the volume groups, each once."""
        return list(dict.fromkeys(group for group, _name in self.volumes))


def find(words: Iterable[str], with_submounts: bool = False) -> Found:
    """What these words mean.

    :param with_submounts: take what is mounted below a directory along; else it is only named.
    :raises Refusal: a word means no logical volume; says what it means.
    """
    wanted = list(words)
    for word in wanted:
        if _is_path(word) and os.path.isdir(word):
            with contextlib.suppress(OSError):  # have autofs mount what belongs there
                os.scandir(word).close()
    return _Search(machine.read(), with_submounts).find(wanted)


class _Search:
    def __init__(self, found: machine.Machine, with_submounts: bool) -> None:
        self._machine = found
        there = {mount.point for mount in found.mounts if mount.kind != "autofs"}
        # Where a file system belongs that is not mounted.
        points = ((os.path.realpath(entry.point), entry) for entry in machine.belongings())
        self._absent = [(point, entry) for point, entry in points if point not in there]
        self._with_submounts = with_submounts
        self._warnings: list[str] = []

    def find(self, words: Iterable[str]) -> Found:
        meant = {word: self._meant_by(word) for word in words}
        volumes = dict.fromkeys(volume for found in meant.values() for volume in found)
        for word in meant:
            if _is_path(word) and os.path.isdir(word):
                for mount in self._below(os.path.realpath(word)):
                    self._look_at_submount(word, mount, volumes)
                self._look_for_absent_submounts(word)
        self._look_for_other_parts(volumes)
        return Found(list(volumes), list(dict.fromkeys(self._warnings)), self._machine)

    def _meant_by(self, word: str) -> list[Volume]:
        if not _is_path(word):
            return [_named(word)]
        try:
            status = os.stat(word)
        except OSError as error:
            group, slash, volume = word.removeprefix("/dev/").partition("/")
            # The device of a volume that is not active is not there.
            if word.startswith("/dev/") and slash and is_name(volume) and group != "mapper":
                return [(group, volume)]
            hint = "" if "/" in word else "; a volume is said as VG/LV"
            raise errors.Refusal(f"{word}: {error.strerror}{hint}") from error
        if stat.S_ISBLK(status.st_mode):
            number = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
            return self._under([number], f"{word} is")
        if stat.S_ISCHR(status.st_mode):
            raise errors.Refusal(f"{word} is a character device, and on no logical volume")
        return self._of_file_system(word)

    def _of_file_system(self, path: str) -> list[Volume]:
        real = os.path.realpath(path)
        mount = self._machine.mount_of(real)
        if mount is None or not mount.devices:
            raise errors.Refusal(f"{path} is in a file system whose devices are not known here")
        for point, absent in self._absent:
            is_in_it = real == point or machine.is_below(real, point)
            if is_in_it and self._machine.mount_of(point) is mount:
                raise errors.Refusal(
                    f"{path} is in the {mount.kind} at {mount.point}, as {absent.source}, which "
                    f"{absent.told_by} has at {absent.point}, is not mounted: {absent.remedy}"
                )
        if not self._is_on_devices(mount):
            what = (
                mount.kind
                if mount.source in (mount.kind, "none")
                else (f"{mount.kind} of {mount.source}")
            )
            raise errors.Refusal(
                f"{path} is in a {what}, mounted at {mount.point}, and on no logical volume"
            )
        return self._under(mount.devices, f"{path} is in the {mount.kind} at {mount.point},")

    def _is_on_devices(self, mount: machine.Mount) -> bool:
        return any(number in self._machine.below for number in mount.devices)

    def _under(self, numbers: Iterable[str], what: str) -> list[Volume]:
        """The uppermost logical volumes on which devices lie."""
        found: list[Volume] = []
        for number in numbers:
            volume = machine.volume_of(number)
            below = self._machine.below.get(number, ())
            if volume is not None:
                found.append(volume)
            elif below:
                found += self._under(below, what)
            else:
                raise errors.Refusal(
                    f"{what} on {machine.kernel_name(number)}, which is no logical volume"
                )
        return found

    def _below(self, directory: str) -> Iterator[machine.Mount]:
        """What is mounted below a directory and can be seen there."""
        for mount in self._machine.mounts:
            if (
                machine.is_below(mount.point, directory)
                and self._machine.mount_of(mount.point) is mount
            ):
                yield mount

    def _look_at_submount(
        self, word: str, mount: machine.Mount, volumes: dict[Volume, None]
    ) -> None:
        if mount.kind in _IN_MEMORY or not mount.devices:
            return
        try:
            found = self._of_file_system(mount.point)
        except errors.Refusal as refusal:
            self._warnings.append(f"not in it, although it is below {word}: {refusal}")
            return
        if self._with_submounts:
            volumes.update(dict.fromkeys(found))
        elif others := _shown(volume for volume in found if volume not in volumes):
            self._warnings.append(
                f"not in it, although it is below {word}: {mount.point}, which is on {others} "
                "(--with-submounts takes it along)"
            )

    def _look_for_absent_submounts(self, word: str) -> None:
        directory = os.path.realpath(word)
        for point, absent in self._absent:
            if absent.is_automatic and machine.is_below(point, directory):
                self._warnings.append(
                    f"not in it, although it belongs below {word} by {absent.told_by}: "
                    f"{absent.point}, which is not mounted"
                )

    def _look_for_other_parts(self, volumes: dict[Volume, None]) -> None:
        """Warn of a file system of which only a part is taken; it would be of no use."""
        for mount in self._machine.mounts:
            if len(mount.devices) < 2 or mount.kind == "overlay":
                continue
            try:
                parts = self._under(mount.devices, "")
            except errors.Refusal:
                continue
            taken = _shown(part for part in parts if part in volumes)
            others = _shown(part for part in parts if part not in volumes)
            if taken and others:
                self._warnings.append(
                    f"{taken} holds only a part of the {mount.kind} at {mount.point}; the rest is "
                    f"on {others}"
                )


def _is_path(word: str) -> bool:
    return word.startswith(("/", "./", "../")) or "/" not in word


def is_name(word: str) -> bool:
    """Whether LVM takes it as the name of a volume group or a volume."""
    return bool(_NAME.fullmatch(word)) and word not in (".", "..")


def _named(word: str) -> Volume:
    group, _slash, volume = word.partition("/")
    if is_name(group) and is_name(volume):
        return group, volume
    raise errors.Refusal(f"not VG/LV: {word}; a path begins with / or ./")


def _shown(volumes: Iterable[Volume]) -> str:
    return ", ".join(dict.fromkeys("/".join(volume) for volume in volumes))
