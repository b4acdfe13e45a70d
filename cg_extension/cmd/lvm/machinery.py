# SPDX-License-Identifier: Apache-2.0
"""The volume groups and engines that a command works with, put right after a crash."""

import argparse
import dataclasses
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from cg_extension.cmd.lvm import naming, temporaries
from cg_extension.conf import bounds
from cg_extension.drivers.lvm import (
    commands,
    engine,
    errors,
    making,
    recovery,
    removal,
    sets,
)
from cg_extension.drivers.lvm.reports import LogicalVolume

Seen = TypeVar("Seen")


def all_names() -> list[str]:
    """The names of all volume groups; one that several have, which LVM refuses, once."""
    return sorted({each.name for each in commands.all_groups()})


def readable(names: Iterable[str], look_at: Callable[[str], Seen]) -> dict[str, Seen]:
    """What there is to see of volume groups that nobody named; one that can't be read is told."""
    found = {}
    for name in names:
        try:
            found[name] = look_at(name)
        except errors.LVMError as error:
            print(f"cg-lvm: volume group {name} is left out: {error}", file=sys.stderr)
    return found


class Groups:
    """The volume groups of a command, each recovered, and engines on them."""

    def __init__(
        self, names: Iterable[str], options: argparse.Namespace, recovered: bool = True
    ) -> None:
        """Look at them; if not ``recovered`` yet, ``recover`` has to follow."""
        self._options = options
        self._recovered = recovered
        self._engines: dict[tuple[str, str | None], engine.Engine] = {}
        self.volumes: dict[str, dict[str, LogicalVolume]] = {}
        self.add(names)

    def add(self, names: Iterable[str]) -> None:
        """Take more volume groups in."""
        self._add({name: self._volumes(name) for name in names if name not in self.volumes})

    def add_all(self) -> None:
        """Take in all other volume groups that can be read."""
        names = [name for name in all_names() if name not in self.volumes]
        self._add(readable(names, self._volumes))

    def _add(self, new: dict[str, dict[str, LogicalVolume]]) -> None:
        self.volumes |= new
        if self._recovered:
            self._recover(new)

    def recover(self, names: Iterable[str]) -> None:
        """Put right what a crash left in these volume groups."""
        self._recovered = True
        self._recover({name: self.volumes[name] for name in names})

    def recovered(self, family: naming.Family) -> naming.Family | None:
        """A group snapshot or clone once its volume groups are put right; None: it is gone.

        Only then do its volumes' names mean what they say: a rollback that was cut is finished,
        which gives names to others.

        :raises UsageError: a rollback that is not finished is about to do so.
        """
        self.recover(family.groups)
        found = [
            self.add_rest_of(each)
            for each in naming.families(self.volumes)
            if (each.prefix, each.name) == (family.prefix, family.name)
            and set(each.groups) & set(family.groups)
        ]
        for each in found:
            for group in each.groups:
                taken = sets.taken_names(self.volumes[group].values())
                for volume in each.of_group(group):
                    if volume.name in taken:
                        raise naming.UsageError(
                            f"a rollback is about to put another volume in the place of {group}/"
                            f"{volume.name}: wait for its end, or for cg-lvm finish"
                        )
        return next(iter(found), None)

    def was_cut(self, family: naming.Family) -> bool:
        """Whether what became of it, over several volume groups, is still to be found out."""
        tags = {tag for group in family.groups for tag in _tags_of(self.volumes[group])}
        names = {name for _group, volume in family.members for name in sets.names(volume)}
        return any(mark.group and mark.set_name in names for mark in sets.orphaned(tags))

    def add_rest_of(self, family: naming.Family) -> naming.Family:
        """Look for the rest of a group snapshot or clone in other volume groups."""
        if family.is_all_here:
            return family
        self.add_all()
        return next(
            found
            for found in naming.families(self.volumes)
            if found.prefix == family.prefix and set(family.members) <= set(found.members)
        )

    def volume(self, group: str, name: str) -> LogicalVolume:
        """A volume.

        :raises UsageError: there is none of that name.
        """
        try:
            return self.volumes[group][name]
        except KeyError:
            raise naming.no_volume(group, name) from None

    def parts(self, copies: Sequence[tuple[str, engine.Copy]]) -> list[making.Part]:
        """What is to be made, each with its volume group, by groups and pools."""
        parts: dict[tuple[str, str | None], list[engine.Copy]] = {}
        for group, copy in copies:
            parts.setdefault((group, self.volume(group, copy.source).pool), []).append(copy)
        return [
            dataclasses.replace(self._engine(*key).part(found), seen=self.volumes[key[0]])
            for key, found in parts.items()
        ]

    def removal(self, group: str) -> removal.Removal:
        """What removes volumes of a group."""
        return self._engine(group).maker.removal

    def _engine(self, group: str, pool: str | None = None) -> engine.Engine:
        default_deadline = bounds.FREEZE_DEADLINE.default
        default_cow = int(bounds.COW_PERCENT.default)
        return self._engines.setdefault(
            (group, pool),
            engine.Engine(
                engine.Settings(
                    volume_group=group,
                    pool=pool,
                    freeze_deadline=getattr(self._options, "deadline", default_deadline),
                    cow_percent=getattr(self._options, "cow_percent", default_cow),
                    **getattr(self._options, "pool_limits", {}),
                )
            ),
        )

    def _volumes(self, group: str) -> dict[str, LogicalVolume]:
        commands.wait_for_all()  # else this could not tell whether recovery is needed
        # Hidden ones as well, for the engine to refuse them as what they are.
        return commands.VolumeGroup(group).volumes(hidden=True)

    def _recover(self, new: dict[str, dict[str, LogicalVolume]]) -> None:
        """Put right what a crash left in these groups, and in those that it was shared with."""
        if not any(recovery.is_needed(v) or temporaries.orphaned(v) for v in new.values()):
            return
        left = [mark for volumes in new.values() for mark in sets.orphaned(_tags_of(volumes))]
        names = set(new)
        if left:
            shared = {mark.set_name for mark in left}
            names |= {
                group.name
                for group in commands.all_groups()
                if any(mark.set_name in shared for mark in sets.orphaned(group.tags))
            }
        # The deciding one, the first by name, last: it then finds the others settled.
        for name in sorted(names, reverse=True):
            eng = self._engine(name)
            try:
                # What a crash left may take hours to wipe, so it is wiped last.
                self._options.left.append((eng, eng.recover()))
                volumes = self.volumes[name] if name in self.volumes else self._volumes(name)
                temporaries.remove_orphaned(eng.maker.removal, volumes)
            except errors.LVMError as error:
                if name in new:
                    raise
                print(f"cg-lvm: left in volume group {name}: {error}", file=sys.stderr)
        self.volumes |= {name: self._volumes(name) for name in names & self.volumes.keys()}


def find_snapshot(
    options: argparse.Namespace, name: str, of_group: str | None
) -> tuple[Groups, naming.Family]:
    """The group snapshot called ``name``, and its volume groups, none of them recovered yet.

    :param of_group: a volume group of it; None: the name tells which is meant.
    :raises UsageError: there is none, or the name may mean several.
    """
    groups = Groups([of_group] if of_group else [], options, recovered=False)
    if not of_group:
        groups.add_all()
    found = naming.find(groups.volumes, name, [naming.SNAPSHOT])
    return groups, groups.add_rest_of(found)


def _tags_of(volumes: dict[str, LogicalVolume]) -> frozenset[str]:
    return next(iter(volumes.values())).group_tags if volumes else frozenset()


def wipe(left: Sequence[tuple[engine.Engine, Sequence[str]]]) -> None:
    """Wipe and remove what recovery has set aside; what fails is left to the next command.

    Only when all of it is gone does a record count no more that another volume group keeps of it.
    """
    for eng, names in left:
        eng.wipe(names)
    if any(names for _eng, names in left):
        for eng, _names in left:
            try:
                eng.recover()
            except errors.LVMError as error:
                print(f"cg-lvm: left in volume group {eng.group.name}: {error}", file=sys.stderr)
