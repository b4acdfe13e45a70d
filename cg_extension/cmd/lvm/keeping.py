# SPDX-License-Identifier: Apache-2.0
"""``list`` and ``delete``."""

import argparse
from typing import Any

from cg_extension.cmd.lvm import machinery, naming
from cg_extension.drivers.lvm import commands


def list_all(options: argparse.Namespace) -> dict[str, Any]:
    found: list[dict[str, Any]] = []
    volumes = commands.VolumeGroup(options.volume_group).volumes(status=True)
    for kind, prefix in (("snapshot", naming.SNAPSHOT), ("clone", naming.CLONE)):
        for name, members in naming.by_name(volumes, prefix).items():
            complete = naming.is_complete(members)
            found += [
                {
                    kind: name,
                    "volume": volume.name,
                    "source": naming.tag_value(volume, naming.SOURCE),
                    "size": volume.size,
                    "lost": volume.invalid,
                    "complete": complete,
                }
                for volume in members
            ]
    return {"volumes": found}


def delete(options: argparse.Namespace) -> dict[str, Any]:
    volumes = commands.VolumeGroup(options.volume_group).volumes()
    snapshots = naming.belonging(volumes, naming.SNAPSHOT, options.name)
    eng, _volumes = machinery.use_engine(options.volume_group, snapshots[0].name, options)
    eng.delete(volume.name for volume in snapshots)
    return {"deleted": options.name, "volumes": [{"volume": v.name} for v in snapshots]}
