# SPDX-License-Identifier: Apache-2.0
"""The snapshot of a pool's metadata that a look into it takes, on a pool in memory."""

import contextlib
import errno
import pathlib
import subprocess
from typing import Any, Self
from unittest import mock

import fixtures
from oslotest import base

from cg_extension.drivers.lvm import (
    at_work,
    device_mapper,
    errors,
    low_stall,
    privileged,
    thin_space,
)


class Cut(BaseException):
    """The power failed, or the process was killed."""


class Pool:
    """A pool that has a snapshot of its metadata or none, as its disks do."""

    def __init__(self) -> None:
        self.is_taken = False
        self.is_cut = False
        self.is_active = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def send(self, request: device_mapper.Request) -> None:
        if self.is_cut:
            raise Cut
        if not self.is_active:
            raise OSError(errno.ENXIO, "made to fail")
        takes = b"reserve" in request.content
        if self.is_taken == takes:
            raise OSError(errno.EBUSY if takes else errno.EINVAL, "made to fail")
        self.is_taken = takes


class MetadataSnapshotTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        privileged.run_in_process()
        self.pool = Pool()
        self.useFixture(fixtures.MockPatchObject(device_mapper, "Control", lambda: self.pool))
        lasting = pathlib.Path(self.useFixture(fixtures.TempDir()).path) / "cg_extension-lvm"
        self.useFixture(fixtures.MockPatchObject(thin_space, "_TAKEN", lasting))
        self.reboot()

    def reboot(self) -> None:
        """What is in /run is gone."""
        run = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.useFixture(fixtures.MockPatchObject(low_stall, "OURS", run))
        self.useFixture(fixtures.MockPatchObject(at_work, "_DIRECTORY", run / "at-work"))
        self.pool.is_cut = False

    def look(self, cut: bool = False) -> dict[int, int]:
        def thin_ls(*_arguments: Any, **_options: Any) -> subprocess.CompletedProcess[str]:
            self.pool.is_cut = cut
            return subprocess.CompletedProcess([], 0, "1 4096\n", "")

        with mock.patch("subprocess.run", thin_ls):
            return thin_space.exclusive("vg", "pool")

    def test_it_is_dropped_at_the_end(self) -> None:
        self.assertEqual({1: 4096}, self.look())
        self.assertFalse(self.pool.is_taken)

    def test_one_that_a_power_cut_or_a_kill_has_left_is_dropped_by_the_next(self) -> None:
        for end in (self.reboot, lambda: setattr(self.pool, "is_cut", False)):
            with contextlib.suppress(Cut):
                self.look(cut=True)
            self.assertTrue(self.pool.is_taken)
            end()
            self.assertEqual({1: 4096}, self.look())
            self.assertFalse(self.pool.is_taken)

    def test_one_that_is_left_is_dropped_also_after_a_look_before_its_pool_was_active(self) -> None:
        with contextlib.suppress(Cut):
            self.look(cut=True)
        self.reboot()
        self.pool.is_active = False
        self.assertRaises(errors.LVMError, self.look)
        self.pool.is_active = True
        self.assertEqual({1: 4096}, self.look())
        self.assertFalse(self.pool.is_taken)

    def test_where_only_run_can_be_written_one_that_a_kill_has_left_is_dropped(self) -> None:
        file = self.useFixture(fixtures.TempDir()).join("read-only")
        pathlib.Path(file).touch()
        self.useFixture(fixtures.MockPatchObject(thin_space, "_TAKEN", pathlib.Path(file, "in")))
        self.assertEqual({1: 4096}, self.look())
        with contextlib.suppress(Cut):
            self.look(cut=True)
        self.pool.is_cut = False
        self.assertEqual({1: 4096}, self.look())
        self.assertFalse(self.pool.is_taken)

    def test_one_of_somebody_else_is_left_alone(self) -> None:
        self.pool.is_taken = True
        for _ in range(2):
            self.assertRaises(errors.LVMError, self.look)
            self.assertTrue(self.pool.is_taken)
