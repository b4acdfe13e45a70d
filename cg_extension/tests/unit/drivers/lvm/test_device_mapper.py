# SPDX-License-Identifier: Apache-2.0
"""Requests have the layout of the kernel's dm-ioctl.h."""

import errno
import os
import struct

import fixtures
from oslotest import base

from cg_extension.drivers.lvm import device_mapper


class RequestTest(base.BaseTestCase):
    def test_numbers_are_those_that_the_header_computes(self) -> None:
        # _IOWR(0xfd, command, struct dm_ioctl), whose size is 312.
        self.assertEqual(0xC138FD06, device_mapper.DEV_SUSPEND)
        self.assertEqual(0xC138FD09, device_mapper.TABLE_LOAD)
        self.assertEqual(0xC138FD0E, device_mapper.TARGET_MSG)

    def test_suspend_and_resume_differ_in_one_flag(self) -> None:
        suspend, resume = device_mapper.suspend("vg-lv"), device_mapper.resume("vg-lv")
        self.assertEqual(suspend.number, resume.number)
        flags = [struct.unpack_from("<I", r.content, 28)[0] for r in (suspend, resume)]
        self.assertEqual([2, 0], flags)
        self.assertEqual(312, len(suspend.content))
        self.assertEqual(b"vg-lv\0", suspend.content[48:54])

    def test_a_message_follows_the_header_and_ends_in_nul(self) -> None:
        content = device_mapper.message("pool", "delete 7").content
        size, start = struct.unpack_from("<II", content, 12)
        self.assertEqual((len(content), 312), (size, start))
        self.assertEqual(bytes(8) + b"delete 7\0", content[312:329])

    def test_targets_of_a_table_are_chained_at_multiples_of_eight(self) -> None:
        lines = [
            device_mapper.Target(0, 8, "linear", "254:0 0"),
            device_mapper.Target(8, 16, "error", ""),
        ]
        content = device_mapper.load("vg-lv", lines).content
        self.assertEqual(2, struct.unpack_from("<I", content, 20)[0])
        start, length, _status, following, kind = struct.unpack_from("<QQiI16s", content, 312)
        self.assertEqual((0, 8, b"linear"), (start, length, kind.rstrip(b"\0")))
        self.assertEqual(0, following % 8)
        self.assertEqual((8, 16), struct.unpack_from("<QQ", content, 312 + following))

    def test_a_name_that_does_not_fit_is_refused(self) -> None:
        self.assertRaises(ValueError, device_mapper.suspend, "x" * 128)
        self.assertRaises(ValueError, device_mapper.suspend, "")


class ControlTest(base.BaseTestCase):
    def test_a_target_that_the_kernel_can_not_load_is_not_there(self) -> None:
        self.useFixture(fixtures.MockPatchObject(device_mapper, "CONTROL", os.devnull))
        ioctl = self.useFixture(fixtures.MockPatchObject(device_mapper.fcntl, "ioctl")).mock
        with device_mapper.Control() as control:
            self.assertTrue(control.has_target("zero"))
            self.assertEqual(device_mapper.GET_TARGET_VERSION, ioctl.call_args.args[1])
            for number in (errno.EINVAL, errno.ENOTTY):
                ioctl.side_effect = OSError(number, "")
                self.assertFalse(control.has_target("zero"))
