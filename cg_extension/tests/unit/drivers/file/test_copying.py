# SPDX-License-Identifier: Apache-2.0
"""Copies keep bytes, length and holes, by whatever way the file system offers."""

import errno
import fcntl
import os
import tracemalloc
from unittest import mock

import fixtures
from oslotest import base

from cg_extension.drivers.file import copying

MIB = 1 << 20


def unsupported(*args: object) -> None:
    raise OSError(errno.EOPNOTSUPP, "Operation not supported")


class FileCopyTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        directory = self.useFixture(fixtures.TempDir()).path
        self.source, self.target = (
            self.new_file(os.path.join(directory, name)) for name in ("source", "target")
        )

    def new_file(self, path: str) -> int:
        file = os.open(path, os.O_RDWR | os.O_CREAT)
        self.addCleanup(os.close, file)
        return file

    def fill(self, length: int, *offsets: int) -> None:
        os.ftruncate(self.source, length)
        for offset in offsets:
            os.pwrite(self.source, b"data" * 1024, offset)

    def assertSameBytes(self, length: int) -> None:
        self.assertEqual(length, os.fstat(self.target).st_size)
        for offset in range(0, length, 16 * MIB):
            expected = os.pread(self.source, 16 * MIB, offset)
            self.assertTrue(expected == os.pread(self.target, 16 * MIB, offset), offset)

    def test_data_and_holes_arrive_by_each_way(self) -> None:
        length = 64 * MIB + 4095
        self.fill(length, 0, 20 * MIB, length - 4096)
        ways = {
            "as the file system likes it": (),
            "without reflink": ((fcntl, "ioctl"),),
            "without reflink and copy_file_range": ((fcntl, "ioctl"), (os, "copy_file_range")),
        }
        for way, missing in ways.items():
            with self.subTest(way):
                os.ftruncate(self.target, 0)
                for module, name in missing:
                    patch = mock.patch.object(module, name, unsupported)
                    patch.start()
                    self.addCleanup(patch.stop)
                copying.copy(self.source, self.target)
                self.assertSameBytes(length)
                self.assertLess(os.fstat(self.target).st_blocks * 512, MIB)

    def test_a_file_of_one_hole_and_an_empty_file(self) -> None:
        for length in (16 * MIB, 0):
            self.fill(length)
            copying.sparse_copy(self.source, self.target)
            self.assertSameBytes(length)
            self.assertEqual(0, os.fstat(self.target).st_blocks)

    def test_extents_beyond_one_chunk_are_copied_in_turn(self) -> None:
        self.fill(3 * MIB, *range(0, 3 * MIB, 4096))
        self.patch(copying, "CHUNK", 300_000)
        copying.sparse_copy(self.source, self.target)
        self.assertSameBytes(3 * MIB)

    def test_memory_does_not_grow_with_the_file(self) -> None:
        self.fill(256 * MIB, *range(0, 256 * MIB, MIB))
        for module, name in ((fcntl, "ioctl"), (os, "copy_file_range")):
            patch = mock.patch.object(module, name, unsupported)
            patch.start()
            self.addCleanup(patch.stop)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        copying.copy(self.source, self.target)
        self.assertLess(tracemalloc.get_traced_memory()[1], MIB)

    def test_other_errors_reach_the_caller(self) -> None:
        self.fill(MIB, 0)
        full = OSError(errno.ENOSPC, "No space left on device")
        for module, name in ((os, "copy_file_range"), (fcntl, "ioctl")):
            with mock.patch.object(module, name, side_effect=full):
                error = self.assertRaises(OSError, self.copy_without_reflink, name)
            self.assertEqual(errno.ENOSPC, error.errno)

    def copy_without_reflink(self, failing: str) -> None:
        copy = copying.copy if failing == "ioctl" else copying.sparse_copy
        copy(self.source, self.target)

    def test_a_source_that_shrinks_is_an_error_not_an_endless_loop(self) -> None:
        self.fill(MIB, 0)
        with mock.patch.object(os, "copy_file_range", return_value=0):
            self.assertRaises(OSError, copying.sparse_copy, self.source, self.target)
