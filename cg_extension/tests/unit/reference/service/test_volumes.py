# SPDX-License-Identifier: Apache-2.0
"""Tests of volumes, new volumes, attachments and snapshots on every database."""

from typing import Any

from cg_extension.contract import exceptions, records
from cg_extension.reference.db import tables
from cg_extension.tests.unit.reference.service import base

_INVALID = exceptions.InvalidState


class CreateVolumeTest(base.ServiceTestCase):
    def _create(self, **values: Any) -> records.Volume:
        return self.service.create_volume(self.member, **self.volume_arguments(**values))

    def test_a_new_volume_is_stored_as_it_was_answered(self) -> None:
        volume = self._create(size=3, name="n", metadata={"k": "v"})
        self.assertEqual(
            ("creating", base.HOST, "nova"), (volume.status, volume.host, volume.availability_zone)
        )
        self.assertEqual(self.default_type.id, volume.volume_type_id)
        self.assertEqual(volume, self.service.get_volume(self.member, volume.id))
        self.assertEqual([("volume.create", volume.id)], self.operations())

    def test_unknown_things_are_not_found(self) -> None:
        for error, values in (
            (exceptions.VolumeTypeNotFound, {"volume_type": "none"}),
            (exceptions.SnapshotNotFound, {"snapshot_id": base.MISSING}),
            (exceptions.VolumeNotFound, {"source_volid": base.MISSING}),
            (exceptions.GroupNotFound, {"consistencygroup_id": base.MISSING}),
        ):
            self.assertRaises(error, self._create, **values)

    def test_another_projects_source_is_not_found(self) -> None:
        volume = self.volume(context=self.stranger)
        self.assertRaises(exceptions.VolumeNotFound, self._create, source_volid=volume.id)

    def test_a_group_takes_volumes_of_its_types_only_while_it_is_available(self) -> None:
        group = self.group()
        kind = self.service.create_type(
            self.admin, name="t", description=None, is_public=True, extra_specs={}
        )
        self.refused(
            "does not allow",
            exceptions.InvalidInput,
            self._create,
            consistencygroup_id=group.id,
            volume_type="t",
        )
        self.assertEqual(group.id, self._create(consistencygroup_id=group.id).consistencygroup_id)
        self.set_columns(tables.consistencygroups, group.id, status="deleting")
        self.refused("is deleting", _INVALID, self._create, consistencygroup_id=group.id)
        self.assertEqual(kind.id, self._create(volume_type="t").volume_type_id)

    def test_a_copy_is_beside_its_source_and_no_smaller(self) -> None:
        source = self.volume(size=2)
        snapshot = self.snapshot(source)
        self.report("host@two", stats={**base.STATS, "free_capacity_gb": 5000.0})
        for origin in ({"source_volid": source.id}, {"snapshot_id": snapshot.id}):
            copy = self._create(size=None, **origin)
            self.assertEqual((2, base.HOST), (copy.size, copy.host))
            self.assertEqual(3, self._create(size=3, **origin).size)
            self.refused("at least", exceptions.InvalidInput, self._create, size=1, **origin)

    def test_a_copy_or_member_needs_room_beside_its_source_or_in_its_group(self) -> None:
        source = self.volume(size=2)
        snapshot = self.snapshot(source)
        group = self.group()
        self.report(stats={**base.STATS, "free_capacity_gb": 1.0})
        for beside in (
            {"source_volid": source.id},
            {"snapshot_id": snapshot.id},
            {"consistencygroup_id": group.id},
        ):
            self.refused(
                "no 2 GiB free", exceptions.ServiceUnavailable, self._create, size=2, **beside
            )

    def test_a_source_must_be_ready(self) -> None:
        source = self.volume()
        snapshot = self.snapshot(source)
        self.set_columns(tables.snapshots, snapshot.id, status="error")
        self.set_columns(tables.volumes, source.id, status="error")
        self.refused("is error", _INVALID, self._create, snapshot_id=snapshot.id)
        self.refused("is error", _INVALID, self._create, source_volid=source.id)

    def test_quotas_count_volumes_and_gigabytes(self) -> None:
        for resource, limit in (("volumes", 0), ("gigabytes", 4)):
            self.service.update_quotas(self.admin, "p", {resource: limit})
            for size in (5, 5000):  # There is no room for the second one either.
                self.refused(resource, exceptions.QuotaExceeded, self._create, size=size)
            self.service.delete_quotas(self.admin, "p")


class DeleteVolumeTest(base.ServiceTestCase):
    def _refused(self, reason: str, volume: records.Volume) -> None:
        for force in (False, True):
            self.refused(
                reason,
                _INVALID,
                self.service.delete_volume,
                self.member,
                volume.id,
                force=force,
            )

    def test_a_free_volume_is_deleted(self) -> None:
        volume = self.volume()
        self.service.delete_volume(self.member, volume.id)
        self.assertEqual("deleting", self.service.get_volume(self.member, volume.id).status)
        self.assertEqual([("volume.delete", volume.id)], self.operations())
        self._refused("is deleting", volume)

    def test_a_member_names_its_group(self) -> None:
        group = self.group()
        self._refused(f"belongs to consistency group {group.id}", self.volume(group))

    def test_one_with_snapshots_is_kept(self) -> None:
        volume = self.volume()
        self.snapshot(volume)
        self._refused("has snapshots", volume)

    def test_one_that_is_being_cloned_is_kept(self) -> None:
        volume = self.volume()
        self.service.create_volume(self.member, **self.volume_arguments(source_volid=volume.id))
        self._refused("is the source of a volume", volume)
        self.settle()
        self.service.delete_volume(self.member, volume.id)

    def test_another_projects_volume_is_not_found(self) -> None:
        volume = self.volume()
        for call in (self.service.get_volume, self.service.delete_volume):
            self.assertRaises(exceptions.VolumeNotFound, call, self.stranger, volume.id)

    def test_force_takes_one_that_is_in_use_without_an_attachment(self) -> None:
        volume = self.volume()
        self.service.reset_volume_status(self.admin, volume.id, status="in-use")
        self.refused("is in-use", _INVALID, self.service.delete_volume, self.member, volume.id)
        self.service.delete_volume(self.member, volume.id, force=True)


class ChangeVolumeTest(base.ServiceTestCase):
    def test_name_and_metadata_change(self) -> None:
        volume = self.volume(metadata={"a": "1", "b": "2"})
        changed = self.service.update_volume(self.member, volume.id, name="n", metadata={"c": "3"})
        self.assertEqual(("n", {"c": "3"}), (changed.name, changed.metadata))

    def test_a_status_of_work_under_way_is_not_set_by_hand(self) -> None:
        volume = self.volume()
        self.assertRaises(
            exceptions.InvalidInput,
            self.service.reset_volume_status,
            self.admin,
            volume.id,
            status="deleting",
        )
        self.service.delete_volume(self.member, volume.id)
        self.refused(
            "is deleting",
            _INVALID,
            self.service.reset_volume_status,
            self.admin,
            volume.id,
            status="available",
        )


class AttachmentsTest(base.ServiceTestCase):
    def _attach(self, volume: records.Volume) -> None:
        self.service.attach_volume(
            self.member,
            volume.id,
            instance_uuid=None,
            host_name="h",
            mountpoint="/dev/vdb",
            mode="ro",
        )

    def test_a_volume_is_in_use_until_it_is_detached(self) -> None:
        volume = self.volume()
        self._attach(volume)
        found = self.service.get_volume(self.member, volume.id)
        self.assertEqual("in-use", found.status)
        (attachment,) = found.attachments
        self.assertEqual(
            ("h", None, "/dev/vdb", "ro"),
            (
                attachment.attached_host,
                attachment.instance_uuid,
                attachment.mountpoint,
                attachment.mode,
            ),
        )
        self.refused("is in-use", _INVALID, self._attach, volume)
        self.refused("attached", _INVALID, self.service.delete_volume, self.member, volume.id)
        self.service.detach_volume(self.member, volume.id)
        self.assertEqual("available", self.service.get_volume(self.member, volume.id).status)
        self.refused(
            "is not attached", _INVALID, self.service.detach_volume, self.member, volume.id
        )

    def test_one_that_is_just_being_copied_can_not_be_attached(self) -> None:
        volume = self.volume()
        self.service.create_snapshot(
            self.member,
            volume_id=volume.id,
            name=None,
            description=None,
            force=False,
            metadata=None,
        )
        self.refused("being copied", _INVALID, self._attach, volume)

    def test_an_administrator_drops_attachments_by_a_reset(self) -> None:
        volume = self.volume()
        self._attach(volume)
        self.service.reset_volume_status(
            self.admin, volume.id, status="available", attach_status="detached"
        )
        self.assertEqual((), self.service.get_volume(self.member, volume.id).attachments)

    def test_a_connection_is_the_managers(self) -> None:
        volume = self.volume()
        connection = self.service.initialize_connection(self.member, volume.id, {"host": "h"})
        self.assertEqual("local", connection["driver_volume_type"])
        self.assertRaises(
            exceptions.VolumeNotFound,
            self.service.initialize_connection,
            self.stranger,
            volume.id,
            {},
        )


class SnapshotsTest(base.ServiceTestCase):
    def test_a_volume_in_use_needs_force(self) -> None:
        volume = self.volume()
        self.set_columns(tables.volumes, volume.id, status="in-use")
        self.refused("force", _INVALID, self.snapshot, volume)
        snapshot = self.snapshot(volume, force=True, name="n", metadata={"k": "v"})
        self.assertEqual(snapshot, self.service.get_snapshot(self.member, snapshot.id))

    def test_one_that_is_not_needed_is_deleted(self) -> None:
        snapshot = self.snapshot(self.volume())
        self.service.delete_snapshot(self.member, snapshot.id)
        self.assertEqual([("snapshot.delete", snapshot.id)], self.operations())
        self.refused(
            "is deleting", _INVALID, self.service.delete_snapshot, self.member, snapshot.id
        )

    def test_the_source_of_a_volume_being_created_is_kept(self) -> None:
        snapshot = self.snapshot(self.volume())
        self.service.create_volume(self.member, **self.volume_arguments(snapshot_id=snapshot.id))
        self.refused(
            "is the source", _INVALID, self.service.delete_snapshot, self.member, snapshot.id
        )

    def test_name_and_status_change(self) -> None:
        snapshot = self.snapshot(self.volume())
        service, member = self.service, self.member
        self.assertEqual("n", service.update_snapshot(member, snapshot.id, name="n").name)
        service.reset_snapshot_status(self.admin, snapshot.id, status="error")
        self.assertEqual("error", service.get_snapshot(member, snapshot.id).status)

    def test_another_projects_snapshot_is_not_found(self) -> None:
        snapshot = self.snapshot(self.volume())
        for call in (self.service.get_snapshot, self.service.delete_snapshot):
            self.assertRaises(exceptions.SnapshotNotFound, call, self.stranger, snapshot.id)
