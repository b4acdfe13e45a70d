# SPDX-License-Identifier: Apache-2.0
"""Tells whether anyone writes to a file: the kernel's read leases (fcntl(2), F_SETLEASE)."""

import errno
import fcntl
import signal
import time

from oslo_log import log as logging

LOG = logging.getLogger(__name__)

# Seconds that a writer is given to finish: one that is just closing the file, or a child process
# that holds a copy of this process's descriptors until it runs its program, is none to report.
GRACE = 0.5


class WriterPresent(Exception):
    """Some process on this machine has the file open for writing."""


class ReadLease:
    """A time in which no process has a file open for writing, from the making to ``check``.

    A process that wants to open it for writing meanwhile waits until the descriptor is closed,
    or for ``/proc/sys/fs/lease-break-time`` seconds, after which the kernel takes the lease away.
    Some network file systems have no leases; there, local writers go unnoticed.
    """

    def __init__(self, file: int) -> None:
        """Take the lease.

        :param file: file descriptor, open for reading only, of a file that this user owns; the
            lease ends when it is closed.
        :raises WriterPresent: the file is open for writing.
        """
        self._file = file
        self._held = False
        deadline = time.monotonic() + GRACE
        while not self._take():
            if time.monotonic() > deadline:
                raise WriterPresent
            time.sleep(GRACE / 20)

    def _take(self) -> bool:
        try:
            # The kernel announces an opener by a signal: SIGIO by default, which ends the
            # process; SIGURG is one that is ignored by default.
            fcntl.fcntl(self._file, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(self._file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            self._held = True
        except OSError as error:
            if error.errno == errno.EAGAIN:
                return False
            LOG.debug("No lease to be had here: %s", error)
        return True

    def check(self) -> None:
        """:raises WriterPresent: the file has been opened for writing since, or is waited for."""
        if self._held and fcntl.fcntl(self._file, fcntl.F_GETLEASE) != fcntl.F_RDLCK:
            raise WriterPresent
