# SPDX-License-Identifier: Apache-2.0
"""``list``, ``show`` and ``delete``."""

import argparse
import datetime
from collections.abc import Mapping
from typing import Any

from cg_extension.cmd.lvm import machinery, naming
from cg_extension.drivers.lvm import (
    commands,
    errors,
    exchange,
    receipts,
    thin_space,
    transaction,
)
from cg_extension.drivers.lvm.reports import LogicalVolume


def list_all(options: argparse.Namespace) -> dict[str, Any]:
    """``list``: an entry for each volume, and one for each group snapshot or clone."""
    seen = _Seen(options.volume_group)
    found = seen.families()
    return {
        "volumes": [_volume(family, *member) for family in found for member in family.members],
        "listed": [seen.summary(family) for family in found],
    }


def show(options: argparse.Namespace) -> dict[str, Any]:
    """``show``: the receipt, and all volumes with theirs."""
    seen = _Seen(options.volume_group)
    family = naming.find(seen.volumes, options.name)
    if not family.is_all_here:
        seen.add_others()
        family = next(
            f for f in naming.families(seen.volumes) if set(family.members) <= set(f.members)
        )
    described = []
    for group, volume in family.members:
        receipt = receipts.read(volume.tags)
        described.append(
            {
                **_volume(family, group, volume),
                "uuid": volume.uuid,
                "source_uuid": receipt.source_uuid,
                "used": seen.used(group, volume),
            }
        )
    return {"shown": seen.summary(family), "volumes": described}


def delete(options: argparse.Namespace) -> dict[str, Any]:
    """``delete``: all of a group snapshot, in all its volume groups."""
    groups, family = machinery.find_snapshot(options, options.name, options.volume_group)
    tags = {tag for _group, volume in family.members for tag in volume.group_tags}
    if family.name in dict(exchange.waiting(tags)):
        raise naming.UsageError(
            f"a rollback to {family.name} waits for the next boot, and needs it: cg-lvm rollback "
            f"--cancel {family.name}"
        )
    there = groups.recovered(family)
    if there is not None:  # else it was half-made
        family = there
        transaction.delete(
            [
                (groups.removal(group), [volume.name for volume in family.of_group(group)])
                for group in family.groups
            ]
        )
    return {
        "deleted": options.name,
        "volumes": [{"volume": volume.name} for _group, volume in family.members],
    }


class _Seen:
    """Volume groups as they are, with what is in use of them."""

    def __init__(self, group: str | None) -> None:
        self.group = group
        self.volumes: dict[str, dict[str, LogicalVolume]] = {}
        self._exclusive: dict[tuple[str, str], Mapping[int, int] | None] = {}
        if group:
            self.volumes[group] = _look_at(group)
        else:
            self.add_others()

    def add_others(self) -> None:
        """Look at all other volume groups."""
        names = [name for name in machinery.all_names() if name not in self.volumes]
        self.volumes |= machinery.readable(names, _look_at)

    def families(self) -> list[naming.Family]:
        """All group snapshots and clones, or those that are in the one volume group."""
        found = naming.families(self.volumes)
        if self.group and not all(family.is_all_here for family in found):
            self.add_others()
            found = [f for f in naming.families(self.volumes) if self.group in f.groups]
        return found

    def summary(self, family: naming.Family) -> dict[str, Any]:
        """A group snapshot or clone as a whole."""
        first = min((volume for _group, volume in family.members), key=lambda v: v.name)
        receipt = receipts.read(first.tags)
        instant = receipt.instant
        age = datetime.datetime.now(datetime.UTC) - instant if instant else None
        used = [self.used(group, volume) for group, volume in family.members]
        return {
            family.kind: family.name,
            "volume_groups": family.groups,
            "members": len(family.members),
            "instant": instant.isoformat().replace("+00:00", "Z") if instant else None,
            "age_seconds": int(age.total_seconds()) if age else None,
            "held_seconds": receipt.held,
            "by": naming.tag_value(first, naming.BY),
            "consistency": naming.tag_value(first, naming.CONSISTENCY),
            "profile": naming.tag_value(first, naming.PROFILE),
            "used": None if None in used else sum(filter(None, used)),
            "state": state(family),
        }

    def used(self, group: str, volume: LogicalVolume) -> int | None:
        """Bytes that a volume has for itself; None: they can't be told, or its pool is idle.

        A thick snapshot's are those in use of its store.
        """
        if volume.pool is not None:
            exclusive = self._exclusive_in(group, volume.pool)
            return exclusive.get(volume.thin_id or 0) if exclusive else None
        if volume.origin is None:
            return volume.size
        if volume.data_percent is None:
            return None
        return int(volume.allocated * volume.data_percent / 100)

    def _exclusive_in(self, group: str, pool: str) -> Mapping[int, int] | None:
        key = (group, pool)
        if key not in self._exclusive:
            try:
                self._exclusive[key] = thin_space.exclusive(*key)
            except errors.LVMError:
                self._exclusive[key] = None
        return self._exclusive[key]


def _volume(family: naming.Family, group: str, volume: LogicalVolume) -> dict[str, Any]:
    return {
        family.kind: family.name,
        "volume": volume.name,
        "source": naming.tag_value(volume, naming.SOURCE),
        "size": volume.size,
        "lost": volume.invalid,
        "complete": family.is_complete,
        "volume_group": group,
    }


def state(family: naming.Family) -> str:
    """``complete``, ``incomplete``, or ``lost`` when a store has overflowed."""
    if any(volume.invalid for _group, volume in family.members):
        return "lost"
    return "complete" if family.is_complete else "incomplete"


def _look_at(name: str) -> dict[str, LogicalVolume]:
    return commands.VolumeGroup(name).volumes(status=True, usage=True)
