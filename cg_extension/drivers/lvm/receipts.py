# SPDX-License-Identifier: Apache-2.0
"""The receipt of a group snapshot or clone, in tags of each of its volumes.

================================  =================================================================
``cg_ext.instant=TIME``           the instant, UTC, as ISO 8601 with microseconds: when I/O began
                                  to be held
``cg_ext.held=SECONDS``           for how long it was held
``cg_ext.of=UUID``                LVM's UUID of the volume that it was taken of
``cg_ext.backup=VOLUME``          a backup of its thin pool's metadata that was there already, from
                                  a repair of the pool: one that is not told of here came later
================================  =================================================================

What was written before the instant is in it, and nothing that was begun after ``instant + held``.
The tags are put on before a set becomes complete (``sets``), and nobody changes them: they tell
the same on another machine, and to whom has nothing but ``lvs``.
"""

import dataclasses
import datetime
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from cg_extension.drivers.lvm import retake

if TYPE_CHECKING:
    from cg_extension.contract import records

_INSTANT = "cg_ext.instant="
_HELD = "cg_ext.held="
_OF = "cg_ext.of="
_BACKUP = "cg_ext.backup="


@dataclasses.dataclass(frozen=True, slots=True)
class Receipt:
    """What a volume's tags say of it; None: nothing, as on what earlier versions made.

    ``held`` is in seconds; ``backups`` are names of volumes.
    """

    instant: datetime.datetime | None
    held: float | None
    source_uuid: str | None
    backups: frozenset[str] = frozenset()


def told(receipt: Receipt) -> "records.Receipt | None":
    """The receipt as drivers give it to their services; None: there is none."""
    from cg_extension.contract import records  # which cg-lvm does without

    if receipt.instant is None or receipt.held is None or not 0 <= receipt.held < math.inf:
        return None
    instant = receipt.instant.astimezone(datetime.UTC).replace(tzinfo=None)
    return records.Receipt(instant=instant, held_seconds=receipt.held)


def tags(taken: retake.Taken) -> list[str]:
    """The tags for all volumes that were taken at this instant."""
    instant = taken.instant.isoformat(timespec="microseconds").removesuffix("+00:00")
    return [f"{_INSTANT}{instant}Z", f"{_HELD}{taken.held:.6f}"]


def source_tag(uuid: str) -> str:
    """The tag of what was taken of the volume with this UUID."""
    return f"{_OF}{uuid}"


def backup_tags(names: Iterable[str]) -> list[str]:
    """The tags of what was taken in a pool with these backups of its metadata."""
    return [f"{_BACKUP}{name}" for name in names]


def of_tags(tags: Iterable[str]) -> list[str]:
    """Those of a volume's tags that make its receipt, for what is made of it."""
    return [tag for tag in sorted(tags) if tag.startswith((_INSTANT, _HELD, _OF))]


def read(tags: Iterable[str]) -> Receipt:
    """The receipt in a volume's tags; what somebody else wrote there counts as nothing."""
    tags = frozenset(tags)
    found = dict(tag.split("=", 1) for tag in tags if "=" in tag)
    instant = held = None
    try:
        instant = datetime.datetime.fromisoformat(found[_INSTANT[:-1]])
        held = float(found[_HELD[:-1]])
    except (KeyError, ValueError):
        pass
    if instant and not instant.tzinfo:
        instant = None
    backups = frozenset(tag.removeprefix(_BACKUP) for tag in tags if tag.startswith(_BACKUP))
    return Receipt(instant, held, found.get(_OF[:-1]), backups)
