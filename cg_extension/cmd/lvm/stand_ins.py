# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for snapshots, to be written to and thrown away: the snapshots stay as they are.

The replay of a journal writes, for one. For a thin snapshot the stand-in is a thin snapshot of
that. LVM takes none of a thick one, so there it is device-mapper's: an overlay on the snapshot's
device, whose writes go to a volume made for it, the store. After a power cut nothing activates a
stand-in, which has the identifiers of its original.
"""

import contextlib
import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence

from cg_extension.cmd.lvm import machinery, naming, programs, temporaries
from cg_extension.drivers.lvm import (
    commands,
    contents,
    device_mapper,
    engine,
    errors,
    making,
    sets,
    thin,
    transaction,
)
from cg_extension.drivers.lvm.reports import LogicalVolume

_MIB = 1 << 20
_SECTOR = 512
# Sectors; what a write to an overlay copies at least.
_CHUNK = 8
# The store of an overlay: a tenth of the volume, within these bounds. It takes the replay of a
# journal, and no journal of ext4 or log of XFS that their tools make by themselves is larger.
_SMALLEST, _LARGEST = 64 * _MIB, 4096 * _MIB


@dataclasses.dataclass(frozen=True, slots=True)
class StandIn:
    """What stands in for a snapshot.

    :param group: the name of the volume group.
    :param snapshot: the snapshot itself.
    :param name: the volume made for it.
    :param path: the device.
    """

    group: str
    snapshot: LogicalVolume
    name: str
    path: str

    @property
    def source(self) -> str:
        """The name of the volume that the snapshot was taken of."""
        return naming.tag_value(self.snapshot, naming.SOURCE) or self.snapshot.name

    def check_whole(self) -> None:
        """:raises LVMError: its store is full, so that its content is lost."""
        if self.path.endswith("-overlay"):
            status = programs.run("dmsetup", "status", os.path.basename(self.path))
            if "Invalid" in status or "Overflow" in status:
                raise errors.LVMError(
                    f"what was written while {self.group}/{self.snapshot.name} was looked at did "
                    "not fit into the volume made for it; this says nothing of the snapshot"
                )


@contextlib.contextmanager
def made(groups: machinery.Groups, family: naming.Family) -> Iterator[list[StandIn]]:
    """Stand-ins for all members of a group snapshot, removed at the end of the block."""
    stand_ins = make(groups, family, [temporaries.tag()])
    try:
        yield stand_ins
    finally:
        remove(groups, stand_ins)


def make(groups: machinery.Groups, family: naming.Family, tags: Sequence[str]) -> list[StandIn]:
    """Make stand-ins for all members of a group snapshot, all or none.

    :raises Refusal: a store overflowed, there is no room for one, or a thick snapshot is inactive.
    """
    copies = {
        (group, snapshot.name): engine.Copy(
            source=snapshot.name, target=temporaries.new_name(), tags=tags
        )
        for group, snapshot in family.members
    }
    parts = groups.parts([(group, copy) for (group, _name), copy in copies.items()])
    _check_active(family)
    _check_room(groups, family)
    for part in parts:
        part.maker.check_restorable(part.copies)
        if part.maker.is_thin:
            _check_pool(part.maker)
    with transaction.all_or_nothing([part.maker.removal for part in parts]) as mark:
        for part in parts:
            if part.maker.is_thin:
                part.maker.make_snapshots(part.copies, {}, mark, volumes_to_be=False)
                part.maker.group.activate(part.targets)
            else:
                _make_stores(part, mark)
    found = [
        StandIn(group, snapshot, copies[group, snapshot.name].target, "")
        for group, snapshot in family.members
    ]
    try:
        return [_with_device(each) for each in found]
    except errors.LVMError:
        remove(groups, found)
        raise


def remove(groups: machinery.Groups, stand_ins: Iterable[StandIn]) -> None:
    """Remove stand-ins; what can't be removed now is told, and left to the next command."""
    by_group: dict[str, list[str]] = {}
    for each in stand_ins:
        by_group.setdefault(each.group, []).append(each.name)
    for group, names in by_group.items():
        temporaries.remove_or_leave(groups.removal(group), names)


def _store_size(snapshot: LogicalVolume) -> int:
    return min(max(snapshot.size // 10, _SMALLEST), _LARGEST)


def _check_active(family: naming.Family) -> None:
    """:raises UsageError: a thick one is not active, as after a rollback: it has no device."""
    idle = [f"{group}/{v.name}" for group, v in family.members if v.pool is None and not v.active]
    if idle:
        names = " ".join(idle)
        raise naming.UsageError(
            f"not active: {names}; activate for the time being: lvchange -ay -K {names}"
        )


def _check_room(groups: machinery.Groups, family: naming.Family) -> None:
    """:raises UsageError: a volume group has no room for the stores."""
    for group in family.groups:
        needed = sum(_store_size(v) for v in family.of_group(group) if v.pool is None)
        free = groups.removal(group).group.usage().free if needed else 0
        if needed > free:
            raise naming.UsageError(
                f"volume group {group} has {free // _MIB} MiB free; a look into thick snapshots "
                f"needs {needed // _MIB} MiB there meanwhile, for what it writes beside them"
            )


def _check_pool(maker: making.Maker) -> None:
    """:raises Refusal: the pool is in no state to be written to, or has too little room."""
    settings = maker.settings
    limits = settings.data_limit, settings.metadata_limit
    with device_mapper.Control() as control:
        thin.check_pool(control, settings.volume_group, settings.pool or "", *limits)


def _make_stores(part: making.Part, mark: str) -> None:
    group = part.maker.group
    snapshots = group.volumes()
    group.make(
        [
            [
                *("lvcreate", "--yes", "--wipesignatures", "n", "--zero", "n"),
                *("--name", copy.target, "--size", f"{_store_size(snapshots[copy.source])}b"),
                *making.tag_arguments([sets.OWNED, mark, *copy.tags]),
                group.name,
            ]
            for copy in part.copies
        ],
        dict.fromkeys(part.targets, mark),
    )
    for target in part.targets:  # else the kernel would take what is there for an older overlay's
        contents.clear(part.maker.device_path(target), 0, _MIB)


def _with_device(each: StandIn) -> StandIn:
    """The same with its device, which is made unless LVM has made it."""
    store = commands.device_name(each.group, each.name)
    if each.snapshot.pool is not None:
        return dataclasses.replace(each, path=f"/dev/mapper/{store}")
    name = temporaries.overlay_name(each.group, each.name)
    table = (
        f"0 {each.snapshot.size // _SECTOR} snapshot "
        f"{each.snapshot.path} /dev/mapper/{store} P {_CHUNK}"
    )
    programs.run("dmsetup", "create", name, "--uuid", f"CG-LVM-{name}", "--table", table)
    return dataclasses.replace(each, path=f"/dev/mapper/{name}")
