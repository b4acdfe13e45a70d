# SPDX-License-Identifier: Apache-2.0
"""Whoever is at work is waited for, also when the one that started it was killed."""

import errno
import os
import pathlib
import signal
import subprocess
import sys
import threading
from unittest import mock

import fixtures
from oslotest import base

from cg_extension.drivers.lvm import at_work
from cg_extension.tests import waiting

_CALLER = """
import pathlib, subprocess, sys
from cg_extension.drivers.lvm import at_work
at_work.low_stall.OURS, at_work._DIRECTORY = map(pathlib.Path, sys.argv[1:3])
with at_work.work("script") as fd:
    # As lvm does, it keeps its first three descriptors only.
    command = ["sh", "-c", 'echo started; exec cat "$1"', "sh", sys.argv[3]]
    subprocess.run(command, stdin=fd, close_fds=True)
"""


class AtWorkTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.ours = pathlib.Path(self.useFixture(fixtures.TempDir()).path) / "ours"
        self.directory = self.ours / "at-work"
        self.useFixture(fixtures.MockPatchObject(at_work.low_stall, "OURS", self.ours))
        self.useFixture(fixtures.MockPatchObject(at_work, "_DIRECTORY", self.directory))

    def _assert_nothing_left(self) -> None:
        self.assertEqual([], list(self.directory.iterdir()))

    def test_the_text_is_what_the_child_reads(self) -> None:
        with at_work.work("a\nb\n") as fd:
            done = subprocess.run(["cat"], stdin=fd, capture_output=True, check=True)
        self.assertEqual(b"a\nb\n", done.stdout)
        self._assert_nothing_left()

    def test_half_a_text_is_given_to_nobody_and_the_file_is_named(self) -> None:
        pwrite = os.pwrite
        for write in (
            lambda fd, content, offset: pwrite(fd, content[:2], offset),
            mock.Mock(side_effect=OSError(errno.ENOSPC, "No space left on device")),
        ):
            with mock.patch("os.pwrite", write):
                error = self.assertRaises(OSError, at_work.work("a\nb\n").__enter__)
            self.assertEqual(str(self.directory), os.path.dirname(error.filename))
            self.assertEqual(errno.ENOSPC, error.errno)
            self._assert_nothing_left()

    def test_a_child_whose_parent_was_killed_is_waited_for(self) -> None:
        end = f"{self.useFixture(fixtures.TempDir()).path}/end"
        os.mkfifo(end)
        places = map(str, (self.ours, self.directory, end))
        with open(os.open(end, os.O_RDWR), "wb") as child_goes_on:
            caller = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-c", _CALLER, *places], stdout=subprocess.PIPE
            )
            self.assertEqual(b"started\n", caller.stdout.readline())
            caller.send_signal(signal.SIGKILL)
            self.assertEqual(-signal.SIGKILL, caller.wait())
            waiter = threading.Thread(target=at_work.wait_for_all)
            waiter.start()
            waiter.join(0.2)
            self.assertTrue(waiter.is_alive())
            child_goes_on.close()
            waiter.join()
        caller.stdout.close()
        self._assert_nothing_left()

    def test_others_begin_while_someone_waits(self) -> None:
        order = []

        def wait() -> None:
            at_work.wait_for_all()
            order.append("waited")

        with at_work.work():
            thread = threading.Thread(target=wait)
            thread.start()
            thread.join(0.2)
            for _ in range(20):
                with at_work.work():
                    pass
            order.append("worked")
        thread.join(60)
        self.assertEqual(["worked", "waited"], order)
        self._assert_nothing_left()

    def test_one_that_begins_just_as_its_file_is_removed_has_another(self) -> None:
        """Between the making of the file and its lock."""

        def flock(fd: int, operation: int) -> None:
            self.useFixture(fixtures.MockPatchObject(at_work.fcntl, "flock", real))
            at_work.wait_for_all()
            real(fd, operation)

        real = at_work.fcntl.flock
        self.useFixture(fixtures.MockPatchObject(at_work.fcntl, "flock", flock))
        with at_work.work():
            self.assertEqual(1, len(list(self.directory.iterdir())))
        self._assert_nothing_left()

    def test_only_root_can_get_at_the_files(self) -> None:
        with at_work.work("script"):
            self.assertEqual(0o700, self.directory.stat().st_mode & 0o777)

    def test_with_nobody_at_work_there_is_nothing_to_wait_for(self) -> None:
        at_work.wait_for_all()

    def test_one_is_alone_at_a_time_and_another_tells_that_it_waits(self) -> None:
        order = []

        def second() -> None:
            with at_work.alone("vg", lambda: order.append("waits")):
                order.append("second")

        with at_work.alone("vg"), at_work.alone("another"):
            thread = threading.Thread(target=second)
            thread.start()
            waiting.eventually(lambda: order, "it tells that it waits")
            order.append("first")
        thread.join(60)
        self.assertEqual(["waits", "first", "second"], order)


_CLAIMER = """
import pathlib, sys
from cg_extension.drivers.lvm import at_work
at_work.low_stall.OURS = pathlib.Path(sys.argv[1])
with at_work.claimed(sys.argv[2:]) as is_ours:
    print(is_ours, flush=True)
    sys.stdin.read()
"""


class ClaimsTest(base.BaseTestCase):
    def _claim(self, *words: str) -> tuple[subprocess.Popen[bytes], bytes]:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", _CLAIMER, str(self.ours), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.addCleanup(process.communicate)
        return process, process.stdout.readline()

    def test_what_one_process_has_claimed_no_other_can_until_it_has_ended(self) -> None:
        self.ours = pathlib.Path(self.useFixture(fixtures.TempDir()).path) / "ours"
        first, is_ours = self._claim("monday vg", "monday wg")
        self.assertEqual(b"True\n", is_ours)
        self.assertEqual(b"False\n", self._claim("monday wg", "monday xg")[1])
        self.assertEqual(b"True\n", self._claim("monday xg", "tuesday vg")[1])
        first.kill()
        first.wait()
        self.assertEqual(b"True\n", self._claim("monday vg")[1])
