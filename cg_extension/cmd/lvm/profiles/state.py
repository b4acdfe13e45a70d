# SPDX-License-Identifier: Apache-2.0
"""What a run still has to undo, kept in /run: whoever ends the run, this is what ends its hooks.

A hook is entered here before its process starts, and taken out when its after-hook has ended. So
after a kill between any two steps the after-hooks of all that may have begun are run, each once;
one that was itself cut short is run again. What an after-hook needs stands here, as the profile may
be changed meanwhile. A power cut loses all of this, and with it what hooks had done.
"""

import contextlib
import dataclasses
import fcntl
import json
import os
import pathlib
import uuid
from collections.abc import Iterator, Sequence

from cg_extension.cmd.lvm.profiles import exits
from cg_extension.conf.errors import naming_file
from cg_extension.drivers import exceptions

DIRECTORY = pathlib.Path("/run/cg-lvm")

# What became of the group snapshot.
UNKNOWN = "unknown"
TAKEN = "taken"
FAILED = "failed"


@dataclasses.dataclass(slots=True)
class Undoing:
    """The after-hook of a hook that was begun."""

    name: str
    user: str
    command: Sequence[str]
    time_limit: float


@dataclasses.dataclass(slots=True)
class State:
    """A run that has begun.

    :param mark: tells the processes of its hooks from all others.
    :param result: UNKNOWN until it is TAKEN or FAILED.
    :param undoings: in the order in which their hooks began.
    """

    profile: str
    snapshot: str
    mark: str = dataclasses.field(default_factory=lambda: uuid.uuid4().hex)
    result: str = UNKNOWN
    undoings: list[Undoing] = dataclasses.field(default_factory=list)

    def save(self) -> None:
        """Write it out; a kill meanwhile leaves what was written before."""
        path = _path(self.profile)
        new = path.with_suffix(".new")
        with naming_file(new):
            new.write_text(json.dumps(dataclasses.asdict(self)))
        os.replace(new, path)

    def remove(self) -> None:
        """Nothing is left to undo."""
        _path(self.profile).unlink(missing_ok=True)


def load(profile: str) -> State | None:
    """What a run that was killed has left; None: nothing.

    :raises DriverError: the file is not one of ours.
    """
    path = _path(profile)
    try:
        fields = json.loads(path.read_text())
        fields["undoings"] = [Undoing(**undoing) for undoing in fields["undoings"]]
        return State(**fields)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        raise exceptions.DriverError(
            f"{path} does not tell which after-hooks an earlier run has left; run them by hand, "
            "then remove it"
        ) from error


@contextlib.contextmanager
def alone(profile: str) -> Iterator[None]:
    """Be the only run of a profile; its hooks do not inherit that.

    :raises UnderWay: there is another.
    """
    DIRECTORY.mkdir(0o700, exist_ok=True)
    path = DIRECTORY / f"{profile}.lock"
    with open(path, "ab+", buffering=0) as file:  # else its end would write what did not fit
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise exits.UnderWay(
                f"another run of profile {profile} is under way (process {file.read().decode()})"
            ) from None
        with naming_file(path):
            file.truncate(0)
            file.write(str(os.getpid()).encode())
        yield


def _path(profile: str) -> pathlib.Path:
    return DIRECTORY / f"{profile}.json"
