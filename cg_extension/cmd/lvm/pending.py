# SPDX-License-Identifier: Apache-2.0
"""Notes, one for each volume group, that the boot has to look for a rollback in it.

What is to be done stands in the volume group itself (``drivers.lvm.exchange``); a note only saves
every other boot the search. So it is there before the volume group is changed, and goes after it.
It has to be on the root file system, as it is read before any other is mounted.

A restart of local-fs.target, as after a change of fstab(5), starts the boot's unit again, and so
does an upgrade of our package, if it has run. So a file in /run keeps it to once a boot.
"""

import os
import pathlib
from collections.abc import Iterable

from cg_extension.cmd.lvm import naming
from cg_extension.conf.errors import naming_file
from cg_extension.drivers import durability
from cg_extension.drivers.lvm import commands, exchange

# As in etc/systemd/cg-lvm/cg-lvm-rollback.service.
DIRECTORY = pathlib.Path("/etc/cg-lvm/rollbacks")
BOOTED = pathlib.Path("/run/cg-lvm/booted")
_UNIT = "cg-lvm-rollback.service"
# Where systemd looks for units, the first one first (systemd.unit(5)).
_UNIT_DIRECTORIES = tuple(
    pathlib.Path(directory, "systemd/system")
    for directory in ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")
)


def leave_to_next_boot() -> None:
    """Keep the unit from being started again before the machine is.

    :raises OSError: that can't be written.
    """
    BOOTED.parent.mkdir(0o700, exist_ok=True)
    with naming_file(BOOTED):
        BOOTED.touch()


def note(names: Iterable[str]) -> None:
    """Let the next boot look at these volume groups, even after a power cut right now.

    :raises UsageError: that can't be written.
    """
    identities = {each.name: each.uuid for each in commands.all_groups()}
    try:
        DIRECTORY.mkdir(parents=True, exist_ok=True)
        for name in names:
            with open(DIRECTORY / identities[name], "w") as file:
                file.write(f"{name}\n")
                file.flush()
                os.fsync(file.fileno())
        for directory in (DIRECTORY, DIRECTORY.parent, DIRECTORY.parent.parent):
            durability.sync(directory)
    except OSError as error:
        raise naming.UsageError(
            f"{DIRECTORY} can't be written, by which the next boot finds what a power cut leaves: "
            f"{error.strerror}; nothing was changed"
        ) from error


def warnings() -> list[str]:
    """A sentence if the boot would not look, as far as systemd's files tell."""
    units = [each / _UNIT for each in _UNIT_DIRECTORIES if os.path.lexists(each / _UNIT)]
    wanted = any(
        os.path.lexists(each / "local-fs.target.wants" / _UNIT) for each in _UNIT_DIRECTORIES
    )
    if not units or not wanted:
        why = f"local-fs.target wants no {_UNIT}, which the package cg-lvm brings"
    elif os.path.realpath(units[0]) == os.devnull:
        why = f"{_UNIT} is masked"
    else:
        return []
    return [f"nothing will do that at the next boot but cg-lvm finish --at-boot by you: {why}"]


def clear() -> list[str]:
    """Take the notes of volume groups off where nothing is to be done any more.

    Gives back a sentence for each volume group that is not there, whose note stays.
    """
    groups = {each.uuid: each for each in commands.all_groups()}
    missing = []
    for file in sorted(DIRECTORY.iterdir()) if DIRECTORY.is_dir() else ():
        group = groups.get(file.name)
        if group is None:
            missing.append(
                f"volume group {file.read_text().strip()} is missing, and may have its part of a "
                f"rollback to finish; if it will never come back, remove {file}"
            )
        elif not exchange.is_pending(group.tags):
            file.unlink()
    return missing
