#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cuts a guest's power while it makes, copies, removes and goes back to group snapshots.

``power_cuts.py [--kind uml|qemu] [--release R] [--thick] [--rounds N] [--seed S]``: prints a line
for each round. After the first one that does not leave all as it must be
(``cg_extension/tests/power_cuts``), it ends with status 1 and the guest's output. With ``--during
ACTION``, the time before a cut begins with the first such action of ``cg-lvm``, as the journal
names it. With ``--service`` it is ``cg-standalone`` that makes the group snapshots, for a client
(``power_cuts/service``). In QEMU what has reached the virtual disk survives a cut; in User-Mode
Linux, whose disk is a loop device on a file, what was not flushed may be lost as well (except with
the service's thick volumes, whose disk is the file itself).
"""

import argparse
import collections
import functools
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from guest import qemu, tree, uml

# By what is at work, cg-lvm or the service: the package of what the guest runs, bytes of its disk,
# and the longest time of work before a cut, in seconds by the kind of guest.
_SIZE = 1 << 30
_COMMAND = ("cg_extension.tests.power_cuts", _SIZE, {"uml": 15, "qemu": 45})
_SERVICE = ("cg_extension.tests.power_cuts.service", 14 << 30, {"uml": 20, "qemu": 150})
_LIMIT = 1200  # seconds for one boot
_AT_WORK = "at work"


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=("uml", "qemu"), default="uml")
    parser.add_argument("--release", choices=tree.RELEASES, default="trixie")
    parser.add_argument("--thick", action="store_true")
    parser.add_argument("--service", action="store_true")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--longest", type=float, metavar="SECONDS", help="at work before a cut")
    parser.add_argument("--during", metavar="ACTION", help="such as rollback")
    parser.add_argument("--seed", default=str(int(time.time())))
    options = parser.parse_args()
    package, size, longest_of = _SERVICE if options.service else _COMMAND
    longest = options.longest or longest_of[options.kind]
    volumes = "thick" if options.thick else "thin"
    print(f"{options.kind} {options.release} {volumes}, seed {options.seed}", flush=True)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="power_cuts-", dir="/var/tmp"))
    start = _in_uml if options.kind == "uml" else _in_qemu
    started = functools.partial(start, options.release, directory, package)
    sign = f"{_AT_WORK}: {options.during}" if options.during else _AT_WORK
    found = _cut(started, directory, options.rounds, volumes, options.seed, longest, size, sign)
    if found:
        print(f"{found}\nThe disk as the cut left it: {directory / 'disk.before'}")
        return 1
    shutil.rmtree(directory)
    return 0


class _Boot:
    """One boot: the timer of its power cut, and what the guest printed."""

    def __init__(self, seconds: float, sign: str = _AT_WORK) -> None:
        """``seconds`` of work, after the guest has given the sign, and then the power goes."""
        self.output = ""
        self.was_cut = False
        self._seconds = seconds
        self._sign = sign
        self._timer: threading.Timer | None = None

    def heard(self, text: str, cut: Callable[[], object]) -> None:
        """Take more of the output, and a function that cuts the power."""
        self.output += text
        if self._sign in self.output and self._timer is None:
            self._timer = threading.Timer(self._seconds, self._switch_off, [cut])
            self._timer.daemon = True
            self._timer.start()

    def _switch_off(self, cut: Callable[[], object]) -> None:
        self.was_cut = True
        cut()


def _cut(
    start: Callable[[Sequence[str], _Boot], object],
    directory: pathlib.Path,
    rounds: int,
    volumes: str,
    seed: str,
    longest: float,
    size: int = _SIZE,
    sign: str = _AT_WORK,
) -> str:
    """Cut the power ``rounds`` times; gives what was wrong after one of them, or nothing."""
    chance = random.Random(seed)
    disk, journal = directory / "disk", directory / "journal"
    with open(disk, "wb") as file:
        file.truncate(size)
    hit: collections.Counter[str] = collections.Counter()
    found: collections.Counter[str] = collections.Counter()
    cut = ""
    for number in range(rounds + 1):
        task = "work" if number < rounds else "audit"
        seconds = chance.uniform(0.5 if sign == _AT_WORK else 0, longest)
        subprocess.run(["cp", "--sparse=always", disk, f"{disk}.before"], check=True)
        started, boot = time.monotonic(), _Boot(seconds, sign)
        start([f"s{seed}.{number}", volumes, task], boot)
        if number == 0:
            print(*re.findall("^platform: .*$", boot.output, re.MULTILINE), sep="\n", flush=True)
        else:
            (left,) = re.findall("^left: (.*)$", boot.output, re.MULTILINE) or ["not known"]
            by = re.findall("^put right by: .*$", boot.output, re.MULTILINE)
            print("; ".join([cut, f"left: {left}", *by]), flush=True)
            found.update(item.partition(" with ")[0] for item in left.split(", "))
        if "audited" not in boot.output or boot.was_cut != (task == "work"):
            return f"after cut {number}:\n{boot.output[-8000:]}"
        events = journal.read_text().splitlines() if journal.exists() else []
        asked = events[-1] if events else "nothing"
        cut = (
            f"cut {number + 1}, {time.monotonic() - started:.0f} s after the start, "
            f"{seconds:.1f} s at work, after: {asked}"
        )
        if task == "work":
            hit[" ".join(asked.split()[:2])] += 1
    print(
        f"{rounds} passed, 0 failed; seed {seed}; cut after: {_counted(hit)}; "
        f"left: {_counted(found)}"
    )
    return ""


def _counted(counter: collections.Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(counter.items()))


def _command(package: str, disk: str, directory: pathlib.Path, words: Sequence[str]) -> list[str]:
    boot = ["python", "-W", "ignore", "-m", f"{package}.boot"]
    return [*boot, disk, str(directory / "journal"), *words]


def _in_uml(
    release: str, directory: pathlib.Path, package: str, words: Sequence[str], boot: _Boot
) -> None:
    command = [sys.executable, uml.__file__, "--timeout", str(_LIMIT)]
    command += ["--release", release, "--share", str(directory)]
    disk = str(directory / "disk")
    if package == _SERVICE[0] and "thick" in words:  # A loop device's cache would fill the memory.
        command += ["--disk", disk]
        disk = "/dev/ubda"
    command.append("--")
    guest = subprocess.Popen(
        [*command, *_command(package, disk, directory, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    for line in guest.stdout or ():
        boot.heard(line, lambda: guest.send_signal(signal.SIGINT))
    guest.wait()


def _in_qemu(
    release: str, directory: pathlib.Path, package: str, words: Sequence[str], boot: _Boot
) -> None:
    disks, shares = [directory / "disk"], [directory]
    with qemu.Guest(release, disks=disks, systemd=False, shares=shares) as guest:
        try:
            guest.run(
                _command(package, "/dev/vdb", directory, words),
                _LIMIT,
                lambda text: boot.heard(text, guest.kill),
                {"DM_DISABLE_UDEV": "1"},
            )
        except qemu.GuestDied as died:
            if not boot.was_cut:
                boot.output += str(died)


if __name__ == "__main__":
    sys.exit(main())
