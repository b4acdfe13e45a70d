# SPDX-License-Identifier: Apache-2.0
"""What the next start does about what a crash or a power cut left: one privileged call.

It goes by sets: one that was being made or removed by a process that is gone is removed, whole, and
all others are left alone. It may be cut short at any point, and several processes may run it.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from oslo_log import log as logging

from cg_extension.drivers.lvm import at_work, commands, model, privileged, removal, sets

LOG = logging.getLogger(__name__)


def recover(settings: model.Settings) -> list[str]:
    """Let go of what is held, and remove what is half-made or half-removed.

    Gives back the names of volumes that have to be wiped first: they were only set aside.

    :raises LVMError: something could not be removed; the next call tries again.
    """
    return list(_recover(dataclasses.asdict(settings)))


@privileged.entrypoint
def _recover(arguments: dict[str, Any]) -> list[str]:
    settings = model.Settings(**arguments)
    group = commands.VolumeGroup(settings.volume_group, settings.system_dir)
    # LVM commands outlive a killed caller, and only their end shows what they have done.
    at_work.wait_for_all()
    # Alone: another recovery could end meanwhile, and the names that we saw be in use again.
    with at_work.alone(f"recovery-{group.name}"):
        volumes = group.volumes()
        orphaned = sets.orphaned(_group_tags(group, volumes))
        if not orphaned and not sets.left_by_earlier_versions(volumes):
            return []
        # Again, for those processes whose tags we saw that were killed after the first time.
        at_work.wait_for_all()
        volumes = group.volumes()
        left = sets.of_marks(volumes.values(), orphaned)
        left += [v for v in sets.left_by_earlier_versions(volumes) if v not in left]
        if left:
            names = sorted(volume.name for volume in left)
            LOG.warning("Removing volumes that a crash had left half-made: %s", names)
        aside = removal.Removal(settings, group).set_aside(left, volumes)
        if empty := [tag for tag in orphaned if not sets.of_marks(volumes.values(), [tag])]:
            group.change_tags(remove=empty)
        return aside


def _group_tags(
    group: commands.VolumeGroup, volumes: Mapping[str, commands.LogicalVolume]
) -> frozenset[str]:
    """The tags of the volume group, which each of its volumes has; it may have no volumes."""
    return next(iter(volumes.values())).group_tags if volumes else group.usage().tags
