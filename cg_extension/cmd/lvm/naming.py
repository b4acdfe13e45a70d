# SPDX-License-Identifier: Apache-2.0
"""What is called what, and which tags tell what belongs together.

Volume ``LV`` in group snapshot or clone ``NAME`` is called ``LV.NAME``.
"""

import re
from collections.abc import Sequence

from cg_extension.drivers import exceptions
from cg_extension.drivers.lvm import commands, engine, sets

# Tags: what a volume belongs to, what it was made of, and how many belong together.
SNAPSHOT = "cg-lvm.snapshot="
CLONE = "cg-lvm.clone="
SOURCE = "cg-lvm.source="
MEMBERS = "cg-lvm.members="
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9+_.-]*")


class UsageError(exceptions.DriverRefusal):
    """What was asked for makes no sense; nothing was changed."""


def copies(
    volumes: dict[str, commands.LogicalVolume],
    pairs: Sequence[tuple[str, str]],
    name: str,
    prefix: str,
) -> list[engine.Copy]:
    """What to make; ``pairs`` are the volume that a copy is named after and its source."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"not a name for LVM: {name!r}; letters, digits and + _ . - make one")
    copies = [
        engine.Copy(
            source=source,
            target=f"{origin}.{name}",
            tags=[f"{prefix}{name}", f"{SOURCE}{origin}", f"{MEMBERS}{len(pairs)}"],
        )
        for origin, source in pairs
    ]
    # The engine would take them for an earlier run's, and keep them or make them anew.
    if there := [copy.target for copy in copies if copy.target in volumes]:
        raise UsageError(f"there already: {', '.join(there)}")
    return copies


def belonging(
    volumes: dict[str, commands.LogicalVolume], prefix: str, name: str
) -> list[commands.LogicalVolume]:
    found = by_name(volumes, prefix).get(name)
    if not found:
        raise UsageError(f"there is no group snapshot {name}; cg-lvm list shows what there is")
    return found


def by_name(
    volumes: dict[str, commands.LogicalVolume], prefix: str
) -> dict[str, list[commands.LogicalVolume]]:
    """The members of each group snapshot or clone."""
    found: dict[str, list[commands.LogicalVolume]] = {}
    for volume in volumes.values():
        if name := tag_value(volume, prefix):
            found.setdefault(name, []).append(volume)
    return found


def is_complete(volumes: Sequence[commands.LogicalVolume]) -> bool:
    """Whether these are all members of a group snapshot or clone, finished."""
    finished = [volume for volume in volumes if not sets.is_doomed(volume)]
    return {tag_value(volume, MEMBERS) for volume in volumes} == {str(len(finished))}


def tag_value(volume: commands.LogicalVolume, prefix: str) -> str | None:
    return next((tag.removeprefix(prefix) for tag in volume.tags if tag.startswith(prefix)), None)
