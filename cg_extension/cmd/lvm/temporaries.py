# SPDX-License-Identifier: Apache-2.0
"""Volumes that are thrown away, whatever dies: stand-ins and the scratch volumes of a selftest.

They carry the tag ``cg-lvm.temporary=BOOT-PID-START`` (``sets.process``): once that process is
gone, any ``cg-lvm`` command that changes something in the volume group removes them. On a volume
may be an overlay, a device of device-mapper's, and on either an opened LUKS; their names are made
of the volume's.
"""

import os
import sys
from collections.abc import Mapping, Sequence

from cg_extension.cmd.lvm import naming, programs
from cg_extension.drivers.lvm import commands, errors, removal, sets
from cg_extension.drivers.lvm.reports import LogicalVolume

TEMPORARY = "cg-lvm.temporary="

_PREFIX = "cgtmp-"
# The first process, which lasts until the machine goes down.
_INIT = 1


def tag(pid: int | None = None) -> str:
    """The tag of volumes that go when a process ends, this one by default."""
    return f"{TEMPORARY}{sets.process(pid or os.getpid())}"


def new_name() -> str:
    """A name for a volume that is thrown away."""
    return commands.new_name(_PREFIX)


def overlay_name(group: str, volume: str) -> str:
    """Device-mapper's name of the overlay on a volume."""
    return f"{commands.device_name(group, volume)}-overlay"


def luks_name(device: str) -> str:
    """Device-mapper's name of the opened LUKS on a device."""
    return f"{device}-luks"


def remove(removing: removal.Removal, names: Sequence[str]) -> None:
    """Remove temporary volumes and what is on them.

    :raises LVMError: one is in use; then all of them stay.
    """
    for name in names:
        overlay = overlay_name(removing.group.name, name)
        for device in (commands.device_name(removing.group.name, name), overlay):
            if os.path.exists(f"/dev/mapper/{luks_name(device)}"):
                programs.run("cryptsetup", "close", luks_name(device))
        if os.path.exists(f"/dev/mapper/{overlay}"):
            programs.run("dmsetup", "remove", "--retry", overlay)
    removing.delete(names)


def remove_or_leave(removing: removal.Removal, names: Sequence[str]) -> None:
    """Remove them; what can't be removed now is told, and left to the next command."""
    try:
        remove(removing, names)
    except errors.LVMError as error:
        print(
            f"cg-lvm: left to the next command, in volume group {removing.group.name}: {error}",
            file=sys.stderr,
        )


def keep_until_reboot(group: commands.VolumeGroup, names: Sequence[str]) -> None:
    """Let temporary volumes of this process outlast it, until the machine goes down."""
    words = ["--addtag", tag(_INIT), "--deltag", tag()]
    group.run("lvchange", *words, *group.qualified(names))


def of_this_process(volumes: Mapping[str, LogicalVolume]) -> list[str]:
    """The names of the temporary volumes of this process, of all volumes of a group."""
    return [volume.name for volume in volumes.values() if tag() in volume.tags]


def orphaned(volumes: Mapping[str, LogicalVolume]) -> list[str]:
    """The names of what a process that is gone has left, of all volumes of a group."""
    return [
        volume.name
        for volume in volumes.values()
        if sets.OWNED in volume.tags
        and sets.is_gone(naming.tag_value(volume, TEMPORARY) or "")
        and not sets.is_doomed(volume)
    ]


def remove_orphaned(removing: removal.Removal, volumes: Mapping[str, LogicalVolume]) -> None:
    """Remove what a process that is gone has left in a volume group with these volumes."""
    if names := orphaned(volumes):
        remove_or_leave(removing, names)
