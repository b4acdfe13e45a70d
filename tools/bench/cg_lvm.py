#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures ``cg-lvm snapshot`` from Enter to prompt, beside ``lvcreate -s`` of each volume.

``cg_lvm.py [--rounds N] [--others 0,100,3000] [--snapm DIRECTORY] [--as-it-comes]``, as root where
there is device-mapper (``tools/guest/uml.py -- …`` elsewhere). Prints a table, for
docs/bench/cg-lvm.md.

Two thin volumes with ext4 on them, mounted, in a volume group with so many other volumes. Each
round takes all methods in turn, so that what else the machine does meets all of them alike:
``lvcreate`` is two commands as one types them, with LVM's own settings; ``cg-lvm`` is the command
in a new process; ``snapm`` (if its package is in the directory given) is ``snapm snapset create``
of the two mount points. ``lvs`` and ``python`` are yardsticks: one LVM process that only reads,
and a Python that does nothing. What was taken is removed again, untimed, after each.

Beside the time by the clock stands the processor time of the command and all that it waited for,
which other work on the machine changes less.
"""

import argparse
import contextlib
import os
import pathlib
import platform
import re
import resource
import shutil
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import machine

ROOT = pathlib.Path(__file__).resolve().parents[2]

EXTENT = 128  # KiB: many volumes in a small group
NAMES = ("a", "b")
YARDSTICKS = ("python", "lvs")
COMMAND = (sys.executable, "-m", "cg_extension.cmd.lvm")


def run(*command: str, **options: Any) -> str:
    """Run a command that has nobody to ask; its output."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **options
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


class Case:
    """A volume group with two thin volumes and ``others``, on a loop device."""

    def __init__(
        self, directory: pathlib.Path, others: int, snapm: str | None, as_it_comes: bool
    ) -> None:
        self.directory, self.others, self.snapm = directory, others, snapm
        self.as_it_comes = as_it_comes
        self.group = f"bench{others}"
        self.points = [directory / f"{self.group}-{name}" for name in NAMES]
        self.count = 0

    @contextlib.contextmanager
    def ready(self) -> Iterator[None]:
        """Make all of it, and remove it at the end."""
        with contextlib.ExitStack() as undo:
            image = self.directory / f"{self.group}.img"
            with open(image, "wb") as file:
                file.truncate((400 << 20) + self.others * (EXTENT << 10))
            undo.callback(image.unlink)
            loop = run("losetup", "--find", "--show", str(image)).strip()
            undo.callback(run, "losetup", "--detach", loop)
            if not self.as_it_comes:
                os.environ["LVM_SYSTEM_DIR"] = str(self._settings(loop))
            run("pvcreate", "--metadatasize", "16m", loop)
            run("vgcreate", "--physicalextentsize", f"{EXTENT}k", self.group, loop)
            undo.callback(run, "vgremove", "--force", "--yes", self.group)
            pool = ("--type", "thin-pool", "--size", "200m", "--poolmetadatasize", "8m")
            run("lvcreate", "--yes", *pool, "--name", "pool", self.group)
            for name, point in zip(NAMES, self.points, strict=True):
                thin = ("--thin", f"{self.group}/pool", "--virtualsize", "64m", "--name", name)
                run("lvcreate", "--yes", *thin)
                run("mkfs.ext4", "-q", f"/dev/{self.group}/{name}")
                point.mkdir(exist_ok=True)
                run("mount", f"/dev/{self.group}/{name}", str(point))
                undo.callback(run, "umount", str(point))
            self._add_others()
            yield

    def _settings(self, loop: str) -> pathlib.Path:
        """A directory with LVM's defaults, but for what the guest has not and other disks."""
        directory = self.directory / "lvm"
        directory.mkdir(exist_ok=True)
        udev = int(os.path.exists("/run/udev/control"))
        (directory / "lvm.conf").write_text(
            f'devices {{ use_devicesfile=0 filter=["a|^{loop}$|", "r|.*|"] }}\n'
            f"activation {{ udev_sync={udev} udev_rules={udev} monitoring=0 }}\n"
            "backup { backup=0 archive=0 }\n"
        )
        return directory

    def _add_others(self) -> None:
        """Write volumes of one extent each into the group's metadata: one by one takes an hour."""
        if not self.others:
            return
        path = self.directory / "metadata"
        run("vgcfgbackup", "--file", str(path), self.group)
        text = path.read_text()
        free = int(run("vgs", "--noheadings", "-o", "vg_extent_count", self.group)) - self.others
        (disk,) = set(re.findall(r"^\t\t(pv\d+) \{", text, re.MULTILINE))
        entries = "".join(
            f"""
		other{number} {{
			id = "{_lvm_uuid()}"
			status = ["READ", "WRITE", "VISIBLE"]
			flags = []
			creation_time = 1700000000
			creation_host = "bench"
			segment_count = 1
			segment1 {{
				start_extent = 0
				extent_count = 1
				type = "striped"
				stripe_count = 1
				stripes = ["{disk}", {free + number}]
			}}
		}}
"""
            for number in range(self.others)
        )
        path.write_text(text.replace("\tlogical_volumes {\n", f"\tlogical_volumes {{\n{entries}"))
        run("vgcfgrestore", "--force", "--yes", "--file", str(path), self.group)

    @property
    def methods(self) -> dict[str, Callable[[], None]]:
        """What is timed, in the order of a round."""
        found: dict[str, Callable[[], None]] = {
            "python": lambda: _discard(run(sys.executable, "-c", "pass")),
            "lvs": lambda: _discard(run("lvs", self.group)),
            "lvcreate": self._lvcreate,
            "cg-lvm": self._cg_lvm,
        }
        if self.snapm:
            found["snapm"] = self._snapm
        return found

    def _lvcreate(self) -> None:
        for name in NAMES:
            run("lvcreate", "-s", "-n", f"{name}.{self.count}", f"{self.group}/{name}")

    def _cg_lvm(self) -> None:
        members = [f"{self.group}/{name}" for name in NAMES]
        run(*COMMAND, "snapshot", *members, "--name", str(self.count), cwd=ROOT)

    def _snapm(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(self.snapm)}
        snapm = (sys.executable, f"{self.snapm}/bin/snapm")
        create = ("snapset", "create", f"s{self.count}", *map(str, self.points))
        run(*snapm, *create, env=environment, cwd=self.snapm)

    def clean(self) -> int:
        """Remove what was taken; how many snapshots there were."""
        found = run("lvs", "--noheadings", "-o", "lv_name,origin", self.group).splitlines()
        names = [line.split()[0] for line in found if len(line.split()) > 1]
        if names:
            run("lvremove", "--yes", "--force", *(f"{self.group}/{name}" for name in names))
        self.count += 1
        return len(names)


def _discard(_output: str) -> None:
    """A method has no result."""


def _lvm_uuid() -> str:
    digits = uuid.uuid4().hex
    sizes = (6, 4, 4, 4, 4, 4, 6)
    starts = [sum(sizes[:number]) for number in range(len(sizes))]
    pairs = zip(starts, sizes, strict=True)
    return "-".join(digits[start : start + size] for start, size in pairs)


class Took(NamedTuple):
    """Milliseconds of one command: by the clock, and of the processor."""

    clock: float
    processor: float


def measure(case: Case, rounds: int, noise: machine.Noise) -> dict[str, list[Took]]:
    """What each method took; one round beforehand does not count."""
    took: dict[str, list[Took]] = {name: [] for name in case.methods}
    for number in range(rounds + 1):
        noise.look()
        for name, method in case.methods.items():
            started, used = time.perf_counter(), _processor_time()
            method()
            passed, used = time.perf_counter() - started, _processor_time() - used
            if case.clean() != (0 if name in YARDSTICKS else len(NAMES)):
                raise SystemExit(f"{name} did not take a snapshot of each volume")
            if number:
                took[name].append(Took(1000 * passed, 1000 * used))
    return took


def _processor_time() -> float:
    """Seconds of all commands that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def table(measured: dict[str, dict[str, list[Took]]]) -> list[str]:
    """A row for each number of other volumes and each method."""
    lines = [
        "| other volumes | method | ms: median (from, to) | times two `lvcreate -s` "
        "| processor, ms | times |",
        "|---|---|---|---|---|---|",
    ]
    for others, took in measured.items():
        clocks = {name: [each.clock for each in values] for name, values in took.items()}
        used = {
            name: statistics.median(each.processor for each in values)
            for name, values in took.items()
        }
        whole = statistics.median(clocks["lvcreate"])
        for name, values in clocks.items():
            median = statistics.median(values)
            lines.append(
                f"| {others} | `{name}` | {median:.0f} ({min(values):.0f}, {max(values):.0f}) "
                f"| {median / whole:.2f} | {used[name]:.0f} | {used[name] / used['lvcreate']:.2f} |"
            )
    return lines


def heading(rounds: int) -> str:
    """What was measured, and on what."""
    version = re.search(r"LVM version:\s*(\S+)", run("lvm", "version"))
    assert version
    return (
        f"LVM {version[1]}, Linux {platform.release()}, {machine.description()}; {rounds} rounds."
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--others", default="0,100,3000")
    parser.add_argument("--snapm", help="directory into which `pip install --target` put snapm")
    parser.add_argument(
        "--as-it-comes",
        action="store_true",
        help="with the machine's own lvm.conf: dmeventd, archives and backups",
    )
    options = parser.parse_args(arguments)
    directory = pathlib.Path(f"/run/bench-{os.getpid()}")
    directory.mkdir()
    if options.snapm:
        pathlib.Path("/run/snapm").mkdir(0o700, exist_ok=True)  # as its package's tmpfiles.d does
    noise = machine.Noise(time.perf_counter)
    measured = {}
    try:
        for others in options.others.split(","):
            case = Case(directory, int(others), options.snapm, options.as_it_comes)
            with case.ready():
                measured[others] = measure(case, options.rounds, noise)
    finally:
        shutil.rmtree(directory)
    lines = [
        heading(options.rounds),
        "",
        *table(measured),
        "",
        str(noise),
    ]
    print("\n".join(lines))


if __name__ == "__main__":
    main()
