# SPDX-License-Identifier: Apache-2.0
"""The tags by which the engine knows its volumes, and those that a crash left half-made.

A volume is tagged ``cg_ext.unfinished=PROCESS`` when LVM makes it and loses that tag when it is
what its maker wanted. PROCESS names the maker (boot, process id, its start), so that a leftover
is told from the work of another process that still runs on this machine.
"""

import os

OWNED = "cg_ext"
_UNFINISHED = "cg_ext.unfinished="


def unfinished_tag() -> str:
    """The tag for a volume that this process is making."""
    return f"{_UNFINISHED}{_process(os.getpid())}"


def unfinished_of(tags: frozenset[str]) -> str | None:
    """The tag that marks a volume as unfinished, if it has one."""
    return next((tag for tag in tags if tag.startswith(_UNFINISHED)), None)


def is_leftover(tags: frozenset[str]) -> bool:
    """Whether a volume is unfinished and the process that was making it is gone."""
    tag = unfinished_of(tags)
    if tag is None:
        return False
    try:
        _boot, pid, _start = tag.removeprefix(_UNFINISHED).split("-")
        return tag != f"{_UNFINISHED}{_process(int(pid))}"
    except (FileNotFoundError, ProcessLookupError):
        return True
    except ValueError:  # someone else's tag
        return False


def _process(pid: int) -> str:
    with open("/proc/sys/kernel/random/boot_id") as boot_id:
        boot = boot_id.read()[:8]
    with open(f"/proc/{pid}/stat") as stat:
        # Field 22 of proc_pid_stat(5); the name, field 2, may hold blanks and parentheses.
        start = stat.read().rpartition(")")[2].split()[19]
    return f"{boot}-{pid}-{start}"
