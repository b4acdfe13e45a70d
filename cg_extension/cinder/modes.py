# SPDX-License-Identifier: Apache-2.0
"""Whether Cinder's commands run with eventlet or with native threads, here and now.

A variable of a process's environment decides when it starts (``cinder.monkey_patch``, from Cinder
29 on). With threads it then runs under cotyledon, which writes the process's title over both its
command line and its environment, if setproctitle is installed. An API in a WSGI server
(``cinder.wsgi.api``) is not among them: it has that server's threads.
"""

import dataclasses
import enum
import importlib.util
import os
import pathlib
from collections.abc import Iterator, Mapping

VARIABLE = "OS_CINDER_DISABLE_EVENTLET_PATCHING"
API = "cinder-api"
COMMANDS = (API, "cinder-scheduler", "cinder-volume", "cinder-backup")


class Mode(enum.Enum):
    """What a process's calls run in."""

    EVENTLET = "eventlet"
    THREADS = "native threads"


@dataclasses.dataclass(frozen=True, slots=True)
class Process:
    """A running command; its ``mode`` is None where its environment may not be read."""

    pid: int
    command: str
    mode: Mode | None


def of(environment: Mapping[str, str]) -> Mode:
    """The mode of a command that is started in an environment.

    :raises ValueError: Cinder does not start in it; says why.
    """
    if importlib.util.find_spec("cinder.monkey_patch") is None:
        return Mode.EVENTLET
    value = environment.get(VARIABLE, "")
    if value.lower() in ("1", "true", "yes"):
        return Mode.THREADS
    if value.lower() in ("", "0", "false", "no"):
        return Mode.EVENTLET
    raise ValueError(f"{VARIABLE} is {value!r}; it must be true or false")


def running() -> Iterator[Process]:
    """Cinder's commands that run on this machine, as far as this process sees them."""
    for directory in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            # An interpreter, perhaps, and then the command.
            words = os.fsdecode((directory / "cmdline").read_bytes()).split("\0")[:2]
            title = words[0].partition(": ")[0]
            if title in COMMANDS and title != words[0]:
                yield Process(int(directory.name), title, Mode.THREADS)
                continue
            names = {os.path.basename(word) for word in words}
            for command in names.intersection(COMMANDS):
                yield Process(int(directory.name), command, _mode(directory / "environ"))
        except (FileNotFoundError, ProcessLookupError, ValueError):
            continue  # it has ended, or is about to: Cinder does not start so
        except PermissionError:
            continue  # another user's, where /proc is mounted with hidepid=1


def _mode(environ: pathlib.Path) -> Mode | None:
    try:
        content = os.fsdecode(environ.read_bytes())
    except PermissionError:
        return None
    pairs = (each.partition("=") for each in content.split("\0"))
    return of({name: value for name, _, value in pairs})
