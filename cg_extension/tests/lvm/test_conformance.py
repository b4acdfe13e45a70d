# SPDX-License-Identifier: Apache-2.0
"""The driver conforms to its interface, thin and thick, also when any LVM command fails."""

import contextlib
import os
from collections.abc import Collection, Iterator
from typing import Any
from unittest import mock

import fixtures
from oslo_config import cfg
from oslo_utils import units

from cg_extension import conf as cg_conf
from cg_extension.contract import records
from cg_extension.drivers import conformance, exceptions
from cg_extension.drivers.conformance import harness
from cg_extension.drivers.lvm import commands, driver
from cg_extension.tests import long
from cg_extension.tests.lvm import base

# Of a volume's size. A guest takes seconds to copy a real one; this has several pieces as well.
_GIB = units.Gi if long.WANTED else 128 * base.MIB


class LVMHarness(harness.Harness, base.LVMTestCase):
    """The driver on a volume group of its own; its privileged calls run in this process."""

    pool_size = 0
    member_count = 2

    def setUp(self) -> None:
        self.vg = self.useFixture(base.VolumeGroupFixture(40960, self.pool_size))
        self.paths: dict[str, str] = {}
        for constant in (f"{units.__name__}.Gi", f"{harness.__name__}.GIB"):
            self.useFixture(fixtures.MonkeyPatch(constant, _GIB))
        super().setUp()

    def make_driver(self) -> driver.LVMDriver:
        conf = cfg.ConfigOpts()
        cg_conf.register_opts(conf)
        cg_conf.register_backend_opts(conf, "lvm", driver.LVMDriver.get_driver_options())
        conf([], default_config_files=[])
        conf.set_override("volume_group", self.vg.name, group="lvm")
        conf.set_override("lvm_pool_name", "pool", group="lvm")
        conf.set_override("lvm_conf_file", str(self.vg.system_dir / "lvm.conf"), group="lvm")
        return driver.LVMDriver(conf, "lvm", "host@lvm")

    def objects(self) -> Collection[str]:
        """Volumes, and marks of sets that are being made or removed; by one process."""
        fields = ("--noheadings", "--separator", " ", "-o", "lv_name,vg_tags")
        words = set(base.run("vgs", *fields, self.vg.name).replace(",", " ").split())
        return words - {"pool"}

    @contextlib.contextmanager
    def opened(self, volume: records.Volume) -> Iterator[str]:
        """Connected once: it stays active."""
        if volume.id not in self.paths:
            with super().opened(volume) as path:
                self.paths[volume.id] = path
        yield self.paths[volume.id]

    def remove_volume_later(self, volume: records.Volume) -> records.Volume:
        """It goes with the volume group."""
        return volume

    def remove_snapshot_later(self, snapshot: records.Snapshot) -> records.Snapshot:
        return snapshot


class ThickTest(conformance.DriverConformance, LVMHarness):
    """Thick volumes."""


class LostSnapshotTest(LVMHarness):
    """A copy-on-write store of a hundredth of its volume."""

    def make_driver(self) -> driver.LVMDriver:
        made = super().make_driver()
        made.conf.set_override("snapshot_cow_percent", 1, group="lvm")
        return made

    def test_an_overflowed_snapshot_is_reported_and_not_restored(self) -> None:
        volume = self.new_volume("before")
        lost = self.new_snapshot(volume)
        kept = self.new_snapshot(self.new_volume("other"))
        self.assertEqual({}, self.driver.get_lost_snapshots())
        with self.opened(volume) as path, open(path, "r+b", buffering=0) as device:
            for _ in range(32):  # more than fits, also by LVM's rounding
                device.write(bytes(base.MIB))
            os.fsync(device.fileno())
        reasons = self.driver.get_lost_snapshots()
        self.assertEqual([lost.id], list(reasons))
        self.assertIn("overflowed", reasons[lost.id])
        self.assertRaises(exceptions.DriverRefusal, self.restored, lost)
        self.assertHolds("other", self.restored(kept))


class ThinTest(conformance.DriverConformance, LVMHarness):
    """Thin volumes."""

    pool_size = 20480


class ThickFailureTest(conformance.FailureConformance, LVMHarness):
    """Thick volumes, and ``lvm`` processes fail in turn: in a long run all, else every other."""

    first = 0

    @contextlib.contextmanager
    def failing(self, step: int) -> Iterator[None]:
        left = step if long.WANTED else self.first + 2 * step
        real = commands.lvm

        def lvm(*arguments: Any) -> tuple[int, str, str]:
            nonlocal left
            left -= 1
            return (5, "", "made to fail") if left == -1 else real(*arguments)

        with mock.patch.object(commands, "lvm", lvm):
            yield


class ThinFailureTest(ThickFailureTest):
    """The same with thin volumes, and with those commands that do not fail with thick ones."""

    first = 1
    pool_size = 20480
