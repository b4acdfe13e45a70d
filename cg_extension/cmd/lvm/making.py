# SPDX-License-Identifier: Apache-2.0
"""``snapshot`` and ``clone``."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from cg_extension.cmd.lvm import machinery, mount_points, naming
from cg_extension.drivers.lvm import engine, making, places, together


def take(options: argparse.Namespace) -> dict[str, Any]:
    """``snapshot``."""
    found = places.find(options.members, options.with_submounts)
    with naming.claimed(naming.SNAPSHOT, options.name, found.groups):
        parts = parts_of_live(options, found, naming.SNAPSHOT)
        held = together.snapshot_group(parts).held
    return answer("snapshot", options.name, held, parts, found.warnings)


def clone(options: argparse.Namespace) -> dict[str, Any]:
    """``clone``, of volumes or of a group snapshot."""
    if options.snapshot:
        with naming.claimed(naming.CLONE, options.name, _find_source(options)[1].groups):
            parts = _parts_of_snapshot(options)
            together.restore_group(parts, show_progress)
        return answer("clone", options.name, 0.0, parts, [])
    found = places.find(options.members, options.with_submounts)
    with naming.claimed(naming.CLONE, options.name, found.groups):
        parts = parts_of_live(options, found, naming.CLONE)
        held = together.clone_group(parts, show_progress)
    return answer("clone", options.name, held, parts, found.warnings)


def parts_of_live(
    options: argparse.Namespace,
    found: places.Found,
    prefix: str,
    consistency: str = naming.CRASH_CONSISTENT,
    more: Sequence[str] = (),
    recovered: bool = True,
) -> list[making.Part]:
    """What to make of volumes that may be written to, in a name that is ``naming.claimed``.

    :param consistency: what the content is worth, for the receipt.
    :param more: further tags.
    :param recovered: put right what a crash left in their volume groups; else nothing is changed.
    """
    groups = machinery.Groups(found.groups, options, recovered)
    tags = [f"{naming.CONSISTENCY}{consistency}", *more]
    points = mount_points.of(found.seen) if prefix == naming.SNAPSHOT else {}
    return _parts(
        groups,
        prefix,
        options.name,
        [
            (group, name, name, [*tags, *mount_points.tags(points, group, name)])
            for group, name in found.volumes
        ],
    )


def _find_source(options: argparse.Namespace) -> tuple[machinery.Groups, naming.Family]:
    """The group snapshot to clone."""
    group, *more = options.members
    if more or not places.is_name(group):
        raise naming.UsageError(
            f"with --from there is one volume group, and no members: {' '.join(options.members)}"
        )
    return machinery.find_snapshot(options, options.snapshot, group)


def _parts_of_snapshot(options: argparse.Namespace) -> list[making.Part]:
    groups, family = _find_source(options)
    if family.is_complete or groups.was_cut(family):
        family = groups.recovered(family) or family
    if not family.is_complete:
        raise naming.UsageError(
            f"group snapshot {options.snapshot} is not complete: it is still being made, was "
            "cut short, members were removed, or a volume group is missing"
        )
    return _parts(
        groups,
        naming.CLONE,
        options.name,
        [
            (
                group,
                naming.tag_value(volume, naming.SOURCE) or volume.name,
                volume.name,
                naming.receipt_of(volume),
            )
            for group, volume in family.members
        ],
    )


def _parts(
    groups: machinery.Groups,
    prefix: str,
    name: str,
    wanted: Sequence[tuple[str, str, str, Sequence[str]]],
) -> list[making.Part]:
    """What to make.

    :param wanted: of each copy its volume group, the volume that it is named after, its source,
        and tags for its receipt.
    """
    naming.check_name(prefix, name, groups.volumes)
    copies = []
    for group, origin, source, more in wanted:
        target = naming.of_volume(group, origin, name)
        # The engine would take it for an earlier run's, and keep it or make it anew.
        if target in groups.volumes[group]:
            raise naming.UsageError(f"there already: {group}/{target}")
        tags = [*naming.tags(prefix, name, origin, len(wanted)), *more]
        copies.append((group, engine.Copy(source=source, target=target, tags=tags)))
    return groups.parts(copies)


def answer(
    kind: str, name: str, held: float, parts: Sequence[making.Part], warnings: Sequence[str]
) -> dict[str, Any]:
    """What is told of a new group snapshot or clone."""
    return {
        kind: name,
        "held_seconds": held,
        "volumes": [
            {
                "volume": copy.target,
                "source": copy.source,
                "path": part.maker.device_path(copy.target),
                "volume_group": part.maker.group.name,
            }
            for part in parts
            for copy in part.copies
        ],
        "warnings": list(warnings),
    }


def show_progress(done: int, total: int) -> None:
    """Tell on a terminal how much of thick volumes is copied."""
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(f"\rcopied {100 * done // total} %", end=end, file=sys.stderr, flush=True)
