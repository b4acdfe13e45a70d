# SPDX-License-Identifier: Apache-2.0
"""Copies of whole files: by reflink where the file system can, else data only, holes kept.

Knows file descriptors, not volumes. Source: ioctl_ficlone(2), lseek(2), copy_file_range(2).
"""

import errno
import fcntl
import os

# _IOW(0x94, 9, int) of linux/fs.h; Python 3.11's fcntl has no name for it.
FICLONE = 0x40049409

# Bytes handed to the kernel in one call: bounds how long one call can't be interrupted.
CHUNK = 16 * 1024 * 1024

# "This file system, or this pair of files, can't do that": what the manual pages list for it.
_UNSUPPORTED = frozenset(
    {
        errno.EBADF,
        errno.EINVAL,
        errno.ENOSYS,
        errno.ENOTTY,
        errno.EOPNOTSUPP,
        errno.ETXTBSY,
        errno.EXDEV,
    }
)


def copy(source: int, target: int) -> None:
    """Give the empty file ``target`` the content and length of ``source``.

    Memory use does not depend on the length: the data stays in the kernel.

    :param source: file descriptor, open for reading.
    :param target: file descriptor, open for writing.
    :raises OSError: of the file system, such as ``ENOSPC``; ``target`` is then incomplete.
    """
    if not reflink(source, target):
        sparse_copy(source, target)


def reflink(source: int, target: int) -> bool:
    """Share the source's blocks with the target; False where the file system can't."""
    try:
        fcntl.ioctl(target, FICLONE, source)
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return False
        raise
    return True


def sparse_copy(source: int, target: int) -> None:
    """Copy the data extents one after another and leave the holes as holes."""
    length = os.fstat(source).st_size
    os.ftruncate(target, length)
    end = 0
    while end < length:
        try:
            start = os.lseek(source, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # only a hole is left
                return
            raise
        end = os.lseek(source, start, os.SEEK_HOLE)
        _copy_extent(source, target, start, end)


def _copy_extent(source: int, target: int, start: int, end: int) -> None:
    while start < end:
        count = min(CHUNK, end - start)
        try:
            copied = os.copy_file_range(source, target, count, start, start)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            os.lseek(target, start, os.SEEK_SET)
            copied = os.sendfile(target, source, start, count)
        if not copied:
            raise OSError(errno.EIO, "the source became shorter while it was being copied")
        start += copied
