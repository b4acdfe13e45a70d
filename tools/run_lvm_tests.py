#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the LVM tests: here if there is device-mapper and we are root, else in guests.

``run_lvm_tests.py [--release RELEASE…] [WORD…]``: tests whose id has one of the words, or all. With
releases of Debian the guests are on their trees, each with its own LVM and Python, in User-Mode
Linux or QEMU; else here, or in User-Mode Linux on this machine's own root. ``--smoke`` runs the
least that must hold on a platform, in QEMU with the guest's own lvm.conf. In QEMU the tests of
``tests/machine`` are run as well.
The last line is ``N passed, N failed, N skipped``; ``--counts FILE`` gets the numbers, too, and a
file ``failing`` beside it which failed and why. Guests share the tests, as those of User-Mode Linux
have one processor each; one that hangs or panics counts as a failed test.
"""

import argparse
import concurrent.futures
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from guest import qemu, tree, uml

Counts = tuple[int, int, int]
SMOKE = "lvm.test_smoke."
# Adds its first argument to the guest's own configuration, and runs the others.
_CONFIGURED = 'printf "%s\\n" "$1" >>/etc/lvm/lvmlocal.conf && shift && exec "$@"'

_DIED = "The guest hung or died, or the test went over its time; what it said is further up."


def _has_device_mapper() -> bool:
    if os.geteuid() != 0:
        return False
    check = subprocess.run(["dmsetup", "version"], capture_output=True, check=False)
    return check.returncode == 0


def _run_in_qemu(
    command: list[str], timeout: float, release: str, shares: list[pathlib.Path]
) -> None:
    try:
        with qemu.Guest(release, shares=shares) as guest:
            guest.run(command, timeout, lambda text: print(text, end="", flush=True))
    except qemu.GuestDied as died:
        print(died, flush=True)


def main() -> int:
    """The command line; 1 unless all tests passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=pathlib.Path)
    parser.add_argument("--timeout", type=float, default=2700, metavar="SECONDS")
    parser.add_argument("--guests", type=int, default=2, help="how many at the same time")
    parser.add_argument("--release", action="append", choices=tree.RELEASES, default=[])
    parser.add_argument("--kind", choices=("uml", "qemu"), default="uml")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--suite", help="a directory of tests, instead of lvm and machine")
    parser.add_argument("--layer", choices=tree.LAYERS, default="test", help="of trees in UML")
    parser.add_argument("--lvm-conf", metavar="TEXT", help="for the guest's own lvmlocal.conf")
    parser.add_argument("words", nargs="*", metavar="WORD")
    arguments = parser.parse_args()
    os.chdir(tree.ROOT)
    releases = arguments.release or [None]
    here = releases == [None] and _has_device_mapper()
    print("LVM tests,", "on this machine" if here else "in guests", *arguments.release, flush=True)
    shares = 1 if here or arguments.kind == "qemu" else max(arguments.guests // len(releases), 1)
    words = [SMOKE] if arguments.smoke else arguments.words
    if arguments.smoke and arguments.kind == "qemu":
        os.environ["CG_TEST_OWN_LVM_CONF"] = "1"

    failing: list[str] = []

    def run_share(release: str | None, number: int, directory: pathlib.Path) -> Counts:
        """Run tests until none is left; how many passed, failed, were skipped."""
        result = directory / f"counts-{number}"
        python = sys.executable if release is None else tree.PYTHON
        command = [python, "-W", "ignore", "-m", "cg_extension.tests.lvm.run"]
        suites = "lvm,machine" if arguments.kind == "qemu" else "lvm"
        suites = arguments.suite or suites
        command += [str(result), str(directory / "taken"), suites, *words]
        if arguments.lvm_conf:
            command = ["sh", "-c", _CONFIGURED, "sh", arguments.lvm_conf, *command]
        if here:
            subprocess.run(command, check=False)
        elif arguments.kind == "uml":
            uml.boot(
                command,
                timeout=arguments.timeout,
                release=release,
                shares=[directory],
                layer=arguments.layer,
            )
        else:
            _run_in_qemu(command, arguments.timeout, release or "trixie", [directory])
        files = [pathlib.Path(f"{result}{suffix}") for suffix in ("", ".failing", ".running")]
        counted, told, running = (file.read_text() if file.exists() else "" for file in files)
        passed, failed, skipped = map(int, counted.split() or (0, 0, 0))
        failing.append(told)
        if running or not counted:
            failed += 1
            failing.append(f"{'=' * 70}\nFAIL: {running or 'none yet'}\n{_DIED}\n")
        return passed, failed, skipped

    with (
        tempfile.TemporaryDirectory() as name,
        concurrent.futures.ThreadPoolExecutor(arguments.guests) as pool,
    ):
        jobs = []
        for release in releases:
            directory = pathlib.Path(name, str(release))
            (directory / "taken").mkdir(parents=True)
            jobs += [pool.submit(run_share, release, n, directory) for n in range(shares)]
        ended = [job.result() for job in jobs]
    counts = [sum(share) for share in zip(*ended, strict=True)]
    if arguments.counts:
        arguments.counts.write_text(" ".join(map(str, counts)) + "\n")
        arguments.counts.with_name("failing").write_text("".join(failing))
    passed, failed, skipped = counts
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
