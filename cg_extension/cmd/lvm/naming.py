# SPDX-License-Identifier: Apache-2.0
"""What is called what, and which tags tell what belongs together.

Volume ``LV`` in group snapshot or clone ``NAME`` is called ``LV.NAME``, in the volume group of
``LV``. Volumes of several volume groups that were made together are of one set (``sets``).
"""

import contextlib
import dataclasses
import os
import pwd
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from cg_extension.contract import consistency
from cg_extension.drivers import exceptions
from cg_extension.drivers.lvm import at_work, commands, receipts, removal, sets
from cg_extension.drivers.lvm.reports import LogicalVolume

# Tags: what a volume belongs to, what it was made of, and how many belong together.
SNAPSHOT = "cg-lvm.snapshot="
CLONE = "cg-lvm.clone="
SOURCE = "cg-lvm.source="
MEMBERS = "cg-lvm.members="
# Tags of the receipt, beside those of ``receipts``: who asked, and what the content is worth.
BY = "cg-lvm.by="
CONSISTENCY = "cg-lvm.consistency="
CRASH_CONSISTENT = consistency.CRASH_CONSISTENT
# Which profile's run took it (``profiles``).
PROFILE = "cg-lvm.profile="
KINDS = {SNAPSHOT: "snapshot", CLONE: "clone"}

# Characters of device-mapper's name of a device, and the longest suffix of a device below a volume.
# What LVM itself refuses as too long, as an internal error of its own, is longer.
_LONGEST, _LAYER = 127, "real"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9+_.-]*")
# What LVM keeps for names of its own, in any place: those of all releases (lvm-string.c).
_RESERVED = re.compile(
    "_(cdata|cmeta|corig|cpool|cvol|imeta|iorig|mimage|mlog|pmspare|rimage|rmeta|tdata|tmeta"
    "|vdata|vorigin|wcorig)"
)
# What lvm(8) allows in a tag.
_UNFIT = re.compile(r"[^A-Za-z0-9_+.\-/=!:&#]")

# Volumes by name, by volume group.
Volumes = Mapping[str, Mapping[str, LogicalVolume]]


class UsageError(exceptions.DriverRefusal):
    """What was asked for makes no sense; nothing was changed."""


@dataclasses.dataclass(frozen=True, slots=True)
class Family:
    """A group snapshot or a clone: its volumes, each with its volume group.

    :param prefix: SNAPSHOT or CLONE.
    """

    prefix: str
    name: str
    members: Sequence[tuple[str, LogicalVolume]]

    @property
    def kind(self) -> str:
        """``snapshot`` or ``clone``."""
        return KINDS[self.prefix]

    @property
    def groups(self) -> list[str]:
        """The names of its volume groups."""
        return sorted({group for group, _volume in self.members})

    @property
    def is_complete(self) -> bool:
        """Whether these are all members, finished."""
        finished = [volume for _group, volume in self.members if not sets.is_doomed(volume)]
        counts = {tag_value(volume, MEMBERS) for _group, volume in self.members}
        return counts == {str(len(finished))}

    @property
    def is_all_here(self) -> bool:
        """Whether as many are here as belong together."""
        counts = {tag_value(volume, MEMBERS) for _group, volume in self.members}
        return counts == {str(len(self.members))}

    def of_group(self, group: str) -> list[LogicalVolume]:
        """The members in a volume group."""
        return [volume for name, volume in self.members if name == group]


def no_volume(group: str, name: str) -> UsageError:
    """What to raise for a volume that is not there."""
    return UsageError(f"there is no volume {name} in volume group {group}")


@contextlib.contextmanager
def claimed(prefix: str, name: str, groups: Iterable[str]) -> Iterator[None]:
    """Be the only command that makes something of this kind and name in these volume groups.

    What is there of that name has to be looked for within this.

    :raises UsageError: another command is at it.
    """
    names = sorted(set(groups))
    with at_work.claimed(f"{prefix}{name} {group}" for group in names) as is_ours:
        if not is_ours:
            raise UsageError(
                f"another command is making {KINDS[prefix]} {name} in {' or '.join(names)} just "
                "now: wait for its end, or take another name"
            )
        yield


def check_name(prefix: str, name: str, volumes: Volumes) -> None:
    """See to it that something new may be called this.

    :raises UsageError: it is no name, or there is something of this kind and name already.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"not a name for LVM: {name!r}; letters, digits and + _ . - make one, the first of "
            "them a letter, a digit or _"
        )
    for family in families(volumes):
        if (family.prefix, family.name) == (prefix, name):
            there = ", ".join(f"{group}/{volume.name}" for group, volume in family.members)
            raise UsageError(f"there already: {there}")


def of_volume(group: str, volume: str, name: str) -> str:
    """What a volume is called in the group snapshot or clone ``name``.

    :raises UsageError: LVM keeps that for itself, or it is too long, together with the name of its
        volume group.
    """
    found = f"{volume}.{name}"
    if reserved := _RESERVED.search(found):
        raise UsageError(f"not a name for LVM, which keeps {reserved[0]} for itself: {found}")
    if (over := len(commands.device_name(group, found, _LAYER)) - _LONGEST) > 0:
        raise UsageError(
            f"too long a name for a volume: {group}/{found}; it has to be shorter by {over} "
            "characters (and a - counts twice)"
        )
    return found


def tags(prefix: str, name: str, source: str, count: int) -> list[str]:
    """The tags of a volume in a new group snapshot or clone of so many volumes."""
    return [
        f"{prefix}{name}",
        f"{SOURCE}{source}",
        f"{MEMBERS}{count}",
        f"{BY}{_UNFIT.sub('_', _asking())}",
    ]


def receipt_of(volume: LogicalVolume) -> list[str]:
    """The tags of the receipt of what is made of a snapshot: it is of the same instant."""
    consistency = tag_value(volume, CONSISTENCY)
    more = [f"{CONSISTENCY}{consistency}"] if consistency else []
    return [*receipts.of_tags(volume.tags), *more]


def families(volumes: Volumes) -> list[Family]:
    """All group snapshots and clones, by kind and name.

    What was set aside is none of them: its name is free again, long before it is wiped.
    """
    found: list[Family] = []
    for prefix in KINDS:
        by_name: dict[str, list[tuple[str, LogicalVolume]]] = {}
        for group, of_group in volumes.items():
            for volume in of_group.values():
                name = tag_value(volume, prefix)
                if name and not removal.is_set_aside(volume):
                    by_name.setdefault(name, []).append((group, volume))
        for name, members in sorted(by_name.items()):
            found += [Family(prefix, name, each) for each in _made_together(members)]
    return found


def find(volumes: Volumes, name: str, prefixes: Iterable[str] = KINDS) -> Family:
    """The one group snapshot or clone of this name.

    :raises UsageError: there is none, or there are several.
    """
    called = [family for family in families(volumes) if family.name == name]
    found = [family for family in called if family.prefix in prefixes]
    if called and not found:
        of_clone = ", ".join(f"{group}/{volume.name}" for group, volume in called[0].members)
        raise UsageError(
            f"{name} is no group snapshot, but a clone, whose volumes are used and removed "
            f"(lvremove) like any others: {of_clone}"
        )
    if not found:
        what = " or clone" if CLONE in prefixes else ""
        raise UsageError(
            f"there is no group snapshot{what} {name}; cg-lvm list shows what there is"
        )
    if len(found) > 1:
        where = "; ".join(f"{family.kind} in {', '.join(family.groups)}" for family in found)
        raise UsageError(f"there are several called {name} ({where}): say of which volume group")
    return found[0]


def _made_together(
    members: Iterable[tuple[str, LogicalVolume]],
) -> Iterator[list[tuple[str, LogicalVolume]]]:
    """Parts of volumes with one name: in a volume group they belong together, and by their sets."""
    parts: list[tuple[set[str], list[tuple[str, LogicalVolume]]]] = []
    for group, volume in members:
        marks = {f"group {group}", *sets.names(volume)}
        of_part = [(group, volume)]
        for part in [part for part in parts if part[0] & marks]:
            parts.remove(part)
            marks |= part[0]
            of_part = part[1] + of_part
        parts.append((marks, of_part))
    for _marks, of_part in parts:
        yield of_part


def tag_value(volume: LogicalVolume, prefix: str) -> str | None:
    """What follows the prefix in one of a volume's tags."""
    return next((tag.removeprefix(prefix) for tag in volume.tags if tag.startswith(prefix)), None)


def _asking() -> str:
    """Who had this command run: the user who became root by sudo, or root."""
    return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
