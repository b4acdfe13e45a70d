# SPDX-License-Identifier: Apache-2.0
"""What the driver refuses before it asks LVM anything."""

import pathlib

import fixtures
from oslotest import base

from cg_extension import conf as cg_conf
from cg_extension.contract import context
from cg_extension.drivers import exceptions
from cg_extension.drivers.lvm import driver
from cg_extension.tests import databases


class SetupTest(base.BaseTestCase):
    def test_an_lvm_conf_that_is_not_there_is_named(self) -> None:
        directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        (directory / "other.conf").touch()
        conf = databases.configuration("sqlite://")
        cg_conf.register_backend_opts(conf, "lvm")
        cg_conf.register_backend_opts(conf, "lvm", driver.LVMDriver.get_driver_options())
        for name in ("lvm.conf", "other.conf"):
            path = str(directory / name)
            conf.set_override("lvm_conf_file", path, group="lvm")
            made = driver.LVMDriver(conf, "lvm", "host@lvm")
            error = self.assertRaises(
                exceptions.DriverSetupError, made.do_setup, context.RequestContext(is_admin=True)
            )
            self.assertIn(f"[lvm] lvm_conf_file = {path}", str(error))
