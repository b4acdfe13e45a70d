# SPDX-License-Identifier: Apache-2.0
"""What of the volume driver can be shown without LVM."""

import subprocess
import sys
import unittest


class OwnTestsTest(unittest.TestCase):
    """The subclass is a good LVMVolumeDriver."""

    def test_cinders_unit_tests_of_its_lvm_driver_pass_with_the_subclass(self) -> None:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "cg_extension.tests.cinder.own_lvm_tests"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
        self.assertEqual(0, done.returncode, done.stderr[-8000:])
        self.assertRegex(done.stderr, r"Ran 49 tests")
