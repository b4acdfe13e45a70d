# SPDX-License-Identifier: Apache-2.0
"""A volume driver without storage, for tests of everything above the engine.

Group calls are the plugin's own code down to the engine; the rest is Cinder's driver for tests.
"""

import datetime
from collections.abc import Sequence

from cinder.tests import fake_driver

from cg_extension.cinder import group_calls
from cg_extension.drivers.lvm import engine, errors, receipts, together


class FakeEngine:
    """Does nothing, and says that it worked."""

    def snapshot_group(self, copies: Sequence[engine.Copy]) -> together.GroupSnapshot:
        held = 0.000523
        receipt = receipts.Receipt(datetime.datetime.now(datetime.UTC), held, None)
        return together.GroupSnapshot(held, receipt)

    def clone_group(self, copies: Sequence[engine.Copy]) -> float:
        return 0.0

    def restore_group(self, copies: Sequence[engine.Copy]) -> None:
        return None


class FailingEngine(FakeEngine):
    """Fails at group snapshots."""

    def snapshot_group(self, copies: Sequence[engine.Copy]) -> together.GroupSnapshot:
        raise errors.FreezeError("told to fail")


class FakeConsistentDriver(group_calls.GroupCalls, fake_driver.FakeLoggingVolumeDriver):
    """Cinder's driver that only logs, with the plugin's group calls."""

    engine = FakeEngine()

    def _update_volume_stats(self) -> None:
        super()._update_volume_stats()
        for pool in self._stats["pools"]:
            # As the plugin's driver on LVM.
            pool["consistent_group_snapshot_enabled"] = True
            pool["multiattach"] = True
            for capability in ("replication_enabled", "group_replication_enabled"):
                del pool[capability]


class FailingDriver(FakeConsistentDriver):
    """Its group snapshots fail."""

    engine = FailingEngine()
