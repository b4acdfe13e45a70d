# SPDX-License-Identifier: Apache-2.0
"""A directory of files that appear and disappear whole, whatever moment a crash hits.

Knows names, locks and what reaches the disk, and leaves their content to its caller. Names stand
for themselves: no symbolic link is followed out of the directory.
"""

import contextlib
import errno
import fcntl
import os
import re
import stat
from collections.abc import Iterable, Iterator

from cg_extension.drivers import steps

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_NAME = re.compile(rf"(?:volume|snapshot)-{_UUID}")
_PARTIAL = ".partial"

_NOFOLLOW = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class Busy(OSError):
    """Another thread or process is at work on the same file."""


class NotAFile(OSError):
    """The name belongs to something that this store never makes: a link, a device, …"""


class FileStore:
    """The files of one directory, which may be shared by several processes."""

    def __init__(self, path: str) -> None:
        """Open the directory, and make it (mode 0700) when it is missing.

        :raises OSError: it can't be made or is no directory.
        """
        os.makedirs(path, mode=0o700, exist_ok=True)
        self.path = os.path.realpath(path)
        self._directory = os.open(self.path, os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        os.close(self._directory)

    def mode(self) -> int:
        """Permission bits of the directory."""
        return stat.S_IMODE(os.fstat(self._directory).st_mode)

    def is_writable(self) -> bool:
        return os.access(self.path, os.W_OK | os.X_OK)

    def capacity(self) -> tuple[int, int]:
        """Bytes of the file system: all, and those free for this user."""
        status = os.fstatvfs(self._directory)
        return status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize

    def promised(self) -> int:
        """Bytes that all files would take if they had no holes."""
        total = 0
        with os.scandir(self._directory) as entries:
            for entry in entries:
                if _NAME.fullmatch(entry.name):
                    with contextlib.suppress(FileNotFoundError):  # removed meanwhile
                        total += entry.stat(follow_symlinks=False).st_size
        return total

    def exists(self, name: str) -> bool:
        """Whether there is a whole file of that name."""
        try:
            os.close(self.open(name))
        except FileNotFoundError:
            return False
        return True

    def open(self, name: str) -> int:
        """Open a whole file for reading; the caller closes the descriptor.

        :raises FileNotFoundError: there is none.
        :raises NotAFile: there is something else of that name.
        """
        return self._open(_checked(name), os.O_RDONLY)

    @contextlib.contextmanager
    def writing(self, names: Iterable[str]) -> Iterator[list[int]]:
        """Make files, all of them or none; files of these names are removed first.

        Gives descriptors of new empty files, open for writing and of mode 0600. At the end of the
        block they are on disk under their names. On an error there are no files of these names.
        After a crash there may be some, but all only if every one is of the same run.

        :raises Busy: another thread or process is writing a file of one of these names.
        """
        names = list(names)
        started: list[str] = []
        with contextlib.ExitStack() as closing:
            try:
                files = []
                for name in names:
                    files.append(self._open_partial(name))
                    started.append(name)
                    closing.callback(os.close, files[-1])
                for file in files:
                    os.ftruncate(file, 0)
                self._unlink(names)
                os.fsync(self._directory)
                steps.reached("file.begun")
                yield files
                for file in files:
                    os.fsync(file)
                steps.reached("file.synced")
                for name in names:
                    os.rename(
                        name + _PARTIAL,
                        name,
                        src_dir_fd=self._directory,
                        dst_dir_fd=self._directory,
                    )
                    steps.reached("file.renamed")
                os.fsync(self._directory)
            # Not after steps.OperationLost: the files may be the new owner's by now.
            except Exception:
                self.remove(started)
                raise

    def remove(self, names: Iterable[str]) -> None:
        """Remove files, whole or partial; those that are not there are no error."""
        for name in names:
            self._unlink([_checked(name), name + _PARTIAL])
            steps.reached("file.removed")
        os.fsync(self._directory)

    def remove_leftovers(self) -> list[str]:
        """Remove the partial files that a crash left; those being written now stay.

        :returns: names of the files that they would have become.
        """
        removed = []
        for entry in os.listdir(self._directory):
            name = entry.removesuffix(_PARTIAL)
            if name == entry or not _NAME.fullmatch(name):
                continue
            with contextlib.suppress(FileNotFoundError, Busy):
                file = self._open(entry, os.O_RDWR)
                try:
                    self._lock(file, entry)
                    os.unlink(entry, dir_fd=self._directory)
                finally:
                    os.close(file)
                removed.append(name)
        os.fsync(self._directory)
        return removed

    def _unlink(self, entries: Iterable[str]) -> None:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(entry, dir_fd=self._directory)

    def _open(self, entry: str, flags: int) -> int:
        try:
            file = os.open(entry, flags | _NOFOLLOW, 0o600, dir_fd=self._directory)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
                raise NotAFile(error.errno, "not a regular file", entry) from error
            raise
        if stat.S_ISREG(os.fstat(file).st_mode):
            return file
        os.close(file)
        raise NotAFile(errno.EINVAL, "not a regular file", entry)

    def _open_partial(self, name: str) -> int:
        """The locked file that ``name`` will be, perhaps a leftover of a crash.

        The lock tells it from a leftover, and goes when its process does.
        """
        entry = _checked(name) + _PARTIAL
        file = self._open(entry, os.O_RDWR | os.O_CREAT)
        try:
            self._lock(file, entry)
        except BaseException:
            os.close(file)
            raise
        return file

    def _lock(self, file: int, entry: str) -> None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy(error.errno, "being written by another thread or process", entry) from error
        # Between the opening and the lock, another may have finished the file or removed it.
        with contextlib.suppress(FileNotFoundError):
            found = os.stat(entry, dir_fd=self._directory, follow_symlinks=False)
            if os.path.samestat(found, os.fstat(file)):
                return
        raise Busy(errno.EAGAIN, "just finished by another thread or process", entry)


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"not a name of a volume or snapshot: {name!r}")
    return name
