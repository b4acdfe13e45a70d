# SPDX-License-Identifier: Apache-2.0
"""``cg-lvm``: group snapshots of LVM volumes on a machine that runs no service.

The engine does the work, with the same safety; this names the volumes, tags them so that they are
found again, and prints. Volume ``LV`` in group snapshot or clone ``NAME`` is called ``LV.NAME``.
"""

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from typing import Any

from oslo_config import cfg

from cg_extension.conf import errors
from cg_extension.conf import lvm as lvm_options
from cg_extension.drivers import exceptions
from cg_extension.drivers.lvm import commands, engine, privileged, sets

# Tags: what a volume belongs to, what it was made of, and how many belong together.
_SNAPSHOT = "cg-lvm.snapshot="
_CLONE = "cg-lvm.clone="
_SOURCE = "cg-lvm.source="
_MEMBERS = "cg-lvm.members="
# For those who make clones, which are copies to the last block.
_IDENTIFIERS = (
    "A clone has the UUIDs and labels of its original: of file systems, swap, LUKS, partitions and "
    "whatever else is in it. /dev/disk/by-uuid may point to either. Mount it by its /dev/mapper "
    "path, or change its UUIDs and labels before anything uses it; never mount a btrfs beside its "
    "original. See docs/clones.md."
)
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9+_.-]*")


class UsageError(exceptions.DriverRefusal):
    """What was asked for makes no sense; nothing was changed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; gives back the exit status."""
    options = _parser().parse_args(arguments)
    options.left = []
    try:
        if os.geteuid() != 0:
            raise UsageError("must be run by root: it holds and changes block devices")
        privileged.run_in_process()
        answer = options.function(options)
    except exceptions.DriverError as error:
        print(f"cg-lvm: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"cg-lvm: {errors.describe(error)}", file=sys.stderr)
        return 1
    print(json.dumps(answer) if options.json else _text(answer), flush=True)
    for eng, left in options.left:
        eng.wipe(left)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cg-lvm", description="Snapshots of several LVM volumes, of one instant."
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print one JSON object")
    making = argparse.ArgumentParser(add_help=False)
    making.add_argument("--name", required=True, help="what to call it")
    making.add_argument(
        *("--deadline", "-d"),
        type=_deadline,
        default=lvm_options.FREEZE_DEADLINE.default,
        metavar="SECONDS",
        help="give up when writes are held for longer (default: %(default)s)",
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")

    snapshot = actions.add_parser(
        "snapshot", parents=[common, making], help="take snapshots of volumes, of one instant"
    )
    snapshot.add_argument("members", nargs="+", metavar="VG/LV")
    snapshot.add_argument(
        "--cow-percent",
        type=_cow_percent,
        default=lvm_options.COW_PERCENT.default,
        metavar="PERCENT",
        help="size of a thick snapshot's copy-on-write store (default: %(default)s)",
    )
    snapshot.set_defaults(function=_take)

    clone = actions.add_parser(
        "clone",
        parents=[common, making],
        help="make new volumes from volumes, at one instant, or from a group snapshot",
        epilog=_IDENTIFIERS,
    )
    clone.add_argument(
        "members", nargs="+", metavar="VG/LV", help="volumes; with --from just the VG"
    )
    clone.add_argument("--from", dest="snapshot", help="the group snapshot to make them from")
    clone.set_defaults(function=_clone)

    listing = actions.add_parser("list", parents=[common], help="list snapshots and clones")
    listing.add_argument("volume_group", metavar="VG")
    listing.set_defaults(function=_list)

    delete = actions.add_parser("delete", parents=[common], help="delete a group snapshot")
    delete.add_argument("volume_group", metavar="VG")
    delete.add_argument("name", metavar="NAME")
    delete.set_defaults(function=_delete)
    return parser


def _deadline(text: str) -> float:
    return float(_value(lvm_options.FREEZE_DEADLINE, text))


def _cow_percent(text: str) -> int:
    return int(_value(lvm_options.COW_PERCENT, text))


def _value(option: cfg.Opt, text: str) -> Any:
    """What the text means as the value of an option."""
    try:
        return option.type(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}") from error


def _take(options: argparse.Namespace) -> dict[str, Any]:
    group, names = _members(options.members)
    eng, volumes = _engine(group, names[0], options)
    copies = _copies(volumes, [(name, name) for name in names], options.name, _SNAPSHOT)
    held = eng.snapshot_group(copies)
    return {"snapshot": options.name, "held_seconds": held, "volumes": _described(eng, copies)}


def _clone(options: argparse.Namespace) -> dict[str, Any]:
    held = 0.0
    if options.snapshot:
        group = options.members[0]
        sources = _belonging(commands.VolumeGroup(group).volumes(), _SNAPSHOT, options.snapshot)
        if not _is_complete(sources):
            raise UsageError(
                f"group snapshot {options.snapshot} is not complete: it is still being made, was "
                "cut short, or members were removed"
            )
        eng, volumes = _engine(group, sources[0].name, options)
        pairs = [(_tag(volume, _SOURCE) or volume.name, volume.name) for volume in sources]
        copies = _copies(volumes, pairs, options.name, _CLONE)
        eng.restore_group(copies, _show_progress)
    else:
        group, names = _members(options.members)
        eng, volumes = _engine(group, names[0], options)
        copies = _copies(volumes, [(name, name) for name in names], options.name, _CLONE)
        held = eng.clone_group(copies, _show_progress)
    return {"clone": options.name, "held_seconds": held, "volumes": _described(eng, copies)}


def _list(options: argparse.Namespace) -> dict[str, Any]:
    found: list[dict[str, Any]] = []
    volumes = commands.VolumeGroup(options.volume_group).volumes(status=True)
    for kind, prefix in (("snapshot", _SNAPSHOT), ("clone", _CLONE)):
        for name, members in _by_name(volumes, prefix).items():
            complete = _is_complete(members)
            found += [
                {
                    kind: name,
                    "volume": volume.name,
                    "source": _tag(volume, _SOURCE),
                    "size": volume.size,
                    "lost": volume.invalid,
                    "complete": complete,
                }
                for volume in members
            ]
    return {"volumes": found}


def _delete(options: argparse.Namespace) -> dict[str, Any]:
    volumes = commands.VolumeGroup(options.volume_group).volumes()
    snapshots = _belonging(volumes, _SNAPSHOT, options.name)
    eng, _volumes = _engine(options.volume_group, snapshots[0].name, options)
    eng.delete(volume.name for volume in snapshots)
    return {"deleted": options.name, "volumes": [{"volume": v.name} for v in snapshots]}


def _members(paths: Sequence[str]) -> tuple[str, list[str]]:
    """The volume group and the names of ``VG/LV`` or ``/dev/VG/LV``.

    :raises UsageError: one is not of that form, or they are in several groups.
    """
    pairs = [path.removeprefix("/dev/").split("/") for path in paths]
    if wrong := [path for path, pair in zip(paths, pairs, strict=True) if len(pair) != 2]:
        raise UsageError(f"not VG/LV: {', '.join(wrong)}")
    groups = {group for group, _name in pairs}
    if len(groups) > 1:
        raise UsageError(f"all volumes must be in one volume group, not {', '.join(groups)}")
    names = list(dict.fromkeys(name for _group, name in pairs))
    return groups.pop(), names


def _engine(
    group: str, member: str, options: argparse.Namespace
) -> tuple[engine.Engine, dict[str, commands.LogicalVolume]]:
    """An engine for the kind of volume that ``member`` is, and the group's volumes."""
    volumes = commands.VolumeGroup(group).volumes(hidden=True)  # to be refused by the engine
    if member not in volumes:
        raise UsageError(f"there is no volume {member} in volume group {group}")
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


def _copies(
    volumes: dict[str, commands.LogicalVolume],
    pairs: Sequence[tuple[str, str]],
    name: str,
    prefix: str,
) -> list[engine.Copy]:
    """What to make; ``pairs`` are the volume that a copy is named after and its source."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"not a name for LVM: {name!r}; letters, digits and + _ . - make one")
    copies = [
        engine.Copy(
            source=source,
            target=f"{origin}.{name}",
            tags=[f"{prefix}{name}", f"{_SOURCE}{origin}", f"{_MEMBERS}{len(pairs)}"],
        )
        for origin, source in pairs
    ]
    # The engine would take them for an earlier run's, and keep them or make them anew.
    if there := [copy.target for copy in copies if copy.target in volumes]:
        raise UsageError(f"there already: {', '.join(there)}")
    return copies


def _belonging(
    volumes: dict[str, commands.LogicalVolume], prefix: str, name: str
) -> list[commands.LogicalVolume]:
    found = _by_name(volumes, prefix).get(name)
    if not found:
        raise UsageError(f"there is no group snapshot {name}; cg-lvm list shows what there is")
    return found


def _by_name(
    volumes: dict[str, commands.LogicalVolume], prefix: str
) -> dict[str, list[commands.LogicalVolume]]:
    """The members of each group snapshot or clone."""
    found: dict[str, list[commands.LogicalVolume]] = {}
    for volume in volumes.values():
        if name := _tag(volume, prefix):
            found.setdefault(name, []).append(volume)
    return found


def _is_complete(volumes: Sequence[commands.LogicalVolume]) -> bool:
    """Whether these are all members of a group snapshot or clone, finished."""
    finished = [volume for volume in volumes if not sets.is_doomed(volume)]
    return {_tag(volume, _MEMBERS) for volume in volumes} == {str(len(finished))}


def _tag(volume: commands.LogicalVolume, prefix: str) -> str | None:
    return next((tag.removeprefix(prefix) for tag in volume.tags if tag.startswith(prefix)), None)


def _described(eng: engine.Engine, copies: Sequence[engine.Copy]) -> list[dict[str, str]]:
    return [
        {"volume": copy.target, "source": copy.source, "path": eng.device_path(copy.target)}
        for copy in copies
    ]


def _show_progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(f"\rcopied {100 * done // total} %", end=end, file=sys.stderr, flush=True)


def _shown(value: object) -> str:
    return f"{value:.6f}" if isinstance(value, float) else str(value)


def _text(answer: dict[str, Any]) -> str:
    lines = [
        f"{key.replace('_', ' ')}: {_shown(value)}"
        for key, value in answer.items()
        if key != "volumes"
    ]
    rows = [
        "  ".join(f"{key}={value}" for key, value in volume.items()) for volume in answer["volumes"]
    ]
    notes = [_IDENTIFIERS] if "clone" in answer else []
    return "\n".join([*lines, *rows, *notes])


if __name__ == "__main__":
    sys.exit(main())
