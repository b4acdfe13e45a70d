# SPDX-License-Identifier: Apache-2.0
"""The re-take of thick (copy-on-write) snapshots: plans that set them to one instant.

LVM made each snapshot, at a moment of its own. The plan takes its ``snapshot`` table out, zeroes
the header of its copy-on-write store, so that the kernel starts the store anew, and loads the
same table again into the inactive slot. A snapshot copies nothing until it is resumed
(``dm-snap.c`` leaves out those that are not ``active``): resuming all of them while the origins
are held makes it one instant. See Documentation/admin-guide/device-mapper/snapshot.rst.

udev, and whatever else notices, looks at what is on the snapshot's device. So its table
gives way to one that reads as zeros (errors would go to the kernel's log), and it is suspended at
once: udev's rules leave out suspended devices, and later readers wait and get the snapshot.
"""

from collections.abc import Mapping, Sequence

from cg_extension.drivers.lvm import commands, device_mapper, freeze_plan, reports

_SECTOR = 512
_ALIGNMENT = 4096


def steps(
    volumes: Mapping[str, commands.LogicalVolume],
    pairs: Sequence[tuple[str, str]],
    tables: Mapping[str, Sequence[device_mapper.Target]],
    stand_in: str,
) -> freeze_plan.Steps:
    """Plan the re-take of ``(source, snapshot)`` pairs.

    :param volumes: the volume group's volumes by name, read under its lock.
    :param tables: the live table of each snapshot's device, by the device's name.
    :param stand_in: the kind of target that a snapshot's device has while its table is out.
    :raises LVMError: a snapshot's device is not what LVM said it is.
    """
    prepare: list[list[object]] = []
    take: list[list[object]] = []
    for _source, snapshot in pairs:
        device = volumes[snapshot].device_name
        target, chunk = reports.snapshot_table(tables[device])
        prepare += [
            ["load", device, [[target.start, target.length, stand_in, ""]]],
            ["resume", device],
            ["suspend", device],
            ["clear", f"{device}-cow", _header_bytes(chunk)],
            ["load", device, [[target.start, target.length, target.kind, target.parameters]]],
        ]
        take.append(["resume", device])
    return freeze_plan.Steps(prepare=prepare, take=take)


def _header_bytes(chunk: int) -> int:
    """Bytes of the store's first chunk, its header, in whole blocks; ``chunk`` is in sectors."""
    return -(-chunk * _SECTOR // _ALIGNMENT) * _ALIGNMENT
