# SPDX-License-Identifier: Apache-2.0
"""The engine of a command's volumes."""

import argparse
from collections.abc import Sequence

from cg_extension.cmd.lvm import naming
from cg_extension.conf import lvm as lvm_options
from cg_extension.drivers.lvm import commands, engine


def members(paths: Sequence[str]) -> tuple[str, list[str]]:
    """The volume group and the names of ``VG/LV`` or ``/dev/VG/LV``.

    :raises naming.UsageError: one is not of that form, or they are in several groups.
    """
    pairs = [path.removeprefix("/dev/").split("/") for path in paths]
    if wrong := [path for path, pair in zip(paths, pairs, strict=True) if len(pair) != 2]:
        raise naming.UsageError(f"not VG/LV: {', '.join(wrong)}")
    groups = {group for group, _name in pairs}
    if len(groups) > 1:
        raise naming.UsageError(f"all volumes must be in one volume group, not {', '.join(groups)}")
    names = list(dict.fromkeys(name for _group, name in pairs))
    return groups.pop(), names


def use_engine(
    group: str, member: str, options: argparse.Namespace
) -> tuple[engine.Engine, dict[str, commands.LogicalVolume]]:
    """An engine for the kind of volume that ``member`` is, and the group's volumes."""
    volumes = commands.VolumeGroup(group).volumes(hidden=True)  # to be refused by the engine
    if member not in volumes:
        raise naming.UsageError(f"there is no volume {member} in volume group {group}")
    settings = engine.Settings(
        volume_group=group,
        pool=volumes[member].pool,
        freeze_deadline=getattr(options, "deadline", lvm_options.FREEZE_DEADLINE.default),
        cow_percent=getattr(options, "cow_percent", lvm_options.COW_PERCENT.default),
    )
    eng = engine.Engine(settings)
    # What a crash left may take hours to wipe, so it is wiped last.
    options.left.append((eng, eng.recover()))
    return eng, eng.volumes()
