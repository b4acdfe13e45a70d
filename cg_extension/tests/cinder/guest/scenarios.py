# SPDX-License-Identifier: Apache-2.0
"""Cinder's volume manager with the plugin's driver on real LVM, under live writers.

The manager's own code runs in this process, on SQLite and with Cinder's fake message bus.
"""

import dataclasses
import hashlib
import time
from collections.abc import Sequence

from cinder import context, exception, objects
from cinder.objects import fields
from cinder.tests import fake_driver  # noqa: F401  (registers options)
from cinder.tests.unit import fake_constants, test
from cinder.tests.unit import utils as cinder_utils
from cinder.volume import configuration, volume_types
from oslo_config import cfg
from oslo_utils import importutils

from cg_extension.drivers.lvm import engine, privileged
from cg_extension.tests.lvm import base, writer

COUNT = 2
"""Volumes in a group, of one GiB each, the least that Cinder makes."""

ROUNDS = 3


class Scenarios:
    """The rules, for thin and for thick volumes."""

    lvm_type: str

    def setUp(self) -> None:
        super().setUp()
        privileged.run_in_process()
        self.vg = self.useFixture(base.VolumeGroupFixture(size=16 * 1024))
        for name, value in {
            "volume_driver": "cg_extension.cinder.volume_driver.ConsistentLVMVolumeDriver",
            "volume_group": self.vg.name,
            "lvm_type": self.lvm_type,
            "lvm_conf_file": str(self.vg.system_dir / "lvm.conf"),
            "volume_clear": "zero",
            "volume_clear_size": 4,
            "target_helper": "fake",
        }.items():
            self.override_config(name, value, configuration.SHARED_CONF_GROUP)
        self.context = context.get_admin_context()
        self.context.user_id = fake_constants.USER_ID
        self.context.project_id = fake_constants.PROJECT_ID
        self.manager = importutils.import_object(cfg.CONF.volume_manager)
        self.driver = self.manager.driver
        self.driver.do_setup(self.context)
        self.driver.check_for_setup_error()
        self.driver.set_initialized()
        # As init_host, which would need Cinder's other services, leaves it.
        self.manager.stats = {"pools": {}, "allocated_capacity_gb": 0}
        self.volume_type = volume_types.create(self.context, "gold")["id"]
        self.group = self._create_group(COUNT)
        self.volumes = self._members(self.group)
        for volume in self.volumes:
            self.driver.create_volume(volume)
        self.devices = [self.driver.local_path(volume) for volume in self.volumes]

    def _create_group(self, count: int, **source: str) -> objects.Group:
        group = cinder_utils.create_group(
            self.context,
            host=self.manager.host,
            group_type_id=fake_constants.GROUP_TYPE_ID,
            volume_type_ids=[self.volume_type],
            **source,
        )
        if not source:
            self.manager.create_group(self.context, group)
            for _ in range(count):
                self._create_volume(group)
        return group

    def _create_volume(self, group: objects.Group, **source: str) -> objects.Volume:
        return cinder_utils.create_volume(
            self.context,
            size=1,
            host=self.manager.host,
            group_id=group.id,
            volume_type_id=self.volume_type,
            status="available",
            **source,
        )

    def _members(self, group: objects.Group) -> list[objects.Volume]:
        volumes = objects.VolumeList.get_all_by_generic_group(self.context, group.id)
        return sorted(volumes, key=lambda volume: volume.source_volid or volume.id)

    def _snapshot(self) -> objects.GroupSnapshot:
        taken = cinder_utils.create_group_snapshot(
            self.context,
            group_id=self.group.id,
            group_type_id=fake_constants.GROUP_TYPE_ID,
            status=fields.GroupSnapshotStatus.CREATING,
        )
        for volume in self.volumes:
            cinder_utils.create_snapshot(
                self.context,
                volume.id,
                group_snapshot_id=taken.id,
                status=fields.SnapshotStatus.CREATING,
                volume_type_id=volume.volume_type_id,
            )
        self.manager.create_group_snapshot(self.context, taken)
        return taken

    def _snapshots(self, taken: objects.GroupSnapshot) -> list[objects.Snapshot]:
        snapshots = objects.SnapshotList.get_all_for_group_snapshot(self.context, taken.id)
        return sorted(snapshots, key=lambda snapshot: snapshot.volume_id)

    def _paths(self, snapshots: Sequence[objects.Snapshot]) -> list[str]:
        for snapshot in snapshots:
            self.driver.vg.activate_lv(snapshot.name, is_snapshot=True)
        return [self.driver.local_path(snapshot) for snapshot in snapshots]

    def _assert_only(self, count: int) -> None:
        """There are ``count`` volumes and snapshots in the volume group, beside the pool."""
        names = [volume["name"] for volume in self.driver.vg.get_volumes()]
        self.assertEqual(count, len([n for n in names if not n.endswith("-pool")]), names)

    def test_group_snapshots_under_a_writer_are_never_torn(self) -> None:
        with writer.Writer(self.devices):
            for _ in range(ROUNDS):
                time.sleep(0.05)
                taken = self._snapshot()
                self.assertEqual(0, writer.gap(self._paths(self._snapshots(taken))))
                self.manager.delete_group_snapshot(self.context, taken)
        self._assert_only(COUNT)
        self.manager.delete_group(self.context, self.group)
        self._assert_only(0)

    def test_cinders_own_way_is_torn(self) -> None:
        """The judge itself, and why the driver is needed."""
        with writer.Writer(self.devices):
            taken = cinder_utils.create_group_snapshot(self.context, group_id=self.group.id)
            for volume in self.volumes:
                snapshot = cinder_utils.create_snapshot(
                    self.context, volume.id, group_snapshot_id=taken.id
                )
                self.driver.create_snapshot(snapshot)
            self.assertGreater(writer.gap(self._paths(self._snapshots(taken))), 0)

    def test_new_groups_have_the_content_of_one_instant(self) -> None:
        with writer.Writer(self.devices):
            time.sleep(0.05)
            taken = self._snapshot()
            snapshots = self._snapshots(taken)
            restored = self._create_group(0, group_snapshot_id=taken.id)
            for snapshot in snapshots:
                self._create_volume(restored, snapshot_id=snapshot.id)
            self.manager.create_group_from_src(self.context, restored, group_snapshot=taken)
            cloned = self._create_group(0, source_group_id=self.group.id)
            for volume in self.volumes:
                self._create_volume(cloned, source_volid=volume.id)
            self.manager.create_group_from_src(self.context, cloned, source_group=self.group)
        by_snapshot = {volume.snapshot_id: volume for volume in self._members(restored)}
        copies = [self.driver.local_path(by_snapshot[snapshot.id]) for snapshot in snapshots]
        self.assertEqual(0, writer.gap(copies))
        for snapshot, copy in zip(self._paths(snapshots), copies, strict=True):
            self.assertEqual(_digest(snapshot), _digest(copy))
        clones = [self.driver.local_path(volume) for volume in self._members(cloned)]
        self.assertEqual(0, writer.gap(clones))
        for group in (restored, cloned):
            self.manager.delete_group(self.context, group)
        self.manager.delete_group_snapshot(self.context, taken)
        self.manager.delete_group(self.context, self.group)
        self._assert_only(0)

    def test_a_group_snapshot_that_fails_leaves_nothing(self) -> None:
        settings = self.driver.engine.settings
        # No freeze can keep that.
        hasty = dataclasses.replace(settings, freeze_deadline=1e-6)
        self.driver._engine = engine.Engine(hasty)
        with writer.Writer(self.devices):
            error = self.assertRaises(exception.VolumeBackendAPIException, self._snapshot)
        self.assertIn("deadline", str(error))
        self._assert_only(COUNT)


def _digest(device: str) -> str:
    """Of the first 32 MiB, in which the writer writes, and what is around."""
    with open(device, "rb") as file:
        return hashlib.sha256(file.read(32 * base.MIB)).hexdigest()


class ThinTest(Scenarios, test.TestCase):
    lvm_type = "thin"


class ThickTest(Scenarios, test.TestCase):
    lvm_type = "default"
