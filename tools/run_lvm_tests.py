#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the LVM tests: here if there is device-mapper and we are root, else in User-Mode Linux.

``run_lvm_tests.py [--counts FILE] [WORD…]``: tests whose id has one of the words, or all. The
last line is ``N passed, N failed``; FILE gets ``passed failed skipped`` for a script to add up.
Two guests share the tests, as each has one processor; one that hangs or panics counts as a failed
test.
"""

import argparse
import concurrent.futures
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from guest import uml


def _has_device_mapper() -> bool:
    if os.geteuid() != 0:
        return False
    check = subprocess.run(["dmsetup", "version"], capture_output=True, check=False)
    return check.returncode == 0


def main() -> int:
    """The command line; 1 unless all tests passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=pathlib.Path)
    parser.add_argument("--timeout", type=float, default=2700, metavar="SECONDS")
    parser.add_argument("--guests", type=int, default=2)
    parser.add_argument("words", nargs="*", metavar="WORD")
    arguments = parser.parse_args()
    os.chdir(pathlib.Path(__file__).resolve().parents[1])
    here = _has_device_mapper()
    print("LVM tests,", "on this machine" if here else "in User-Mode Linux", flush=True)
    shares = 1 if here else arguments.guests

    def run_share(number: int) -> tuple[int, int, int]:
        """Run every ``shares``-th test; how many passed, failed, were skipped."""
        with tempfile.TemporaryDirectory() as directory:
            result = pathlib.Path(directory) / "counts"
            command = [sys.executable, "-W", "ignore", "-m", "cg_extension.tests.lvm.run"]
            command += [str(result), f"{number}/{shares}", *arguments.words]
            if here:
                subprocess.run(command, check=False)
            else:
                uml.boot(command, timeout=arguments.timeout)
            if not result.exists():  # it hung or died before the end
                return 0, 1, 0
            passed, failed, skipped = map(int, result.read_text().split())
            return passed, failed, skipped

    with concurrent.futures.ThreadPoolExecutor(shares) as pool:
        counts = [sum(share) for share in zip(*pool.map(run_share, range(shares)), strict=True)]
    if arguments.counts:
        arguments.counts.write_text(" ".join(map(str, counts)) + "\n")
    passed, failed, skipped = counts
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
