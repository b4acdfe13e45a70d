# SPDX-License-Identifier: Apache-2.0
"""``selftest``: whether group snapshots on this machine are of one instant, and what they cost.

It makes scratch volumes, has a writer go round them (``writer``), and takes group snapshots
meanwhile, beside snapshots by ``lvcreate -s``, one after another. All that it makes is temporary
(``temporaries``).
"""

import argparse
import contextlib
import dataclasses
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from cg_extension.cmd.lvm import machinery, naming, programs, temporaries, writer
from cg_extension.drivers.lvm import contents, engine, making
from cg_extension.drivers.lvm.reports import LogicalVolume

_MIB = 1 << 20
# Bytes of a scratch volume; the writer uses the first 256 KiB.
_SIZE = 4 * _MIB
# Bytes of a pool that a member takes with all its snapshots, of which there is one at a time.
_IN_POOL = 4 * _MIB
# Seconds after which a method begins no further round: so many, and more for each round.
_LIMIT, _LIMIT_OF_ROUND = 30, 10
# Seconds for which the writer is let go round before each snapshot.
_PAUSE = 0.1

# Upper bounds of the histogram's rows, in milliseconds.
_BOUNDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, math.inf)
_WIDTH = 20


@dataclasses.dataclass(slots=True)
class Measured:
    """What came of the rounds of one method.

    :param gaps: of each, by how many writes its snapshots are apart.
    :param held: of each, seconds for which I/O was held.
    :param spans: of each, when it began and ended (``time.monotonic``).
    """

    gaps: list[int] = dataclasses.field(default_factory=list)
    held: list[float] = dataclasses.field(default_factory=list)
    spans: list[tuple[float, float]] = dataclasses.field(default_factory=list)

    def answer(self, stalls: Sequence[float]) -> dict[str, Any]:
        """For ``--json``; ``stalls`` are the writer's longest of each round, in seconds."""
        return {
            "rounds": len(self.gaps),
            "torn": sum(gap > 0 for gap in self.gaps),
            "worst_gap_writes": max(self.gaps, default=0),
            "held_ms": [round(1000 * seconds, 3) for seconds in self.held],
            "stall_ms": [round(1000 * seconds, 3) for seconds in stalls],
            "took_ms": [round(1000 * (end - begin)) for begin, end in self.spans],
        }


def test(options: argparse.Namespace) -> dict[str, Any]:
    """``selftest``."""
    groups = machinery.Groups([options.volume_group], options)
    pool = pool_of(options, groups.volumes[options.volume_group])
    eng = engine.Engine(
        # What the writer writes is no secret.
        engine.Settings(volume_group=options.volume_group, pool=pool, clear_size=None)
    )
    eng.check()
    _check_room(eng, options.members)
    where = f"{eng.group.name}/{pool}" if pool else eng.group.name
    print(
        f"cg-lvm: {options.rounds} group snapshots, and as many by lvcreate -s, of "
        f"{options.members} scratch volumes in {where}; takes at most "
        f"{math.ceil(2 * _limit(options.rounds) / 60)} minutes, with fewer rounds if need be",
        file=sys.stderr,
        flush=True,
    )
    with _scratch_volumes(eng, options.members) as names:
        loop, group, writes = _measure(eng, names, options.rounds)
    return {
        "tested": options.volume_group,
        "ok": bool(group["rounds"]) and not group["torn"],
        "pool": pool,
        "members": options.members,
        "writes": writes,
        "group_snapshot": group,
        "lvcreate": loop,
    }


def pool_of(options: argparse.Namespace, volumes: Mapping[str, LogicalVolume]) -> str | None:
    """The thin pool to test in; None: thick volumes.

    :raises UsageError: which pool is meant can't be told, or it is none.
    """
    pools = sorted(volume.name for volume in volumes.values() if volume.is_pool)
    if options.thick:
        return None
    if options.pool:
        if options.pool not in pools:
            there = f"there are {', '.join(pools)}" if pools else "there are no thin pools"
            raise naming.UsageError(
                f"there is no thin pool {options.pool} in volume group {options.volume_group}; "
                f"{there}"
            )
        return str(options.pool)
    if len(pools) > 1:
        raise naming.UsageError(
            f"volume group {options.volume_group} has several thin pools: say --pool "
            f"{' or --pool '.join(pools)}, or --thick"
        )
    return pools[0] if pools else None


def _check_room(eng: engine.Engine, members: int) -> None:
    """:raises UsageError: there is too little room."""
    capacity = eng.capacity()
    if capacity.thin:
        needed, where = members * _IN_POOL, f"pool {eng.settings.pool}"
    else:
        # Extents may be larger than the volumes; with one for the snapshot's own needs.
        extent = eng.group.extent_size()
        whole = -(-_SIZE // extent) * extent
        needed, where = members * (2 * whole + extent), f"volume group {eng.group.name}"
    if capacity.free < needed:
        raise naming.UsageError(
            f"{where} has {capacity.free // _MIB} MiB free; a selftest of {members} members needs "
            f"{needed // _MIB} MiB meanwhile"
        )


def _limit(rounds: int) -> float:
    """Seconds that one method may take."""
    return _LIMIT + _LIMIT_OF_ROUND * rounds


@contextlib.contextmanager
def _scratch_volumes(eng: engine.Engine, members: int) -> Iterator[list[str]]:
    """Scratch volumes, removed at the end with all their snapshots."""
    names = [temporaries.new_name() for _ in range(members)]
    try:
        for name in names:
            eng.create_volume(name, _SIZE, [temporaries.tag()])
            if eng.settings.pool:  # all blocks are there already, as on a volume in use
                contents.clear(eng.device_path(name), 0, _SIZE)
        yield names
    finally:
        ours = temporaries.of_this_process(eng.volumes())
        temporaries.remove_or_leave(eng.maker.removal, ours)


def _measure(
    eng: engine.Engine, names: Sequence[str], rounds: int
) -> tuple[dict[str, Any], dict[str, Any], int]:
    """What came of both methods, and how often was written."""
    found = []
    writing = writer.Writer([eng.device_path(name) for name in names])
    with writing:
        for take in (_loop, _group_snapshot):
            found.append(_rounds(eng, names, rounds, take))
    loop, group = (
        measured.answer([writing.longest_stall(*span) for span in measured.spans])
        for measured in found
    )
    return loop, group, writing.result["writes"]


def _rounds(
    eng: engine.Engine,
    names: Sequence[str],
    rounds: int,
    take: Callable[[engine.Engine, Mapping[str, str]], float],
) -> Measured:
    limit = time.monotonic() + _limit(rounds)
    measured = Measured()
    for _ in range(rounds):
        if time.monotonic() > limit:
            break
        time.sleep(_PAUSE)
        targets = {name: temporaries.new_name() for name in names}
        before = time.monotonic()
        measured.held.append(take(eng, targets))
        measured.spans.append((before, time.monotonic()))
        eng.activate(list(targets.values()))
        measured.gaps.append(writer.gap([eng.device_path(each) for each in targets.values()]))
        eng.delete(targets.values())
    return measured


def _group_snapshot(eng: engine.Engine, targets: Mapping[str, str]) -> float:
    tags = [temporaries.tag()]
    copies = [
        engine.Copy(source=name, target=target, tags=tags) for name, target in targets.items()
    ]
    return eng.snapshot_group(copies).held


def _loop(eng: engine.Engine, targets: Mapping[str, str]) -> float:
    """What a script does, with LVM's own settings."""
    for name, target in targets.items():
        size = ["-kn"] if eng.settings.pool else ["-l", "100%ORIGIN"]
        programs.run(
            *("lvcreate", "-y", "-s", *size, "-n", target),
            *making.tag_arguments(["cg_ext", temporaries.tag()]),
            f"{eng.group.name}/{name}",
        )
    return 0.0


def text(answer: Mapping[str, Any]) -> str:
    """The answer for people."""
    group, loop = answer["group_snapshot"], answer["lvcreate"]
    kind = (
        f"thin volumes in {answer['tested']}/{answer['pool']}"
        if answer["pool"]
        else (f"thick volumes in {answer['tested']}")
    )
    lines = [
        f"group snapshots of {answer['members']} {kind}: {_verdict(group)}",
        f"one after another (lvcreate -s): {_verdict(loop)}",
    ]
    if loop["rounds"] and not loop["torn"]:
        lines.append(
            "The writer is too slow here to tear even those, so this proves little; try more "
            "--rounds or --members."
        )
    held = group["held_ms"]
    if held:
        lines.append(
            f"I/O held for {statistics.median(held):.2f} ms (median), {max(held):.2f} ms at most"
        )
    lines += [
        "",
        *histogram(
            {
                "I/O held": held,
                "writer's longest stall": group["stall_ms"],
                "with lvcreate -s": loop["stall_ms"],
            }
        ),
    ]
    return "\n".join(lines)


def _verdict(measured: Mapping[str, Any]) -> str:
    if not measured["rounds"]:
        return "none could be taken in the time"
    torn, rounds = measured["torn"], measured["rounds"]
    if not torn:
        return f"0 of {rounds} torn"
    return f"{torn} of {rounds} TORN, by up to {measured['worst_gap_writes']} writes"


def histogram(columns: Mapping[str, Sequence[float]]) -> list[str]:
    """Lines with a bar for each range of milliseconds that any column has values in."""
    counts = {
        name: [sum(low <= value < high for value in values) for low, high in _ranges()]
        for name, values in columns.items()
    }
    most = max((count for row in counts.values() for count in row), default=0)
    used = [n for n in range(len(_BOUNDS)) if any(row[n] for row in counts.values())]
    if not used:
        return []
    width = max(len(name) for name in columns)
    width = max(width, _WIDTH + 5)
    lines = ["ms".rjust(12) + "".join(f"  {name:<{width}}" for name in columns)]
    for n in range(used[0], used[-1] + 1):
        low, high = list(_ranges())[n]
        label = f"{low:g} and more" if high == math.inf else f"{low:g} to {high:g}"
        cells = [_bar(row[n], most) for row in counts.values()]
        lines.append(label.rjust(12) + "".join(f"  {cell:<{width}}" for cell in cells))
    return [line.rstrip() for line in lines]


def _ranges() -> Iterator[tuple[float, float]]:
    yield from zip((0, *_BOUNDS), _BOUNDS, strict=False)


def _bar(count: int, most: int) -> str:
    return f"{'#' * max(1, round(_WIDTH * count / most))} {count}" if count else ""
