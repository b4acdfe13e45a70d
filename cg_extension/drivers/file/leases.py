# SPDX-License-Identifier: Apache-2.0
"""Finds out whether anyone writes to a file, by the kernel's read leases (fcntl(2))."""

import errno
import fcntl
import signal

from oslo_log import log as logging

from cg_extension.drivers import polling

LOG = logging.getLogger(__name__)

# Seconds that a writer is given to finish before it is reported: it may just be closing the file,
# or be a child of this process, which has copies of our descriptors until it calls exec.
GRACE = 0.5


class WriterPresent(Exception):
    """Some process on this machine has the file open for writing."""


class ReadLease:
    """Shows that no process had the file open for writing from its creation until ``check``.

    A process that wants to open the file for writing in that time waits until our descriptor is
    closed, but at most ``/proc/sys/fs/lease-break-time`` seconds: then the kernel takes the lease
    away. Some network file systems have no leases; there, local writers go unnoticed.
    """

    def __init__(self, file: int) -> None:
        """Take the lease.

        :param file: file descriptor, open for reading only, of a file that this user owns; the
            lease ends when it is closed.
        :raises WriterPresent: the file is open for writing.
        :raises PermissionError: the file belongs to another user, who may be writing to it.
        """
        self._file = file
        self._held = False
        if not polling.until(self._take, GRACE, pause=GRACE / 20):
            raise WriterPresent

    def _take(self) -> bool:
        try:
            # The kernel tells us of an opener by a signal. SIGIO, its default, would end this
            # process; SIGURG is ignored.
            fcntl.fcntl(self._file, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(self._file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            self._held = True
        except OSError as error:
            if error.errno == errno.EAGAIN:
                return False
            if error.errno == errno.EACCES:
                raise
            LOG.debug("This file system has no leases: %s", error)
        return True

    def check(self) -> None:
        """:raises WriterPresent: a process has opened the file for writing since, or waits to."""
        if self._held and fcntl.fcntl(self._file, fcntl.F_GETLEASE) != fcntl.F_RDLCK:
            raise WriterPresent
