#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs tox environments one after another, each within its time limit, and adds up their tests.

The part of run_tests.sh that comes after the set-up. The last line is ``N passed, N failed,
N skipped``; the exit status is 0 only if nothing failed and every environment ran tests.
"""

import contextlib
import dataclasses
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

ROOT = pathlib.Path(__file__).resolve().parents[1]
# Seconds; the first run of an environment includes its installation. Each is several times what it
# takes where nothing else is at work.
TIME_LIMITS = {
    "linters": 300,
    "docs": 300,
    "unit": 600,
    "database": 600,
    "functional": 1200,
    "galera": 600,
    "lvm": 2700,
    "smoke": 700,
    "cinder": 1500,
}
if os.environ.get("CG_TEST_LONG"):  # There are more tests then.
    TIME_LIMITS = {name: 4 * limit for name, limit in TIME_LIMITS.items()} | {"cinder28": 3600}
# A run of one of these counts as a test.
WITHOUT_TESTS = ("linters", "docs")
GRACE = 10
# How much of a failed test's traceback is repeated at the end; all of it is further up.
CAUSE_LINES = 30
CAUSE_WIDTH = 300
_COUNTED = re.compile(r"Ran \d+ tests?|FAILED \(")
# All that there is of a test in which its worker ended.
_CUT_OFF = re.compile(r"tags: worker-\d+")


@dataclasses.dataclass
class Counts:
    """What the tests of an environment came to."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    #: What is to be told beside failed tests.
    notes: list[str] = dataclasses.field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def tox(environment: str, limit: float) -> int | None:
    """Exit status of tox; None when it was ended at the time limit, in seconds."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tox", "run", "-e", environment],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait(limit)
    except subprocess.TimeoutExpired:
        print(f"\n{environment}: time limit of {limit:.0f} s; what it was doing:", flush=True)
        return None
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave nothing running that the environment started.

    An interrupt lets test processes stop what they started themselves, and tell where they were.
    One that does not react is aborted; faulthandler, which tox.ini switches on, then tells it.
    """
    for number in (signal.SIGINT, signal.SIGABRT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
            deadline = time.monotonic() + GRACE
            while time.monotonic() < deadline:
                process.poll()
                os.killpg(process.pid, 0)
                time.sleep(0.1)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def count(directory: pathlib.Path) -> Counts:
    """Counts of the run just made, from an environment's counts file or stestr repository."""
    written = directory / "counts"
    if written.exists():
        return Counts(*map(int, written.read_text().split()))
    statistics = "\n".join(_last_run(directory, "subunit-stats"))
    numbers = dict(re.findall(r"^(\w+) tests: +(\d+)", statistics, re.MULTILINE))
    return Counts(*(int(numbers.get(key, 0)) for key in ("Passed", "Failed", "Skipped")))


def lost(directory: pathlib.Path) -> list[str]:
    """Tests that did not run: stestr calls it a success when a worker dies between two tests.

    Scenarios, in parentheses, are made only when their test runs.
    """
    listed = _lines(_stestr(directory, "list"))
    ran = {test.partition("(")[0] for test in _last_run(directory, "subunit-ls")}
    return [test for test in listed if test.partition("(")[0] not in ran]


def _last_run(directory: pathlib.Path, reader: str) -> list[str]:
    """The lines that a program of the environment prints of the last run's stream."""
    stream = _stestr(directory, "last", "--subunit")
    return _lines(_output([directory / "bin" / reader], stream)) if stream else []


def _stestr(directory: pathlib.Path, *arguments: str) -> bytes:
    """What stestr prints, of an environment that has a stestr repository."""
    if not (directory / ".stestr").exists():
        return b""
    tests = ROOT / "cg_extension" / "tests" / directory.name.removesuffix("28")
    options = ["--repo-url", directory, "--test-path", tests]
    return _output([directory / "bin" / "stestr", *options, *arguments])


def _output(command: Sequence[str | pathlib.Path], standard_input: bytes = b"") -> bytes:
    done = subprocess.run(
        command, cwd=ROOT, input=standard_input, stdout=subprocess.PIPE, check=False
    )
    return done.stdout


def _lines(output: bytes) -> list[str]:
    return output.decode(errors="replace").splitlines()


def run(environment: str, directory: pathlib.Path) -> Counts:
    """Run one environment; a failure that no test accounts for counts as a failed test."""
    shutil.rmtree(directory / ".stestr", ignore_errors=True)
    for name in ("counts", "failing"):
        (directory / name).unlink(missing_ok=True)
    limit = TIME_LIMITS[environment]
    status = tox(environment, limit)
    notes = [] if status is not None else [f"It was ended at its time limit of {limit:.0f} s."]
    if environment in WITHOUT_TESTS:
        return Counts(passed=int(status == 0), failed=int(status != 0), notes=notes)
    counts = count(directory)
    counts.notes = notes
    if missing := lost(directory):
        print(f"{environment}: did not run:", *missing, sep="\n", flush=True)
        counts.failed += len(missing)
        notes.append(f"Tests that did not run: {len(missing)}, all of them told above.")
    if not counts.failed and (status != 0 or not counts.passed):
        counts.failed = 1
    return counts


def failing(directory: pathlib.Path) -> list[str]:
    """What failed in the last run and why, as ``stestr failing`` tells it."""
    written = directory / "failing"
    if written.exists():
        return written.read_text().splitlines()
    return _lines(_stestr(directory, "failing"))


def causes(lines: Sequence[str]) -> list[str]:
    """The names of failed tests, each with the end of its traceback.

    :param lines: the output of ``stestr failing``: for each test a rule, its name, what it logged
        and the traceback; then the counts.
    """
    blocks: list[list[str]] = []
    for number, line in enumerate(lines):
        if line.startswith(("FAIL: ", "ERROR: ")) and number and set(lines[number - 1]) == {"="}:
            blocks.append([line])
        elif blocks and set(line) != {"="} and not _COUNTED.match(line):
            blocks[-1].append(line[:CAUSE_WIDTH])
    for block in blocks:
        if all(not line.strip("-") or _CUT_OFF.fullmatch(line) for line in block[1:]):
            block[1:] = ["Its worker ended in the middle of it."]
    return [line for block in blocks for line in (block[0], *block[1:][-CAUSE_LINES:])]


def main() -> int:
    """Run what is named on the command line."""
    signal.signal(signal.SIGTERM, _interrupt)
    environments = sys.argv[1:]
    unknown = set(environments) - set(TIME_LIMITS)
    if unknown:
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(TIME_LIMITS)}")
    total, report = Counts(), []
    for environment in environments:
        print(f"\n=== {environment}", flush=True)
        started = time.monotonic()
        directory = ROOT / ".tox" / environment
        counts = run(environment, directory)
        report.append(f"{environment:10} {time.monotonic() - started:6.0f} s  {counts}")
        if counts.failed:
            told = [*counts.notes, *causes(failing(directory))]
            report += [f"           {line}" for line in told]
        total.passed += counts.passed
        total.failed += counts.failed
        total.skipped += counts.skipped
    print("", *report, total, sep="\n", flush=True)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
