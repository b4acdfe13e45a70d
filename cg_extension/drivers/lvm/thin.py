# SPDX-License-Identifier: Apache-2.0
"""The re-take of thin snapshots: plans that set them to one instant, LVM's metadata untouched.

LVM made each snapshot, at a moment of its own. In the pool it is no more than a device id: the
plan deletes the ids and, while the origins are held, has the pool make them again. Messages and
their meaning: the kernel's Documentation/admin-guide/device-mapper/thin-provisioning.rst.
"""

from collections.abc import Mapping, Sequence

from cg_extension.drivers.lvm import commands, device_mapper, errors, freeze_plan

# What a pool says of itself (``Status`` of the ``thin-pool`` target in the same document).
_UNFIT = {
    "ro": "is read-only",
    "out_of_data_space": "is out of data space",
    "Fail": "has failed",
    "Error": "does not tell its state",
    "needs_check": "needs a check (lvconvert --repair)",
}


def plan(
    volumes: Mapping[str, commands.LogicalVolume],
    pairs: Sequence[tuple[str, str]],
    pool_device: str,
    order: Sequence[str],
    deadline: float,
) -> freeze_plan.Plan:
    """Plan the re-take of ``(source, snapshot)`` pairs that live in one pool.

    :param volumes: the volume group's volumes by name, read under its lock.
    :param pool_device: the name of the pool's device that takes messages.
    :param order: the devices to suspend, in order.
    """
    ids = [(volumes[source].thin_id, volumes[snapshot].thin_id) for source, snapshot in pairs]
    return freeze_plan.Plan(
        prepare=[["message", pool_device, f"delete {snapshot}"] for _source, snapshot in ids],
        suspend=order,
        take=[
            ["message", pool_device, f"create_snap {snapshot} {source}"] for source, snapshot in ids
        ],
        deadline=deadline,
    )


def check_pool(
    control: device_mapper.Control,
    pool_device: str,
    data_limit: float,
    metadata_limit: float,
) -> None:
    """See to it that the pool can take snapshots and has room for what they will cost.

    :param data_limit: percentage of data blocks in use above which it is refused.
    :param metadata_limit: likewise of metadata blocks; a pool that runs out of metadata goes
        read-only, for all its volumes.
    :raises Refusal: it can't, or there is too little room.
    """
    (target,) = control.status(pool_device)
    words = target.parameters.split()
    if unfit := [reason for word, reason in _UNFIT.items() if word in words]:
        raise errors.Refusal(f"the thin pool {' and '.join(unfit)}")
    for what, usage, limit in (
        ("metadata", words[1], metadata_limit),
        ("data", words[2], data_limit),
    ):
        used, total = map(int, usage.split("/"))
        percent = 100 * used / total
        if percent > limit:
            raise errors.Refusal(
                f"{percent:.1f} % of the thin pool's {what} is in use; the limit is {limit:g} %"
            )
