# SPDX-License-Identifier: Apache-2.0
"""Whether a file says what only trusted users had it say: for what root reads commands from."""

import os
import pathlib
import stat
from collections.abc import Set


def weak_spot(path: str | os.PathLike[str], users: Set[int]) -> str | None:
    """What of a path others than these users, by number, can change; None: nothing.

    It is the file itself, behind all symbolic links, or a directory above it. In a directory such
    as /tmp, with the sticky bit, nobody can replace what belongs to another.

    :raises OSError: there is no such file.
    """
    real = pathlib.Path(path).resolve(strict=True)
    for part in (real, *real.parents):
        status = part.stat()
        by_group = status.st_mode & stat.S_IWGRP and status.st_gid != 0
        is_open = bool(by_group or status.st_mode & stat.S_IWOTH)
        is_sticky = stat.S_ISDIR(status.st_mode) and bool(status.st_mode & stat.S_ISVTX)
        if status.st_uid not in users or (is_open and not is_sticky):
            return str(part)
    return None
