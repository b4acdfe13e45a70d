#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the LVM tests: here if there is device-mapper and we are root, else in User-Mode Linux.

``run_lvm_tests.py [--counts FILE] [WORD…]``: tests whose id has one of the words, or all. The
last line is ``N passed, N failed``; FILE gets ``passed failed skipped`` for a script to add up.
A guest that hangs or panics counts as a failed test.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from uml import boot


def _has_device_mapper() -> bool:
    if os.geteuid() != 0:
        return False
    check = subprocess.run(["dmsetup", "version"], capture_output=True, check=False)
    return check.returncode == 0


def main() -> int:
    """The command line; 1 unless all tests passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=pathlib.Path)
    parser.add_argument("--timeout", type=float, default=1500, metavar="SECONDS")
    parser.add_argument("words", nargs="*", metavar="WORD")
    arguments = parser.parse_args()
    os.chdir(pathlib.Path(__file__).resolve().parents[1])
    with tempfile.TemporaryDirectory() as directory:
        result = pathlib.Path(directory) / "counts"
        command = [sys.executable, "-W", "ignore", "-m", "cg_extension.tests.lvm.run"]
        command += [str(result), *arguments.words]
        if _has_device_mapper():
            print("LVM tests, on this machine")
            status = subprocess.run(command, check=False).returncode
        else:
            print("LVM tests, in User-Mode Linux", flush=True)
            status = boot.boot(command, timeout=arguments.timeout)
        counts = result.read_text() if result.exists() else "0 1 0\n"
    if arguments.counts:
        arguments.counts.write_text(counts)
    passed, failed, skipped = counts.split()
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if status or int(failed) else 0


if __name__ == "__main__":
    sys.exit(main())
