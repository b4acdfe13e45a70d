# SPDX-License-Identifier: Apache-2.0
"""LVM's own lock of a volume group, taken the way LVM takes it (``lib/misc/lvm-flock.c``).

While it is held no LVM command reads or changes the group, so none reloads a pool's table, and
none is in the middle of a suspend of its own.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator


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
