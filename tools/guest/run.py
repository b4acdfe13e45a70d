#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run a command in a guest on a tree of a Debian release, and exit with its status.

``run.py --release trixie --kind uml|qemu -- COMMAND…``: in User-Mode Linux, which boots in seconds
(one processor, no udev, no systemd), or in QEMU with all of them.
"""

import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from guest import qemu, tree, uml


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", choices=tree.RELEASES, default="trixie")
    parser.add_argument("--kind", choices=("uml", "qemu"), default="uml")
    parser.add_argument("--quick", action="store_true", help="QEMU without systemd and udev")
    parser.add_argument("--timeout", type=float, default=1200, metavar="SECONDS")
    parser.add_argument(
        *("--share", "-s"),
        type=pathlib.Path,
        action="append",
        default=[],
        metavar="DIRECTORY",
        help="another one that the guest sees, besides the checkout",
    )
    parser.add_argument(
        *("--disk", "-d"),
        type=pathlib.Path,
        action="append",
        default=[],
        metavar="FILE",
        help="QEMU's /dev/vdb, /dev/vdc, …",
    )
    parser.add_argument("command", nargs="+")
    given = parser.parse_args()
    if given.kind == "uml":
        return uml.boot(
            given.command, timeout=given.timeout, release=given.release, shares=given.share
        )
    try:
        with qemu.Guest(given.release, given.disk, not given.quick, given.share) as guest:
            status, _output = guest.run(given.command, given.timeout, _show)
            guest.shut_down()
    except qemu.GuestDied as died:
        print(died)
        return uml.GUEST_FAILED
    return status


def _show(text: str) -> None:
    print(text, end="", flush=True)


if __name__ == "__main__":
    sys.exit(main())
