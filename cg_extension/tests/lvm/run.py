# SPDX-License-Identifier: Apache-2.0
"""Runs the LVM tests in this process, one line per test; root and device-mapper must be there.

``python -m cg_extension.tests.lvm.run COUNTS TAKEN SUITES [WORD…]`` runs tests whose id has one of
the words, or all; writes ``passed failed skipped`` to the file COUNTS, which failed and why to
COUNTS.failing, in the form of ``stestr failing``, and which is running to COUNTS.running, so that
what kills it is no secret. Processes that get the same
empty directory TAKEN, in other guests, too, share the tests: each takes the next that no other has
taken. SUITES is ``lvm``, or ``lvm,machine`` where those can run, too.
``tools/run_lvm_tests.py`` starts it. CG_TEST_STORM (group snapshots in the storm) and
CG_TEST_TIME_LIMIT make longer runs. A line ``platform: …`` says where it ran.
"""

import contextlib
import faulthandler
import os
import pathlib
import platform
import subprocess
import sys
import time
import traceback
import unittest
from collections.abc import Iterable, Iterator

from testtools import iterate_tests

# Seconds for one test.
TIME_LIMIT = int(os.environ.get("CG_TEST_TIME_LIMIT", "600"))


class _Result(unittest.TestResult):
    """Prints each test's outcome; a test that hangs ends the run, with where it hung."""

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self.started = time.monotonic()
        self.outcome = "ok"
        faulthandler.dump_traceback_later(TIME_LIMIT, exit=True)

    def stopTest(self, test: unittest.TestCase) -> None:
        faulthandler.cancel_dump_traceback_later()
        took = time.monotonic() - self.started
        print(f"{self.outcome:4} {_name(test)} [{took:.1f} s]", flush=True)

    def addError(self, test: unittest.TestCase, err: tuple) -> None:
        self.outcome = "FAIL"
        super().addError(test, err)
        traceback.print_exception(*err, file=sys.stdout)

    addFailure = addError

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        self.outcome = "skip"
        super().addSkip(test, reason)


def _name(test: unittest.TestCase) -> str:
    return test.id().removeprefix("cg_extension.tests.").removeprefix("lvm.")


def _chosen(suite: unittest.TestSuite, words: list[str]) -> Iterator[unittest.TestCase]:
    """Tests that have one of the words in their ids; and modules that can't be imported."""
    for test in iterate_tests(suite):
        if (
            not words
            or isinstance(test, unittest.loader._FailedTest)
            or any(word in test.id() for word in words)
        ):
            yield test


def _taken(
    tests: Iterable[unittest.TestCase], directory: pathlib.Path
) -> Iterator[unittest.TestCase]:
    """Those of the tests that are left when it is their turn; a directory for each tells others."""
    for number, test in enumerate(tests):
        with contextlib.suppress(FileExistsError):
            (directory / str(number)).mkdir()
            yield test


def platform_line() -> str:
    """Where this runs, for who reads the output."""
    version = subprocess.run(["lvm", "version"], capture_output=True, text=True).stdout
    lvm = version.partition("LVM version:")[2].split()[0]
    system = platform.freedesktop_os_release()["PRETTY_NAME"]
    running = set()
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ends meanwhile
            running.add((entry / "comm").read_text().strip())
    services = [name for name in ("systemd", "systemd-udevd") if name in running]
    return "platform: " + "; ".join(
        [
            f"{system}{''.join(f', {name}' for name in services)}, {os.cpu_count()} processor(s)",
            f"LVM {lvm}",
            f"Linux {platform.release()}",
            f"Python {platform.python_version()}",
        ]
    )


def main() -> int:
    """Run; 1 if a test failed."""
    print(platform_line(), flush=True)
    counts, taken, suites, *words = sys.argv[1:]
    os.environ.setdefault("OS_LOG_CAPTURE", "1")  # oslotest: logs of failed tests only
    tests = pathlib.Path(__file__).parents[1]
    top = str(tests.parents[1])
    suite = unittest.TestSuite(
        unittest.defaultTestLoader.discover(str(tests / name), top_level_dir=top)
        for name in suites.split(",")
    )
    result = _Result()
    running = pathlib.Path(f"{counts}.running")
    _write(result, counts)
    for test in _taken(_chosen(suite, words), pathlib.Path(taken)):
        _put(running, test.id())
        test.run(result)
        _write(result, counts)
    running.unlink(missing_ok=True)
    return 0 if result.wasSuccessful() else 1


def _write(result: unittest.TestResult, counts: str) -> None:
    failed, skipped = len(result.errors) + len(result.failures), len(result.skipped)
    passed = result.testsRun - failed - skipped
    _put(pathlib.Path(counts), f"{passed} {failed} {skipped}\n")
    blocks = [
        f"{'=' * 70}\nFAIL: {test.id()}\n{trace}\n"
        for test, trace in (*result.errors, *result.failures)
    ]
    _put(pathlib.Path(f"{counts}.failing"), "".join(blocks))


def _put(file: pathlib.Path, text: str) -> None:
    """Write a file so that it is there when the guest dies."""
    with open(file, "w") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())


if __name__ == "__main__":
    sys.exit(main())
