# SPDX-License-Identifier: Apache-2.0
"""A directory of files that appear and disappear whole, whatever moment a crash hits.

Knows names, locks and what reaches the disk, and leaves the files' content to its caller. No
symbolic link is followed out of the directory.
"""

import contextlib
import datetime
import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence

from cg_extension.drivers import durability, polling, steps

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_NAME = re.compile(rf"(?:volume|snapshot)-{_UUID}")
_PARTIAL = ".partial"
# Seconds to wait for the directory's lock, which is held for a few system calls.
_PATIENCE = 10.0
_PAUSE = 0.001

_EPOCH = datetime.datetime(1970, 1, 1)
_NOFOLLOW = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class Busy(OSError):
    """Another thread or process hangs while it holds the directory's lock."""


class NotAFile(OSError):
    """The name belongs to something that this store never makes: a link, a device, …"""


class FileStore:
    """The files of one directory, which may be shared by several processes."""

    def __init__(self, path: str) -> None:
        """Open the directory, and make it (mode 0700) when it is missing.

        :raises OSError: it can't be made or is no directory.
        """
        _make(os.path.abspath(path))
        self.path = os.path.realpath(path)
        self._directory = os.open(self.path, os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        os.close(self._directory)

    def mode(self) -> int:
        """Permission bits of the directory."""
        return stat.S_IMODE(os.fstat(self._directory).st_mode)

    def is_writable(self) -> bool:
        return os.access(self.path, os.W_OK | os.X_OK)

    def is_in_place(self) -> bool:
        """Whether the path still leads to this directory, and nothing was mounted over it."""
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(self._directory))
        except FileNotFoundError:
            return False

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

    def sync(self) -> None:
        """Have on disk which names there are."""
        os.fsync(self._directory)

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

    def time_of(self, name: str) -> datetime.datetime:
        """When a whole file was last changed, in UTC without a zone.

        :raises FileNotFoundError: there is none.
        """
        file = self.open(name)
        try:
            changed = os.fstat(file).st_mtime_ns
        finally:
            os.close(file)
        return _EPOCH + datetime.timedelta(microseconds=changed // 1000)

    @contextlib.contextmanager
    def writing(self, names: Iterable[str]) -> Iterator[list[int]]:
        """Make files, all of them or none; files of these names are removed first.

        Gives descriptors of new empty files, open for writing and of mode 0600. At the end of the
        block they are on disk under their names. On an error there are no files of these names.
        After a crash there may be some, but all only if every one is of the same run.

        A writer that began earlier and is still at it loses: what it writes gets no name.

        :raises steps.OperationLost: another writer of one of these names began meanwhile.
        """
        names = [_checked(name) for name in names]
        files: list[int] = []
        with contextlib.ExitStack() as closing:
            try:
                with self._exclusive():
                    self._unlink([entry for name in names for entry in (name + _PARTIAL, name)])
                    for name in names:
                        files.append(self._create_partial(name))
                        closing.callback(os.close, files[-1])
                os.fsync(self._directory)
                steps.checkpoint("file.begun")
                yield files
                for file in files:
                    os.fsync(file)
                steps.checkpoint("file.synced")
                with self._exclusive():
                    self._publish(names, files)
                os.fsync(self._directory)
            except BaseException as error:
                self._discard(names, files)
                # After steps.OperationLost the names may be the new owner's.
                if isinstance(error, Exception):
                    self.remove(names)
                raise

    def remove(self, names: Iterable[str]) -> None:
        """Remove files, whole or partial; those that are not there are no error."""
        for name in names:
            with self._exclusive():
                self._unlink([_checked(name) + _PARTIAL, name])
            steps.checkpoint("file.removed")
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
            with contextlib.suppress(FileNotFoundError):
                with self._exclusive():
                    file = self._open(entry, os.O_RDWR)
                    try:
                        if polling.try_lock(file):
                            os.unlink(entry, dir_fd=self._directory)
                            removed.append(name)
                    finally:
                        os.close(file)
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

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        """The directory's lock, with the claim on the operation checked under it.

        Any process that takes the operation over needs the lock, too. So one that hangs after the
        check, and goes on when its claim is long lost, finds everything as it was.

        :raises Busy: another thread or process hangs while it holds the lock.
        :raises steps.OperationLost: the claim is lost.
        """
        file = os.open(".", os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._directory)
        try:
            if not polling.until(lambda: polling.try_lock(file), _PATIENCE, _PAUSE):
                raise Busy(errno.EAGAIN, "locked by another thread or process", self.path)
            steps.checkpoint("file.locked")
            yield
        finally:
            os.close(file)

    def _create_partial(self, name: str) -> int:
        """A new file, which is to become ``name``. Under the lock.

        A lock on the file itself, which ends with this process, tells it from a crash's leftover.
        """
        file = self._open(name + _PARTIAL, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        polling.try_lock(file)
        return file

    def _publish(self, names: Sequence[str], files: Sequence[int]) -> None:
        """Give the partial files their names. Under the lock.

        :raises steps.OperationLost: one is not ours any more.
        """
        for name, file in zip(names, files, strict=True):
            if not self._is_ours(name, file):
                raise steps.OperationLost(name)
        for name in names:
            directory = self._directory
            os.rename(name + _PARTIAL, name, src_dir_fd=directory, dst_dir_fd=directory)
            steps.checkpoint("file.renamed")

    def _discard(self, names: Sequence[str], files: Sequence[int]) -> None:
        """Remove our partial files, and nobody else's: the claim may be lost by now."""
        for name, file in zip(names, files, strict=False):  # An error may have left fewer files.
            if self._is_ours(name, file):
                self._unlink([name + _PARTIAL])

    def _is_ours(self, name: str, file: int) -> bool:
        try:
            found = os.stat(name + _PARTIAL, dir_fd=self._directory, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return os.path.samestat(found, os.fstat(file))


def _make(path: str) -> None:
    """Make a directory, and what is missing above it, so that a power cut doesn't take it away."""
    missing = []
    above = path
    while not os.path.isdir(above):
        missing.append(above)
        above = os.path.dirname(above)
    os.makedirs(path, mode=0o700, exist_ok=True)
    for directory in missing:
        durability.sync(os.path.dirname(directory))


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"not a name of a volume or snapshot: {name!r}")
    return name
