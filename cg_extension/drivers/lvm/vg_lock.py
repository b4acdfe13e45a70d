# SPDX-License-Identifier: Apache-2.0
"""LVM's own lock of a volume group, taken the way LVM takes it (``lib/misc/lvm-flock.c``).

While it is held no LVM command reads or changes the group, so none reloads a pool's table, and
none is in the middle of a suspend of its own.
"""

import contextlib
import fcntl
import os
import pathlib
from collections.abc import Iterator

from cg_extension.drivers.lvm import commands, low_stall, privileged

# In our own LVM_SYSTEM_DIR: the setting, on a line, and what it depends on.
_KNOWN = "cg_extension.locking_dir"


@privileged.entrypoint
def directory(system_dir: str | None) -> str:
    """LVM's setting ``global/locking_dir``, which LVM alone can tell.

    That takes a process, so it is asked only when something has changed on which the answer
    depends, or the machine has been booted.

    :param system_dir: as of ``commands.VolumeGroup``.
    """
    ours = pathlib.Path(low_stall.system_dir(system_dir))
    depends_on = _depends_on(ours)
    with contextlib.suppress(FileNotFoundError):
        known, _newline, then = (ours / _KNOWN).read_text().partition("\n")
        if then == depends_on:
            return known
    found = commands.locking_dir(system_dir)
    if _depends_on(ours) == depends_on:
        low_stall.write(ours / _KNOWN, f"{found}\n{depends_on}")
    return found


def _depends_on(system_dir: pathlib.Path) -> str:
    """LVM's program, its configuration files, and this machine's name: they may be of a host tag.

    See lvm.conf(5), "HOST TAGS".
    """
    program = os.stat(commands.program())
    files = sorted(system_dir.glob("lvm*.conf"))
    return repr(
        [
            (program.st_dev, program.st_ino, program.st_size, program.st_mtime_ns),
            os.uname().nodename,
            [(file.name, file.read_bytes()) for file in files],
        ]
    )


@contextlib.contextmanager
def held(locking_dir: str, volume_group: str) -> Iterator[int]:
    """Hold the exclusive lock of ``volume_group``; waits for it without limit, as LVM does.

    The descriptor that it gives may be passed to child processes: the lock then lasts until the
    last of them has closed it, even when this process is killed.

    :param locking_dir: LVM's setting ``global/locking_dir``.
    :raises OSError: the lock file can't be opened.
    """
    os.makedirs(locking_dir, mode=0o700, exist_ok=True)
    path = os.path.join(locking_dir, f"V_{volume_group}")
    # Whoever waits for the exclusive lock holds the ``:aux`` lock meanwhile, so that readers
    # that keep coming can't starve it.
    waiting = _take(f"{path}:aux")
    try:
        fd = _take(path)
    finally:
        _give_back(f"{path}:aux", waiting)
    try:
        yield fd
    finally:
        _give_back(path, fd)


def _take(path: str) -> int:
    while True:
        fd = os.open(path, os.O_CREAT | os.O_APPEND | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            if _is_file_at(path, fd):
                return fd
        except BaseException:
            os.close(fd)
            raise
        # The holder before us removed the file: what we locked is no longer the lock.
        os.close(fd)


def _give_back(path: str, fd: int) -> None:
    """Remove the file while it is still ours, as LVM does, then let go."""
    if _is_file_at(path, fd):
        os.unlink(path)
    os.close(fd)


def _is_file_at(path: str, fd: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(fd))
    except FileNotFoundError:
        return False
