# SPDX-License-Identifier: Apache-2.0
"""``cg-lvm``: group snapshots of LVM volumes on a machine that runs no service.

The engine does the work, with the same safety; this names the volumes, tags them so that they are
found again, and prints. A module for each subject; ``parser`` has the command line.
"""

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from cg_extension.cmd.lvm import naming, parser
from cg_extension.conf import errors
from cg_extension.drivers import exceptions
from cg_extension.drivers.lvm import privileged


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; gives back the exit status."""
    options = parser.get_parser().parse_args(arguments)
    options.left = []
    try:
        if os.geteuid() != 0:
            raise naming.UsageError("must be run by root: it holds and changes block devices")
        privileged.run_in_process()
        answer = options.function(options)
    except exceptions.DriverError as error:
        print(f"cg-lvm: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"cg-lvm: {errors.describe(error)}", file=sys.stderr)
        return 1
    print(json.dumps(answer) if options.json else _text(answer), flush=True)
    for eng, left in options.left:
        eng.wipe(left)
    return 0


def _shown(value: object) -> str:
    return f"{value:.6f}" if isinstance(value, float) else str(value)


def _text(answer: dict[str, Any]) -> str:
    lines = [
        f"{key.replace('_', ' ')}: {_shown(value)}"
        for key, value in answer.items()
        if key != "volumes"
    ]
    rows = [
        "  ".join(f"{key}={value}" for key, value in volume.items()) for volume in answer["volumes"]
    ]
    notes = [parser.IDENTIFIERS] if "clone" in answer else []
    return "\n".join([*lines, *rows, *notes])
