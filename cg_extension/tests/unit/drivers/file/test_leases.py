# SPDX-License-Identifier: Apache-2.0
"""Read leases of the running kernel notice writers before and during their time."""

import errno
import fcntl
import os
import threading
from unittest import mock

import fixtures
from oslotest import base

from cg_extension.drivers.file import leases
from cg_extension.tests import waiting


class ReadLeaseTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = os.path.join(self.useFixture(fixtures.TempDir()).path, "file")
        with open(self.path, "w"):
            pass
        self.file = self.opened(os.O_RDONLY)

    def opened(self, flags: int) -> int:
        file = os.open(self.path, flags)
        self.addCleanup(os.close, file)
        return file

    def test_a_file_that_nobody_writes_to_is_leased_by_many(self) -> None:
        held = [leases.ReadLease(file) for file in (self.file, self.opened(os.O_RDONLY))]
        for lease in held:
            lease.check()

    def test_a_writer_that_stays_prevents_the_lease(self) -> None:
        self.patch(leases, "GRACE", 0.05)
        self.opened(os.O_WRONLY)
        self.assertRaises(leases.WriterPresent, leases.ReadLease, self.file)

    def test_a_writer_that_is_about_to_finish_is_waited_for(self) -> None:
        self.patch(leases, "GRACE", 30)
        writer = os.open(self.path, os.O_WRONLY)
        finish = threading.Timer(0.1, os.close, [writer])
        finish.start()
        self.addCleanup(finish.join)
        leases.ReadLease(self.file).check()

    def test_a_writer_that_comes_waits_and_is_noticed(self) -> None:
        file = os.open(self.path, os.O_RDONLY)
        lease = leases.ReadLease(file)
        arrival = threading.Thread(target=lambda: self.opened(os.O_WRONLY))
        arrival.start()

        def is_noticed() -> bool:
            try:
                lease.check()
            except leases.WriterPresent:
                return True
            return False

        waiting.eventually(is_noticed, "the writer noticed", pause=0.01)
        self.assertTrue(arrival.is_alive())
        os.close(file)
        arrival.join(30)
        self.assertFalse(arrival.is_alive())

    def test_where_there_are_no_leases_all_is_taken_as_well(self) -> None:
        self.opened(os.O_WRONLY)
        error = OSError(errno.EINVAL, "Invalid argument")
        with mock.patch.object(fcntl, "fcntl", side_effect=error):
            leases.ReadLease(self.file).check()

    def test_of_a_file_of_another_user_nothing_is_known(self) -> None:
        error = PermissionError(errno.EACCES, "Permission denied")
        with mock.patch.object(fcntl, "fcntl", side_effect=error):
            self.assertRaises(PermissionError, leases.ReadLease, self.file)
