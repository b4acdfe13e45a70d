# SPDX-License-Identifier: Apache-2.0
"""Whether a file says what only trusted users had it say: for what root reads commands from."""

import os
import pathlib
import stat
import struct
from collections.abc import Iterator, Set

# An access control list (acl(5)), as the kernel keeps it: posix_acl_xattr.h.
_ACL = "system.posix_acl_access"
_ACL_HEADER, _ACL_ENTRY = 4, struct.Struct("<HHI")
_ACL_USER, _ACL_OWN_GROUP, _ACL_GROUP = 0x02, 0x04, 0x08
_ACL_WRITE = 0o2


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
        is_open = bool(status.st_mode & stat.S_IWOTH) or _is_open_to_some(part, status, users)
        is_sticky = stat.S_ISDIR(status.st_mode) and bool(status.st_mode & stat.S_ISVTX)
        is_link = stat.S_ISLNK(status.st_mode)  # nobody heeds its permissions
        if status.st_uid not in users or (is_open and not is_sticky and not is_link):
            return str(part)
    return None


def _is_open_to_some(path: pathlib.Path, status: os.stat_result, users: Set[int]) -> bool:
    """Whether a group but root's, or a user of an access control list, may write.

    With such a list the group's permissions in the mode are the list's mask.
    """
    if not status.st_mode & stat.S_IWGRP:
        return False
    try:
        entries = os.getxattr(path, _ACL, follow_symlinks=False)[_ACL_HEADER:]
    except OSError:  # it has none
        return status.st_gid != 0
    for tag, permissions, number in _ACL_ENTRY.iter_unpack(entries):
        is_another = {
            _ACL_USER: number not in users,
            _ACL_OWN_GROUP: status.st_gid != 0,
            _ACL_GROUP: number != 0,
        }
        if permissions & _ACL_WRITE and is_another.get(tag):
            return True
    return False


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
