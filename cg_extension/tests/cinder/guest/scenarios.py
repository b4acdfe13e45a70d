# SPDX-License-Identifier: Apache-2.0
"""Cinder's volume manager with the plugin's driver on real LVM, under live writers.

The manager's own code runs in this process, on SQLite and with Cinder's fake message bus; what
needs root in our code runs in the privileged helper, as in Cinder's services.
"""

import dataclasses
import hashlib
import os
import time
import uuid
from collections.abc import Sequence

import fixtures
from cinder import context, exception, objects, privsep
from cinder.objects import fields
from cinder.tests import fake_driver  # noqa: F401  (registers options)
from cinder.tests.unit import fake_constants, test
from cinder.tests.unit import utils as cinder_utils
from cinder.volume import configuration, volume_types
from oslo_config import cfg
from oslo_privsep import daemon
from oslo_utils import importutils, units

from cg_extension.drivers.lvm import engine, privileged
from cg_extension.tests.cinder.guest import heartbeat
from cg_extension.tests.lvm import base, writer

COUNT = 2
"""Volumes in a group, of one GiB each, the least that Cinder makes."""

ROUNDS = 3

HELPER_CHANNEL = daemon.RootwrapClientChannel
"""To the privileged helper; Cinder's test cases put one in its place that starts none."""


class Scenarios:
    """The rules, for thin and for thick volumes."""

    lvm_type: str

    def _lvcreate(self, size: str) -> list[str]:
        """The arguments of ``lvcreate`` for a volume of that size and of this kind."""
        raise NotImplementedError

    def setUp(self) -> None:
        super().setUp()
        name = f"{daemon.__name__}.{HELPER_CHANNEL.__name__}"
        self.useFixture(fixtures.MonkeyPatch(name, HELPER_CHANNEL))
        privileged.configure()
        privsep.sys_admin_pctxt.set_client_mode(False)  # What of Cinder's needs root, in process.
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

    def _manage(self, lv: str) -> objects.Volume:
        """Tell Cinder to manage an LV that somebody else has made."""
        volume = cinder_utils.create_volume(
            self.context,
            size=0,
            host=self.manager.host,
            volume_type_id=self.volume_type,
            status="managing",
        )
        self.manager.manage_existing(self.context, volume, {"source-name": lv})
        return objects.Volume.get_by_id(self.context, volume.id)

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

    def _create_volume(self, group: objects.Group, **values: object) -> objects.Volume:
        return cinder_utils.create_volume(
            self.context,
            host=self.manager.host,
            group_id=group.id,
            volume_type_id=self.volume_type,
            status="available",
            **{"size": 1, **values},
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

    def test_volumes_that_were_managed_or_migrated_are_members_like_others(self) -> None:
        """Their LVs have another size, or another name, than those that Cinder made here."""
        base.run("lvcreate", "--yes", *self._lvcreate("512M"), "--name", "old", self.vg.name)
        managed = self._manage("old")
        self.assertEqual(1, managed.size)
        self.manager.update_group(self.context, self.group, add_volumes=managed.id)
        # As a migration leaves it that can't give the new LV the old one's name.
        migrated = self._create_volume(self.group, _name_id=str(uuid.uuid4()))
        self.driver.create_volume(migrated)
        self.assertNotIn(migrated.id, migrated.name)
        plain = self.volumes
        self.volumes = [
            objects.Volume.get_by_id(self.context, volume.id) for volume in (managed, migrated)
        ]
        devices = [self.driver.local_path(volume) for volume in self.volumes]
        with writer.Writer(devices, pause=0.002):
            taken = self._snapshot()
            snapshots = self._snapshots(taken)
            restored = self._create_group(0, group_snapshot_id=taken.id)
            for snapshot in snapshots:
                self._create_volume(restored, snapshot_id=snapshot.id, size=snapshot.volume_size)
            self.manager.create_group_from_src(self.context, restored, group_snapshot=taken)
        by_volume = {snapshot.volume_id: snapshot for snapshot in snapshots}
        ordered = [by_volume[volume.id] for volume in self.volumes]
        self.assertEqual(0, writer.gap(self._paths(ordered)))
        by_snapshot = {volume.snapshot_id: volume for volume in self._members(restored)}
        copies = [self.driver.local_path(by_snapshot[snapshot.id]) for snapshot in ordered]
        self.assertEqual(0, writer.gap(copies))
        self.assertEqual([units.Gi, units.Gi], [_size(copy) for copy in copies])
        self.manager.delete_group(self.context, restored)
        self.manager.delete_group_snapshot(self.context, taken)
        self.manager.update_group(self.context, self.group, remove_volumes=managed.id)
        left = objects.Volume.get_by_id(self.context, managed.id)
        self.manager.delete_volume(self.context, left, unmanage_only=True)
        self._assert_only(len(plain) + 2)
        self.manager.delete_group(self.context, self.group)
        self._assert_only(1)

    def test_other_calls_go_on_while_groups_are_snapshotted_and_made(self) -> None:
        """With eventlet, what waits must wait in the helper or in another native thread."""
        self.driver.engine.check()  # Starts the helper.
        with heartbeat.Heartbeat() as taking:
            taken = self._snapshot()
        restored = self._create_group(0, group_snapshot_id=taken.id)
        for snapshot in self._snapshots(taken):
            self._create_volume(restored, snapshot_id=snapshot.id)
        with heartbeat.Heartbeat() as making:
            self.manager.create_group_from_src(self.context, restored, group_snapshot=taken)
        for beat in (taking, making):
            self.assertLess(beat.longest, beat.took / 4)

    def test_a_group_snapshot_that_fails_leaves_nothing(self) -> None:
        settings = self.driver.engine.settings
        # No freeze can keep that.
        hasty = dataclasses.replace(settings, freeze_deadline=1e-6)
        self.driver._engine = engine.Engine(hasty)
        with writer.Writer(self.devices):
            error = self.assertRaises(exception.VolumeBackendAPIException, self._snapshot)
        self.assertIn("deadline", str(error))
        self._assert_only(COUNT)


def _size(device: str) -> int:
    with open(device, "rb") as file:
        return file.seek(0, os.SEEK_END)


def _digest(device: str) -> str:
    """Of the first 32 MiB, in which the writer writes, and what is around."""
    with open(device, "rb") as file:
        return hashlib.sha256(file.read(32 * base.MIB)).hexdigest()


class ThinTest(Scenarios, test.TestCase):
    lvm_type = "thin"

    def _lvcreate(self, size: str) -> list[str]:
        return ["--virtualsize", size, "--thinpool", f"{self.vg.name}-pool"]


class ThickTest(Scenarios, test.TestCase):
    lvm_type = "default"

    def _lvcreate(self, size: str) -> list[str]:
        return ["--size", size]
