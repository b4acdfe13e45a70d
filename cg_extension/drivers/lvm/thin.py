# SPDX-License-Identifier: Apache-2.0
"""The re-take of thin snapshots: plans that set them to one instant, LVM's metadata untouched.

LVM made each snapshot, at a moment of its own. In the pool it is no more than a device id: the
plan deletes the ids and, while the origins are held, has the pool make them again. Messages and
their meaning: the kernel's Documentation/admin-guide/device-mapper/thin-provisioning.rst.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from cg_extension.drivers.lvm import commands, device_mapper, errors, freeze_plan, reports


def steps(
    volumes: Mapping[str, commands.LogicalVolume],
    pairs: Sequence[tuple[str, str]],
    pool_device: str,
) -> freeze_plan.Steps:
    """Plan the re-take of ``(source, snapshot)`` pairs that live in one pool.

    :param volumes: the volume group's volumes by name, read under its lock.
    :param pool_device: the name of the pool's device that takes messages.
    """
    ids = [(volumes[source].thin_id, volumes[snapshot].thin_id) for source, snapshot in pairs]
    return freeze_plan.Steps(
        prepare=[["message", pool_device, f"delete {snapshot}"] for _source, snapshot in ids],
        take=[
            ["message", pool_device, f"create_snap {snapshot} {source}"] for source, snapshot in ids
        ],
    )


def metadata_backups(volumes: Iterable[str], pool: str | None) -> list[str]:
    """Those of a volume group's volumes in which repairs of a pool have left its old metadata.

    ``lvconvert --repair`` (lvmthin(7)) makes a new one for each: it takes the next free number.
    """
    return [name for name in volumes if pool and re.fullmatch(rf"{re.escape(pool)}_meta\d+", name)]


def check_pool(
    control: device_mapper.Control,
    volume_group: str,
    pool: str,
    data_limit: float,
    metadata_limit: float,
) -> None:
    """See to it that the pool can take snapshots and has room for what they will cost.

    :param data_limit: percentage of data blocks in use above which it is refused.
    :param metadata_limit: likewise of metadata blocks; a pool that runs out of metadata goes
        read-only, for all its volumes.
    :raises Refusal: it can't, or there is too little room.
    :raises LVMError: the kernel's words for its state are not known.
    """
    status = reports.pool_status(control.status(commands.device_name(volume_group, pool, "tpool")))
    if status.unfit:
        raise errors.Refusal(f"thin pool {volume_group}/{pool} {status.unfit}")
    for what, used, total, limit in (
        ("metadata", status.metadata_used, status.metadata_total, metadata_limit),
        ("data", status.data_used, status.data_total, data_limit),
    ):
        percent = 100 * used / total
        if percent > limit:
            raise errors.Refusal(
                f"{percent:.1f} % of the {what} of thin pool {volume_group}/{pool} is in use; the "
                f"limit is {limit:g} %"
            )
