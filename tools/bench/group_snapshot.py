#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures group snapshots of the LVM engine beside a loop of ``lvcreate -s``, in one run.

``group_snapshot.py [--rounds N] [--members 2,8,32] OUTPUT``, as root where there is device-mapper
(``tools/guest/uml.py -- …`` elsewhere). A live writer goes round the members all the time; after
each group snapshot every block that it wrote is checked. Writes OUTPUT.json, OUTPUT.md (tables)
and OUTPUT.svg (the writer's longest stalls over time, for the last case of each method).

Methods: ``lvs`` runs as many plain ``lvs`` as the engine runs LVM processes, as a yardstick for
what any LVM command costs the writer; ``loop`` is one ``lvcreate -s`` after another, with LVM's
own settings, which is what Cinder's generic group snapshot comes to; ``engine`` is ours, in this
process; ``command`` is ``cg-lvm``, a new process each time, as a user has it. With ``--load``
another writer writes to all members at once, as fast as it can.
"""

import argparse
import contextlib
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from cg_extension.cmd.lvm.writer import Writer
from cg_extension.drivers.lvm import engine, privileged, retake
from cg_extension.tests.lvm import base, writer

MIB = 1 << 20
METHODS = {
    "lvs": "`lvs`, 5 times",
    "loop": "`lvcreate -s` loop",
    "engine": "engine",
    "command": "`cg-lvm`",
}
# How many group snapshots the plot shows of each method, at most.
PLOTTED = 8


class Case:
    """One kind of volumes and one number of members, on a volume group of its own."""

    def __init__(
        self, kind: str, members: int, rounds: int, methods: Sequence[str], load: bool
    ) -> None:
        self.kind, self.members, self.rounds = kind, members, rounds
        self.methods, self.load = methods, load
        self.fixture = base.VolumeGroupFixture(2000, 1200 if kind == "thin" else 0, 16)

    def measure(self) -> Iterator[dict[str, Any]]:
        """The methods in turn."""
        with self.fixture as group:
            self.engine = engine.Engine(
                engine.Settings(volume_group=group.name, pool=group.pool, clear_size=None)
            )
            self.names = [f"v{number}" for number in range(self.members)]
            for name in self.names:
                self.engine.create_volume(name, 16 * MIB)
            for method in self.methods:
                yield self._measure(method)

    def _measure(self, method: str) -> dict[str, Any]:
        take: Callable[[], float] = getattr(self, f"_{method}")
        times, held, gaps, processes = [], [], [], []
        devices = [self.engine.device_path(name) for name in self.names]
        FREEZES.spans.clear()
        with contextlib.ExitStack() as writers:
            writing = writers.enter_context(Writer(devices))
            if self.load:
                writers.enter_context(writer.Load(devices))
            time.sleep(0.5)
            for _ in range(self.rounds):
                before, started = time.monotonic(), PROCESSES.started
                held.append(take())
                times.append((before, time.monotonic()))
                processes.append(PROCESSES.started - started)
                if method != "lvs":
                    form = "{}.s" if method == "command" else "s-{}"
                    targets = [form.format(name) for name in self.names]
                    self.engine.activate(targets)
                    paths = [self.engine.device_path(target) for target in targets]
                    gaps.append(writer.gap(paths))
                    self.engine.delete(targets)
        stalls = [writing.longest_stall(*span) for span in times]
        seen = [writing.longest_across(*span) for span in FREEZES.spans]
        start = times[0][0]
        return {
            "kind": self.kind,
            "members": self.members,
            "method": method,
            "rounds": self.rounds,
            "torn": sum(gap > 0 for gap in gaps),
            "worst_gap_writes": max(gaps, default=0),
            "held_ms": [1000 * seconds for seconds in held],
            "seen_ms": [1000 * seconds for seconds in seen],
            "stall_ms": [1000 * seconds for seconds in stalls],
            "took_ms": [1000 * (end - begin) for begin, end in times],
            "processes": processes,
            "writes": writing.result["writes"],
            "spans_s": [(begin - start, end - start) for begin, end in times],
            "writer_stalls": [(at - start, 1000 * s) for at, s in writing.result["stalls"]],
        }

    def _lvs(self) -> float:
        for _ in range(5):
            base.run("lvs", self.fixture.name)
        return 0.0

    def _loop(self) -> float:
        size = ["-kn"] if self.kind == "thin" else ["-l", "100%ORIGIN"]
        for name in self.names:
            base.run(
                *("lvcreate", "-y", "-s", *size, "--addtag", "cg_ext", "-n", f"s-{name}"),
                f"{self.fixture.name}/{name}",
            )
        return 0.0

    def _engine(self) -> float:
        copies = [engine.Copy(source=name, target=f"s-{name}") for name in self.names]
        return self.engine.snapshot_group(copies).held

    def _command(self) -> float:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "cg_extension.cmd.lvm", "snapshot", "--json"),
                *("--name", "s", *(f"{self.fixture.name}/{name}" for name in self.names)),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        return float(json.loads(done.stdout)["held_seconds"])


class Freezes:
    """Notes when the freezes of this process began and ended, for the writer's view of them."""

    def __init__(self) -> None:
        self.spans: list[tuple[float, float]] = []
        self._run = retake._run
        retake._run = self._note

    def _note(self, *arguments: Any) -> str:
        answer = self._run(*arguments)
        word, _, times = answer.partition(" ")
        if word == "held":
            seconds, since = map(float, times.split())
            self.spans.append((since, since + seconds))
        return answer


FREEZES = Freezes()


class Processes:
    """Counts the processes that this one starts, by Python's audit event of ``subprocess``."""

    def __init__(self) -> None:
        self.started = 0
        sys.addaudithook(self._hear)

    def _hear(self, event: str, _arguments: tuple[Any, ...]) -> None:
        self.started += event == "subprocess.Popen"


PROCESSES = Processes()


def _platform() -> str:
    """Kernel, processors, LVM, Python."""
    lvm = base.run("lvm", "version").split("LVM version:")[1].split()[0]
    return (
        f"Linux {platform.release()} {platform.machine()}, {os.cpu_count()} processors, "
        f"LVM {lvm}, Python {platform.python_version()}"
    )


def _quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def tables(results: Sequence[dict[str, Any]]) -> str:
    """The results as a table in Markdown."""
    lines = [
        "| volumes | members | method | group snapshots | torn | worst gap (writes) "
        "| I/O held, ms: median / p99 / max | writer's longest write across it, ms: median / max "
        "| writer's longest stall, ms: median / max "
        "| whole call, ms: median | processes started: median |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in results:
        held, stall, seen = row["held_ms"], row["stall_ms"], row["seen_ms"]
        is_ours, is_lvs = row["method"] in ("engine", "command"), row["method"] == "lvs"
        held_text = (
            f"{statistics.median(held):.2f} / {_quantile(held, 0.99):.2f} / {max(held):.2f}"
            if is_ours
            else "-"
        )
        cells = (
            row["kind"],
            row["members"],
            METHODS[row["method"]],
            "-" if is_lvs else row["rounds"],
            "-" if is_lvs else row["torn"],
            "-" if is_lvs else row["worst_gap_writes"],
            held_text,
            f"{statistics.median(seen):.1f} / {max(seen):.1f}" if seen else "-",
            f"{statistics.median(stall):.1f} / {max(stall):.1f}",
            f"{statistics.median(row['took_ms']):.0f}",
            "-" if row["method"] == "command" else f"{statistics.median(row['processes']):.0f}",
        )
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def plot(results: Sequence[dict[str, Any]]) -> str:
    """The writer's stalls over time as SVG: a panel for the loop and one for the engine.

    Both show the same kind and number of members, those of the last case measured, on one scale,
    and its first ``PLOTTED`` group snapshots.
    """
    kind, members = results[-1]["kind"], results[-1]["members"]
    panels = [
        next(
            row
            for row in reversed(results)
            if (row["kind"], row["members"], row["method"]) == (kind, members, method)
        )
        for method in ("loop", "engine")
    ]
    seconds = min(panel["spans_s"][:PLOTTED][-1][1] for panel in panels)
    highest = max(
        (ms for panel in panels for at, ms in panel["writer_stalls"] if 0 <= at <= seconds),
        default=1.0,
    )
    width, height, left = 760, 150, 60
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width + left + 20}" '
        f'height="{2 * (height + 60)}" font-family="sans-serif" font-size="12">'
        '<rect width="100%" height="100%" fill="white"/>'
    ]
    for number, panel in enumerate(panels):
        top = 30 + number * (height + 60)
        bottom = top + height
        title = "lvcreate -s, one after another" if number == 0 else "engine"
        parts.append(
            f'<text x="{left}" y="{top - 10}">Writes that took over 1 ms: {title} '
            f"({kind}, {members} members); grey: a group snapshot is being taken</text>"
        )
        for begin, end in panel["spans_s"]:
            if begin < seconds:
                x, wide = begin / seconds * width, (min(end, seconds) - begin) / seconds * width
                parts.append(
                    f'<rect x="{left + x:.1f}" y="{top}" width="{wide:.1f}" height="{height}" '
                    'fill="#e4e4e4"/>'
                )
        for at, ms in panel["writer_stalls"]:
            if 0 <= at <= seconds:
                x = left + at / seconds * width
                parts.append(
                    f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" '
                    f'y2="{bottom - ms / highest * height:.1f}" stroke="#b22"/>'
                )
        parts.append(
            f'<path d="M{left} {top}V{bottom}H{left + width}" fill="none" stroke="black"/>'
            f'<text x="{left - 5}" y="{top + 10}" text-anchor="end">{highest:.0f} ms</text>'
            f'<text x="{left - 5}" y="{bottom}" text-anchor="end">0</text>'
            f'<text x="{left + width}" y="{bottom + 15}" text-anchor="end">{seconds:.0f} s</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", default="20,20,20", help="for each number of members")
    parser.add_argument("--members", default="2,8,32")
    parser.add_argument("--kinds", default="thin,thick")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--load", action="store_true")
    parser.add_argument("output", type=pathlib.Path)
    options = parser.parse_args()
    privileged.run_in_process()
    where = _platform()
    print(where, flush=True)
    results: list[dict[str, Any]] = []
    counts = zip(options.members.split(","), options.rounds.split(","), strict=True)
    for members, rounds in sorted((int(m), int(r)) for m, r in counts):
        for kind in options.kinds.split(","):
            methods = options.methods.split(",")
            for result in Case(kind, members, int(rounds), methods, options.load).measure():
                results.append(result)
                print(tables([result]), flush=True)
                # After each, so that a run that is cut short has told what it measured.
                options.output.with_suffix(".json").write_text(
                    json.dumps({"platform": where, "results": results})
                )
                options.output.with_suffix(".md").write_text(f"{where}\n\n{tables(results)}")
            if {"loop", "engine"} <= set(methods):
                options.output.with_suffix(".svg").write_text(plot(results))


if __name__ == "__main__":
    main()
