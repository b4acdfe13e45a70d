# SPDX-License-Identifier: Apache-2.0
"""Programs of the system that ``cg-lvm`` runs beside LVM: mount, fsck and the like."""

import os
import subprocess
from collections.abc import Sequence

from cg_extension.drivers.lvm import errors

# Where Debian has some that are not in a user's path.
_PATH = ("/usr/sbin", "/sbin")


def run(*command: str) -> str:
    """Run a program; gives back what it printed.

    :raises LVMError: it failed, with what it complained of, or is not there.
    """
    status, output = result(command)
    if status:
        gist = "; ".join(line.strip() for line in output.splitlines() if line.strip())
        gist = gist.removeprefix(f"{command[0]}: ")  # as most begin
        raise errors.LVMError(f"{command[0]}: {gist[:500] or f'exit status {status}'}")
    return output


def result(command: Sequence[str], asks: bool = False) -> tuple[int, str]:
    """Run a program; its exit status and what it printed and complained of.

    :param asks: whether it may ask on the terminal; its complaints then go there.
    :raises LVMError: it is not there.
    """
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_PATH])
    environment = {**os.environ, "LC_ALL": "C", "PATH": path}
    try:
        done = subprocess.run(
            command,
            stdin=None if asks else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if asks else subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environment,
            check=False,
        )
    except FileNotFoundError:
        raise errors.LVMError(f"{command[0]} is not installed") from None
    return done.returncode, done.stdout
