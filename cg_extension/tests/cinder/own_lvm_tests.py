# SPDX-License-Identifier: Apache-2.0
"""``python -m cg_extension.tests.cinder.own_lvm_tests``: Cinder's unit tests of its LVM driver,
against the plugin's subclass. A program of its own, since Cinder's tests patch their process.
"""

import types
import unittest

from cinder.tests.unit.volume.drivers import test_lvm_driver
from cinder.volume.drivers import lvm

from cg_extension.cinder import volume_driver

DRIVER = volume_driver.ConsistentLVMVolumeDriver


def load_tests(
    loader: unittest.TestLoader, tests: unittest.TestSuite, pattern: str | None
) -> unittest.TestSuite:
    """Cinder's test cases, which then find the subclass where they look for the driver."""
    # Only in the tests' module: in Cinder's own the subclass would become its own base.
    test_lvm_driver.lvm = types.SimpleNamespace(**{**vars(lvm), "LVMVolumeDriver": DRIVER})
    for case in (test_lvm_driver.LVMVolumeDriverTestCase, test_lvm_driver.LVMISCSITestCase):
        case.driver_name = f"{DRIVER.__module__}.{DRIVER.__name__}"
        tests.addTests(loader.loadTestsFromTestCase(case))
    return tests


if __name__ == "__main__":
    unittest.main()
