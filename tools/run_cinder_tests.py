#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the tests in Cinder on a tree of Debian: ``run_cinder_tests.py [--release RELEASE]``.

Tests of the driver on real LVM run in User-Mode Linux, with eventlet and with threads, all others
in a chroot with the release's own Python, MariaDB and RabbitMQ. The last line is
``N passed, N failed, N skipped``.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from guest import chroot, tree, uml

# All but what boots a guest, which is done from here.
_COMMAND = r"""
stestr() { command stestr --repo-url /run --test-path cg_extension/tests/cinder "$@"; }
stestr init
echo " - Listed: $(stestr list --exclude-regex "\.test_real_lvm\." | wc -l)"
stestr run --serial --exclude-regex "\.test_real_lvm\."
"""
_THREADS = "OS_CINDER_DISABLE_EVENTLET_PATCHING=true"
_GUEST_LIMIT = 2400  # seconds
_TOTALS = re.compile(r"^ ?- (Listed|Passed|Failed|Skipped): (\d+)$", re.MULTILINE)


def in_chroot(release: str) -> tuple[int, int, int]:
    """Run all that needs no device-mapper; how many passed, failed, were skipped."""
    command = [sys.executable, chroot.__file__, "--release", release, "--layer", "servers"]
    process = subprocess.Popen(
        [*command, "--", "sh", "-c", _COMMAND], stdout=subprocess.PIPE, text=True, errors="replace"
    )
    printed = []
    with process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            printed.append(line)
    counts = {name: int(number) for name, number in _TOTALS.findall("".join(printed))}
    passed, failed, skipped = (counts.get(name, 0) for name in ("Passed", "Failed", "Skipped"))
    # stestr calls it a success when its worker dies between two tests.
    lost = counts.get("Listed", 0) - passed - failed - skipped
    return passed, failed + max(lost, int(not passed)), skipped


def on_real_lvm(release: str, *environment: str) -> tuple[int, int, int]:
    """Run the scenarios of the driver; how many passed, failed, were skipped.

    :param environment: variables of their process, each ``NAME=value``.
    """
    with tempfile.TemporaryDirectory(prefix="outcomes", dir="/var/tmp") as name:
        directory = pathlib.Path(name)
        file = directory / "outcomes"
        command = [tree.PYTHON, "-W", "ignore", "-m", "cg_extension.tests.cinder.guest.run"]
        uml.boot(
            ["env", *environment, *command, str(file)],
            timeout=_GUEST_LIMIT,
            release=release,
            shares=[directory],
            layer="cinder",
        )
        outcomes = json.loads(file.read_text()) if file.exists() else {}
    failed = sum(map(bool, outcomes.values()))
    return len(outcomes) - failed, failed if outcomes else 1, 0


def main() -> int:
    """The command line; 1 unless all tests passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", choices=tree.RELEASES, default="trixie")
    release = parser.parse_args().release
    ended = [in_chroot(release), on_real_lvm(release), on_real_lvm(release, _THREADS)]
    passed, failed, skipped = (sum(part) for part in zip(*ended, strict=True))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
