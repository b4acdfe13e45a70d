# SPDX-License-Identifier: Apache-2.0
"""``cg-lvm``: group snapshots of LVM volumes on a machine that runs no service.

The engine does the work, with the same safety; this names the volumes, tags them so that they are
found again, and prints. A module for each subject; ``parser`` has the command line.
"""

import argparse
import io
import json
import os
import sys
from collections.abc import Sequence

from cg_extension.cmd.lvm import machinery, naming, parser, text
from cg_extension.conf import errors
from cg_extension.drivers import exceptions
from cg_extension.drivers.lvm import privileged

_INTERRUPTED = (
    "cg-lvm: interrupted; what was begun was undone, or the next command does it, or finishes what "
    "was decided (cg-lvm finish)"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; gives back the exit status."""
    options = parser.get_parser().parse_args(arguments)
    options.left = []
    try:
        status = _run(options)
    except exceptions.DriverError as error:
        print(f"cg-lvm: {error}", file=sys.stderr)
        status = getattr(error, "status", 1)
    except OSError as error:
        print(f"cg-lvm: {errors.describe(error)}", file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        print(_INTERRUPTED, file=sys.stderr)
        return 1
    try:
        machinery.wipe(options.left)
    except KeyboardInterrupt:
        print(_INTERRUPTED, file=sys.stderr)
    return status


def _run(options: argparse.Namespace) -> int:
    """Do what is asked, and print the answer."""
    if os.geteuid() != 0:
        raise naming.UsageError("must be run by root: it holds and changes block devices")
    privileged.run_in_process()
    answer = options.function(options)
    status: int = answer.pop("status", 0 if answer.get("ok", True) else 1)
    for warning in () if options.json else answer.get("warnings", ()):
        print(f"cg-lvm: {warning}", file=sys.stderr)
    _print(json.dumps(answer) if options.json else text.text(answer))
    return status


def _print(answer: str) -> None:
    """Print an answer: what was done is done, whether or not somebody can read of it.

    :raises OSError: it can't be written, but for a reader who has seen enough (``head``).
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files may be anything
    try:
        print(answer, flush=True)
    except OSError as error:
        # Python tries to write it once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise OSError(error.errno, f"done, but not printed: {error.strerror}") from error
