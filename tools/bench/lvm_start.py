#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what an LVM command takes that does next to nothing, with and without asynchronous I/O.

``lvm_start.py [--rounds N]``, as root; device-mapper is not needed. Prints a table, for
docs/bench/cg-lvm.md. An empty volume group on a loop device; each round takes all commands in turn.
"""

import argparse
import contextlib
import os
import pathlib
import statistics
import tempfile
import time

import cg_lvm
import machine

_SETTINGS = """\
global {{ use_aio={aio} }}
devices {{ use_devicesfile=0 filter=["a|^{loop}$|", "r|.*|"] }}
activation {{ udev_sync=0 udev_rules=0 monitoring=0 }}
backup {{ backup=0 archive=0 }}
"""
_GROUP = f"bench{os.getpid()}"
_COMMANDS = (
    ("lvs", _GROUP),
    ("vgchange", "--quiet", "--addtag", "mark", _GROUP),
    ("vgchange", "--quiet", "--deltag", "mark", _GROUP),
)
_NAMES = {1: "as LVM comes", 0: "`use_aio=0`"}


def measure(directories: dict[int, pathlib.Path], rounds: int, noise: machine.Noise) -> list[str]:
    """A row for each command, with the time by the clock; one round beforehand does not count."""
    took: dict[tuple[int, tuple[str, ...]], list[float]] = {}
    for number in range(rounds + 1):
        noise.look()
        for aio, directory in directories.items():
            environment = {**os.environ, "LVM_SYSTEM_DIR": str(directory)}
            for command in _COMMANDS:
                started = time.perf_counter()
                cg_lvm.run(*command, env=environment)
                if number:
                    passed = 1000 * (time.perf_counter() - started)
                    took.setdefault((aio, command), []).append(passed)
    lines = [
        f"| command | {' | '.join(f'{_NAMES[aio]}, ms' for aio in directories)} |",
        "|---|---|---|",
    ]
    for command in _COMMANDS:
        cells = [
            f"{statistics.median(took[aio, command]):.0f} ({min(took[aio, command]):.0f}, "
            f"{max(took[aio, command]):.0f})"
            for aio in directories
        ]
        lines.append(f"| `{' '.join(command[:-1])}` | {' | '.join(cells)} |")
    return lines


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=25)
    rounds = parser.parse_args().rounds
    noise = machine.Noise(time.perf_counter)
    with contextlib.ExitStack() as undo:
        directory = pathlib.Path(undo.enter_context(tempfile.TemporaryDirectory()))
        image = directory / "image"
        with open(image, "wb") as file:
            file.truncate(64 << 20)
        loop = cg_lvm.run("losetup", "--find", "--show", str(image)).strip()
        undo.callback(cg_lvm.run, "losetup", "--detach", loop)
        directories = {aio: directory / f"aio{aio}" for aio in _NAMES}
        for aio, each in directories.items():
            each.mkdir()
            (each / "lvm.conf").write_text(_SETTINGS.format(aio=aio, loop=loop))
        environment = {**os.environ, "LVM_SYSTEM_DIR": str(directories[1])}
        cg_lvm.run("vgcreate", "--quiet", _GROUP, loop, env=environment)
        lines = measure(directories, rounds, noise)
    print(f"{cg_lvm.heading(rounds)}\n")
    print("\n".join(lines), f"\n\n{noise}", sep="")


if __name__ == "__main__":
    main()
