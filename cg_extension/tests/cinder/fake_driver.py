# SPDX-License-Identifier: Apache-2.0
"""A volume driver without storage, for tests of everything above the driver."""

from cinder.tests import fake_driver


class FakeConsistentDriver(fake_driver.FakeLoggingVolumeDriver):
    """Cinder's driver that only logs."""
