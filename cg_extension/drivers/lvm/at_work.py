# SPDX-License-Identifier: Apache-2.0
"""Work under way as root, so that recovery can wait for it even if its caller was killed.

Each piece of work has a file of its own, locked by flock(2) while it goes on. The lock belongs to
the open file, not to a process: it lasts until the last process that has the file open has ended,
even if others were killed. ``lvm`` closes every descriptor above 2 as it starts, so it gets the
file, which holds its script, as its standard input; the tools that it runs (``thin_check``) inherit
it, and what it leaves behind (``dmeventd``, a polling daemon) puts /dev/null in its place.
"""

import contextlib
import errno
import fcntl
import os
import zlib
from collections.abc import Callable, Iterable, Iterator

from cg_extension.conf.errors import naming_file
from cg_extension.drivers.lvm import low_stall

_DIRECTORY = low_stall.OURS / "at-work"


@contextlib.contextmanager
def work(text: str = "") -> Iterator[int]:
    """Be at work; gives a descriptor for a child, from which it reads ``text``.

    :raises OSError: there is no room for the text.
    """
    low_stall.OURS.mkdir(0o700, exist_ok=True)
    _DIRECTORY.mkdir(0o700, exist_ok=True)
    fd, path = _new_file()
    try:
        _write(fd, path, text.encode())
        yield fd
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        os.close(fd)


def _write(fd: int, path: str, content: bytes) -> None:
    """Write all of it: LVM would take the first half of a command for a command."""
    with naming_file(path):
        if os.pwrite(fd, content, 0) < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def wait_for_all() -> None:
    """Wait for all work that is under way now, here and in other processes."""
    for path in _DIRECTORY.iterdir() if _DIRECTORY.is_dir() else ():
        with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            path.unlink()


@contextlib.contextmanager
def alone(what: str, before_waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold this machine's lock called ``what``.

    :param before_waiting: called if another holds it.
    """
    low_stall.OURS.mkdir(0o700, exist_ok=True)
    with open(low_stall.OURS / f"{what}.lock", "wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            before_waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def claimed(words: Iterable[str]) -> Iterator[bool]:
    """Keep other processes of this machine from claiming any of these words.

    Gives whether they are ours. Each is a byte of one file that is locked, so that no file is left
    of a word; the locks are the process's, and go with it.
    """
    low_stall.OURS.mkdir(0o700, exist_ok=True)
    with open(low_stall.OURS / "claims.lock", "wb") as file:
        try:
            for word in words:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, zlib.crc32(os.fsencode(word)))
        except BlockingIOError:
            yield False
            return
        yield True


def _new_file() -> tuple[int, str]:
    while True:
        # As tempfile.mkstemp does it, whose module takes long to import.
        path = str(_DIRECTORY / os.urandom(8).hex())
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        # ``wait_for_all`` may have locked it before us, and removed it as a leftover.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.stat(path), os.fstat(fd)):
                return fd, path
        os.close(fd)
