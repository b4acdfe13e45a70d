# SPDX-License-Identifier: Apache-2.0
"""Whether a file says what only trusted users had it say: for what root reads commands from."""

import os
import pathlib
import stat
from collections.abc import Iterator, Set


def weak_spot(path: str | os.PathLike[str], users: Set[int]) -> str | None:
    """What of a path others than these users, by number, can change; None: nothing.

    It is the file itself, or any directory or symbolic link that leads to it: who can replace a
    link has it lead elsewhere the next time. In a directory such as /tmp, with the sticky bit,
    nobody can replace what belongs to another.

    :raises OSError: there is no such file.
    """
    os.path.realpath(path, strict=True)
    for part in _on_the_way(pathlib.Path(path).absolute()):
        status = part.lstat()
        by_group = status.st_mode & stat.S_IWGRP and status.st_gid != 0
        is_open = bool(by_group or status.st_mode & stat.S_IWOTH)
        is_sticky = stat.S_ISDIR(status.st_mode) and bool(status.st_mode & stat.S_ISVTX)
        is_link = stat.S_ISLNK(status.st_mode)  # nobody heeds its permissions
        if status.st_uid not in users or (is_open and not is_sticky and not is_link):
            return str(part)
    return None


def _on_the_way(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """All directories and symbolic links that lead to an existing file, and the file."""
    place, names = pathlib.Path(path.root), list(path.parts[1:])
    yield place
    while names:
        name = names.pop(0)
        step = place.parent if name == ".." else place / name
        yield step
        if step.is_symlink():
            target = step.readlink()
            place = pathlib.Path(target.root) if target.is_absolute() else place
            names = [*target.parts[target.is_absolute() :], *names]
        else:
            place = step
