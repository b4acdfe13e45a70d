#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What takes too long for every change: the parts of ``run_tests.sh --long``, and where they held.

``run_long.py [PART…]`` runs those parts, or all, each within its time limit, and writes what came
of them to docs/tested.md; rows of parts that were not run stay. A part is a command. It succeeds
with status 0, and its output tells the rest: first a line ``platform: SYSTEM; LVM …; Linux …;
Python …`` where it does not run on this machine's own root, and at last ``N passed, N failed, N
skipped``, or the totals of stestr, if it counts.
"""

import dataclasses
import datetime
import os
import pathlib
import platform
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

ROOT = pathlib.Path(__file__).resolve().parents[1]
REPORT = ROOT / "docs" / "tested.md"
# Seconds for a part that is over its limit to stop what it started.
GRACE = 60
HEADER = """\
# Where it was tried

Written by `tools/run_tests.sh --long`, a row for the last run of each part; nobody edits it. What a
part does is in the table of `tools/run_long.py`.

| part | system | LVM | Linux | Python | commit | date | took | result |
|---|---|---|---|---|---|---|---|---|
"""
_COUNTED = re.compile(r"\d+ passed, \d+ failed.*")
_TOTALS = re.compile(r"^ - (Passed|Failed|Skipped): (\d+)$", re.MULTILINE)
_PLATFORM = re.compile(r"^platform: (.*)$", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Part:
    """A command of ``tools/`` with its time limit in seconds."""

    name: str
    command: Sequence[str]
    limit: float


def _tests(environment: str) -> list[str]:
    return [sys.executable, "tools/run_tests.py", environment]


def _tox(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tox", *arguments]


def _script(*arguments: str) -> list[str]:
    """A script of ours in the environment that has what the tests need, made if it is not there."""
    command = shlex.join(["python", "-W", "ignore", *arguments])
    return _tox("run", "-e", "functional", "-x", f"testenv:functional.commands={command}")


def _chaos(*arguments: str) -> list[str]:
    return _tox("run", "-e", "chaos", "--", *arguments)


def _lvm(*arguments: str) -> list[str]:
    return [sys.executable, "tools/run_lvm_tests.py", *arguments]


def _on_tree(release: str, layer: str, tests: str) -> list[str]:
    """Tests of a directory, on a release's Python and servers and this machine's kernel."""
    chroot = ("tools/guest/chroot.py", "--release", release, "--layer", layer)
    return [sys.executable, *chroot, "--", "sh", "-c", _STESTR.format(tests)]


def _power_cuts(kind: str, *arguments: str) -> list[str]:
    return [sys.executable, "tools/guest/power_cuts.py", "--kind", kind, *arguments]


_IN_UML = (sys.executable, "tools/guest/uml.py", "--release", "trixie")
_IN_QEMU = ("--kind", "qemu", "--timeout", "5000")
_STESTR = (
    "python -c 'from cg_extension.tests.lvm import run; print(run.platform_line())' && "
    "stestr --repo-url /run init && "
    "CG_TEST_WARM=1 stestr --repo-url /run --test-path cg_extension/tests/{} run"
)
# Where a benchmark is to write what nobody will read.
_BRIEF = "/tmp/brief"
_DEVICES_FILE = "devices { use_devicesfile=1 }"

PARTS = (
    *(
        Part(
            f"all LVM tests in User-Mode Linux on {release}",
            _lvm("--release", release, "--timeout", "5000"),
            5400,
        )
        for release in ("bookworm", "trixie", "sid")
    ),
    *(
        Part(
            f"smoke test in QEMU on {release}",
            _lvm("--smoke", "--release", release, *_IN_QEMU),
            5400,
        )
        for release in ("bookworm", "trixie", "sid")
    ),
    Part(
        "smoke test in QEMU with use_devicesfile=1 on trixie",
        _lvm("--smoke", "--release", "trixie", "--lvm-conf", _DEVICES_FILE, *_IN_QEMU),
        5400,
    ),
    Part(
        "databases restored from what cg-lvm run took, in User-Mode Linux on trixie",
        _lvm("--release", "trixie", "--layer", "functional", "--suite", "restores"),
        3600,
    ),
    Part(
        "units under systemd in QEMU on trixie",
        _lvm("--release", "trixie", *_IN_QEMU, "machine.test_units."),
        5400,
    ),
    Part(
        "rollbacks at boot under systemd in QEMU on trixie, and power cuts amid them",
        [sys.executable, "tools/guest/boot_rollback.py", "--release", "trixie"],
        10800,
    ),
    Part(
        "Debian packages, built, installed and purged in QEMU on trixie",
        [sys.executable, "tools/try_packages.py", "--release", "trixie"],
        7200,
    ),
    *(
        Part(
            f"special volumes in QEMU on trixie, {what}",
            _lvm("--release", "trixie", *_IN_QEMU, f".test_special_volumes.{tests}"),
            5400,
        )
        for what, tests in (
            ("those that are refused", "Refused"),
            ("thick ones", "ThickTest"),
            ("thin ones", "ThinTest"),
            ("raid that is being synced", "SyncingTest"),
        )
    ),
    *(
        Part(
            f"20 power cuts in {name} on trixie, {volumes} volumes",
            _power_cuts(kind, *(["--thick"] if volumes == "thick" else [])),
            10800,
        )
        for kind, name in (("uml", "User-Mode Linux"), ("qemu", "QEMU"))
        for volumes in ("thin", "thick")
    ),
    *(
        Part(
            f"{rounds} power cuts of the service in {name} on trixie, {volumes} volumes",
            _power_cuts(
                *(kind, "--service", "--rounds", str(rounds)),
                *(["--thick"] if volumes == "thick" else []),
            ),
            10800,
        )
        for kind, name, rounds in (("uml", "User-Mode Linux", 10), ("qemu", "QEMU", 4))
        for volumes in ("thin", "thick")
    ),
    *(
        Part(
            f"lost writes, replayed flush by flush, on trixie, {volumes} volumes",
            [
                *(*_IN_UML, "--memory", "4G", "--timeout", "10000", "--", "python", "-W", "ignore"),
                *("-m", "cg_extension.tests.power_cuts.lost_writes", volumes, "1"),
            ],
            10800,
        )
        for volumes in ("thin", "thick")
    ),
    *(
        Part(
            f"Cinder 29 on Python {python}, all tests, on {release}",
            [sys.executable, "tools/run_cinder_tests.py", "--release", release],
            10800,
        )
        for release, python in (("bookworm", "3.11"), ("trixie", "3.13"))
    ),
    *(
        Part(
            f"{tests} tests on Python {python}, of {release}", _on_tree(release, layer, tests), 5400
        )
        for tests, layer, release, python in (
            ("unit", "test", "trixie", "3.13"),
            ("unit", "test", "sid", "3.14"),
            ("functional", "functional", "trixie", "3.13"),
        )
    ),
    Part("Cinder 28 on Python 3.11", _tests("cinder28"), 5400),
    Part("functional tests, at every death", _tests("functional"), 5400),
    Part(
        "chaos, 20 seeds, on PostgreSQL and MariaDB",
        _chaos("--seeds", "1-20"),
        7200,
    ),
    *(
        Part(f"benchmark {name}, as briefly as it runs", command, 1800)
        for name, command in (
            ("api.py", _tox("run", "-e", "bench", "--", "--rounds=1", "--seconds=1")),
            ("million.py", _script("tools/bench/million.py", "--counts", "100", "1000")),
            ("soak.py", _script("tools/bench/soak.py", "--requests=5000")),
            ("latency.py", _script("tools/bench/latency.py", "--seconds=20", _BRIEF)),
            (
                "group_snapshot.py",
                [
                    *(*_IN_UML, "--", "python", "-W", "ignore", "tools/bench/group_snapshot.py"),
                    *("--members=2", "--rounds=1", _BRIEF),
                ],
            ),
        )
    ),
    Part("races over two nodes of Galera, 200 of each kind", _tests("galera"), 3600),
    *(
        Part(
            f"20 minutes of chaos over {what}",
            _chaos("--database", kind, "--seeds", "1-10", "--seconds", "120"),
            5400,
        )
        for kind, what in (
            ("galera", "three nodes of Galera"),
            ("standby", "PostgreSQL with a standby that takes over"),
        )
    ),
)


def run(part: Part) -> tuple[bool, str]:
    """Run a part; whether it succeeded, and its output, which is passed on as well."""
    environment = {**os.environ, "CG_TEST_LONG": "1", "CG_TEST_TIME_LIMIT": "3600"}
    process = subprocess.Popen(
        part.command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    assert process.stdout is not None
    timers = [
        threading.Timer(part.limit + wait, os.killpg, (process.pid, number))
        for wait, number in ((0, signal.SIGINT), (GRACE, signal.SIGKILL))
    ]
    for timer in timers:
        timer.start()
    output = []
    try:
        for line in process.stdout:
            print(line, end="", flush=True)
            output.append(line)
        return process.wait() == 0, "".join(output)
    except KeyboardInterrupt:
        # It has a session of its own, so that the terminal's interrupt does not reach it.
        os.killpg(process.pid, signal.SIGINT)
        process.wait()
        raise
    finally:
        for timer in timers:
            timer.cancel()


def row(part: Part, succeeded: bool, output: str, seconds: float, commit: str) -> str:
    """A part's line of the report."""
    system, _, programs = (_PLATFORM.findall(output) or [_here()])[0].partition(";")
    versions = dict(each.split(maxsplit=1) for each in programs.split(";") if each)
    # What tests print themselves may look like either.
    counted = _COUNTED.fullmatch(output.rstrip().rpartition("\n")[2])
    result = counted[0] if counted else _totals(output)
    if not succeeded:
        result = f"**failed** {result}"
    date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d")
    where = [system, *(versions.get(name, "") for name in ("LVM", "Linux", "Python"))]
    cells = [part.name, *where, commit, date, f"{seconds / 60:.0f} min"]
    return f"| {' | '.join([*cells, (result or 'passed').strip()])} |"


def _totals(output: str) -> str:
    """What stestr has counted, in the words of all others; empty if it was not there."""
    totals = {name.lower(): number for name, number in _TOTALS.findall(output)}
    return ", ".join(f"{totals[name]} {name}" for name in ("passed", "failed", "skipped") if totals)


def _here() -> str:
    """This machine, as guests say what they are."""
    system = platform.freedesktop_os_release()["PRETTY_NAME"]
    return (
        f"{system}, {os.cpu_count()} processor(s); Linux {platform.release()}; "
        f"Python {platform.python_version()}"
    )


def _commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True).stdout

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/tested.md")
    return git("rev-parse", "--short", "HEAD").strip() + ("+" if changed else "")


def write(rows: dict[str, str]) -> None:
    """Put rows, by the names of their parts, into the report."""
    known = {}
    if REPORT.exists():
        lines = REPORT.read_text().splitlines()
        known = {line.split(" | ")[0].removeprefix("| "): line for line in lines}
    known |= rows
    lines = [known[part.name] for part in PARTS if part.name in known]
    REPORT.write_text(HEADER + "".join(f"{line}\n" for line in lines))


def main() -> int:
    """The command line; 1 unless all parts succeeded."""
    # Whoever starts us in the background may have it ignored, and parts would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    names = sys.argv[1:]
    chosen = [part for part in PARTS if not names or any(name in part.name for name in names)]
    if not chosen:
        sys.exit("no such part; there are:\n" + "\n".join(part.name for part in PARTS))
    failed = []
    for part in chosen:
        print(f"\n=== {part.name}", flush=True)
        started, commit = time.monotonic(), _commit()
        succeeded, output = run(part)
        took = time.monotonic() - started
        write({part.name: row(part, succeeded, output, took, commit)})
        if not succeeded:
            failed.append(part.name)
    print(f"\n{REPORT.read_text()}")
    print(*(f"failed: {name}" for name in failed), sep="\n")
    print(f"{len(chosen) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
