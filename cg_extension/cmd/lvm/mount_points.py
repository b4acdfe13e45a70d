# SPDX-License-Identifier: Apache-2.0
"""Where the file system of a volume belongs: where it was mounted when its snapshot was taken.

That is kept with the snapshot, in the tag ``cg-lvm.at=PATH``. For those that have none it is where
the original is mounted now, or what fstab(5) or a unit of systemd's says of it.
"""

import re
import string
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from cg_extension.cmd.lvm import naming
from cg_extension.drivers.lvm import machine
from cg_extension.drivers.lvm.reports import LogicalVolume

if TYPE_CHECKING:
    from cg_extension.cmd.lvm import file_systems

AT = "cg-lvm.at="
# How device-mapper's UUID of an opened LUKS begins.
_LUKS_DEVICE = "CRYPT-LUKS"

# Of what lvm(8) allows in a tag; & begins an escape.
_PLAIN = frozenset(map(ord, string.ascii_letters + string.digits + "_+./-"))
# Characters of a tag, with what stands before the path.
_LONGEST = 1000

# Mount points by volume group and volume.
Points = Mapping[tuple[str, str], str]


def quote(path: str) -> str | None:
    """A path as LVM takes it in a tag; None: it is too long."""
    quoted = "".join(
        chr(byte) if byte in _PLAIN else f"&{byte:02x}"
        for byte in path.encode(errors="surrogateescape")
    )
    return quoted if len(quoted) <= _LONGEST else None


def unquote(quoted: str) -> str:
    """The path that was quoted."""
    plain = re.sub(rb"&([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), quoted.encode())
    return plain.decode(errors="surrogateescape")


def tags(points: Points, group: str, volume: str) -> list[str]:
    """The tag of a new snapshot of a volume, if that is mounted."""
    quoted = quote(points.get((group, volume), ""))
    return [f"{AT}{quoted}"] if quoted else []


def of(found: machine.Machine) -> dict[tuple[str, str], str]:
    """Where volumes are mounted, as themselves or what is in their LUKS: the first place."""
    points: dict[tuple[str, str], str] = {}
    for mount in found.mounts:
        if mount.root == "/" and mount.kind != "overlay":
            for number in mount.devices:
                if volume := _volume_of(found, number):
                    points.setdefault(volume, mount.point)
    return points


def of_snapshot(
    group: str, snapshot: LogicalVolume, content: "file_systems.Content", points: Points
) -> str | None:
    """Where the file system in a snapshot belongs; None: that is not known."""
    recorded = naming.tag_value(snapshot, AT)
    if recorded:
        return unquote(recorded)
    source = naming.tag_value(snapshot, naming.SOURCE) or ""
    return points.get((group, source)) or belongs_at(machine.belongings(), group, source, content)


def _volume_of(found: machine.Machine, number: str) -> tuple[str, str] | None:
    """The volume that a device is, or whose LUKS it is."""
    volume = machine.volume_of(number)
    if volume is None and machine.name_of(number, _LUKS_DEVICE):
        below = found.below.get(number, ())
        return _volume_of(found, below[0]) if len(below) == 1 else None
    return volume


def belongs_at(
    entries: Iterable[machine.Entry], group: str, source: str, content: "file_systems.Content"
) -> str | None:
    """Where a volume with this content is mounted at boot, or when it is asked for."""
    doubled = (word.replace("-", "--") for word in (group, source))
    names = {f"/dev/{group}/{source}", f"/dev/mapper/{'-'.join(doubled)}"}
    names |= {f"UUID={content.uuid}"} if content.uuid else set()
    names |= {f"LABEL={content.label}"} if content.label else set()
    return next((e.point for e in entries if e.source.replace('"', "") in names), None)
