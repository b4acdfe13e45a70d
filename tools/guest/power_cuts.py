#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cuts a guest's power while it makes, copies and removes group snapshots, again and again.

``power_cuts.py [--kind uml|qemu] [--release R] [--thick] [--rounds N] [--seed S]``: a line for each
round, and exit status 1 with the guest's output at the first after which not all is as it must be
(``cg_extension/tests/power_cuts``). In QEMU what has reached the virtual disk survives a cut; in
User-Mode Linux, whose disk is a loop device on a file of this machine, what was not flushed may be
lost as well.
"""

import argparse
import contextlib
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from guest import qemu, tree, uml

_SIZE = 1 << 30
_LIMIT = 1200  # seconds for one boot
_AT_WORK = "at work"


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=("uml", "qemu"), default="uml")
    parser.add_argument("--release", choices=tree.RELEASES, default="trixie")
    parser.add_argument("--thick", action="store_true")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--longest", type=float, metavar="SECONDS", help="of work before a cut")
    parser.add_argument("--seed", default=str(int(time.time())))
    options = parser.parse_args()
    longest = options.longest or (15 if options.kind == "uml" else 60)
    volumes = "thick" if options.thick else "thin"
    chance = random.Random(options.seed)
    print(f"{options.kind} {options.release} {volumes}, seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        directory = pathlib.Path(name)
        with open(directory / "disk", "wb") as disk:
            disk.truncate(_SIZE)
        for number in range(options.rounds + 1):
            task = "work" if number < options.rounds else "audit"
            seconds = chance.uniform(0.5, longest)
            start = _in_uml if options.kind == "uml" else _in_qemu
            words = [f"s{options.seed}.{number}", volumes, task]
            output = start(options.release, directory, words, seconds)
            if number == 0:
                print(*re.findall("^platform: .*$", output, re.MULTILINE), sep="\n", flush=True)
            if (_AT_WORK if task == "work" else "audited") not in output:
                print(f"after cut {number}:\n{output[-8000:]}")
                return 1
            journal = (directory / "journal").read_text().splitlines()
            print(
                f"cut {number + 1} after {seconds:.1f} s at work: {journal[-1]}"
                if task == "work"
                else f"all right after {options.rounds} cuts, {len(journal)} events",
                flush=True,
            )
    return 0


def _command(python: str, disk: str, directory: pathlib.Path, words: Sequence[str]) -> list[str]:
    module = "cg_extension.tests.power_cuts.boot"
    return [python, "-W", "ignore", "-m", module, disk, str(directory / "journal"), *words]


def _cutter(seconds: float, cut: Callable[[], object]) -> Callable[[str], None]:
    """What is called with the guest's output, and cuts some time after it is at work."""
    timer = threading.Timer(seconds, cut)
    timer.daemon = True

    def heard(text: str) -> None:
        if _AT_WORK in text and not timer.is_alive():
            timer.start()

    return heard


def _in_uml(release: str, directory: pathlib.Path, words: Sequence[str], seconds: float) -> str:
    command = [sys.executable, uml.__file__, "--timeout", str(_LIMIT)]
    command += ["--release", release, "--share", str(directory), "--"]
    disk = str(directory / "disk")
    guest = subprocess.Popen(
        [*command, *_command("python", disk, directory, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    heard = _cutter(seconds, lambda: guest.send_signal(signal.SIGINT))
    lines = []
    for line in guest.stdout or ():
        lines.append(line)
        heard(line)
    guest.wait()
    return "".join(lines)


def _in_qemu(release: str, directory: pathlib.Path, words: Sequence[str], seconds: float) -> str:
    pieces: list[str] = []
    disks, shares = [directory / "disk"], [directory]
    with qemu.Guest(release, disks=disks, systemd=False, shares=shares) as guest:
        heard = _cutter(seconds, guest.kill)

        def output(text: str) -> None:
            pieces.append(text)
            heard(text)

        with contextlib.suppress(qemu.GuestDied):
            guest.run(
                _command("python", "/dev/vdb", directory, words),
                _LIMIT,
                output,
                {"DM_DISABLE_UDEV": "1"},
            )
    return "".join(pieces)


if __name__ == "__main__":
    sys.exit(main())
