# SPDX-License-Identifier: Apache-2.0
"""``snapshot`` and ``clone``."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from cg_extension.cmd.lvm import machinery, naming
from cg_extension.drivers.lvm import commands, engine


def take(options: argparse.Namespace) -> dict[str, Any]:
    group, names = machinery.members(options.members)
    eng, volumes = machinery.use_engine(group, names[0], options)
    copies = naming.copies(volumes, [(name, name) for name in names], options.name, naming.SNAPSHOT)
    held = eng.snapshot_group(copies)
    return {"snapshot": options.name, "held_seconds": held, "volumes": _described(eng, copies)}


def clone(options: argparse.Namespace) -> dict[str, Any]:
    held = 0.0
    if options.snapshot:
        group = options.members[0]
        sources = naming.belonging(
            commands.VolumeGroup(group).volumes(), naming.SNAPSHOT, options.snapshot
        )
        if not naming.is_complete(sources):
            raise naming.UsageError(
                f"group snapshot {options.snapshot} is not complete: it is still being made, was "
                "cut short, or members were removed"
            )
        eng, volumes = machinery.use_engine(group, sources[0].name, options)
        pairs = [
            (naming.tag_value(volume, naming.SOURCE) or volume.name, volume.name)
            for volume in sources
        ]
        copies = naming.copies(volumes, pairs, options.name, naming.CLONE)
        eng.restore_group(copies, _show_progress)
    else:
        group, names = machinery.members(options.members)
        eng, volumes = machinery.use_engine(group, names[0], options)
        copies = naming.copies(
            volumes, [(name, name) for name in names], options.name, naming.CLONE
        )
        held = eng.clone_group(copies, _show_progress)
    return {"clone": options.name, "held_seconds": held, "volumes": _described(eng, copies)}


def _described(eng: engine.Engine, copies: Sequence[engine.Copy]) -> list[dict[str, str]]:
    return [
        {"volume": copy.target, "source": copy.source, "path": eng.device_path(copy.target)}
        for copy in copies
    ]


def _show_progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(f"\rcopied {100 * done // total} %", end=end, file=sys.stderr, flush=True)
