# SPDX-License-Identifier: Apache-2.0
"""Tests of reference.service.cgsnapshots on every database."""

from cg_extension.contract import exceptions, records
from cg_extension.reference.db import tables
from cg_extension.tests.unit.reference.service import base

_INVALID = exceptions.InvalidState


class CGSnapshotsTest(base.ServiceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.source = self.group()
        self.members = [self.volume(self.source) for _ in range(2)]

    def _create(self, group_id: str) -> records.CGSnapshot:
        return self.service.create_cgsnapshot(
            self.member, group_id=group_id, name="n", description="d"
        )

    def _parts(self, cgsnapshot: records.CGSnapshot) -> list[records.Snapshot]:
        query = records.ListQuery(limit=10, filters={"cgsnapshot_id": cgsnapshot.id})
        return list(self.service.list_snapshots(self.member, query).items)

    def test_each_member_gets_a_snapshot_with_the_group_snapshots_name(self) -> None:
        cgsnapshot = self._create(self.source.id)
        self.assertEqual("creating", cgsnapshot.status)
        self.assertEqual(cgsnapshot, self.service.get_cgsnapshot(self.member, cgsnapshot.id))
        parts = self._parts(cgsnapshot)
        self.assertEqual({volume.id for volume in self.members}, {part.volume_id for part in parts})
        self.assertEqual(
            {("n", "d", "creating", 1)},
            {(part.name, part.description, part.status, part.volume_size) for part in parts},
        )
        self.assertEqual([("cgsnapshot.create", cgsnapshot.id)], self.operations())

    def test_an_empty_group_is_refused(self) -> None:
        self.refused("no volumes", _INVALID, self._create, self.group().id)

    def test_the_group_must_be_available(self) -> None:
        self.set_columns(tables.consistencygroups, self.source.id, status="updating")
        self.refused("is updating", _INVALID, self._create, self.source.id)

    def test_every_member_must_hold_data(self) -> None:
        self.set_columns(tables.volumes, self.members[1].id, status="error")
        self.refused(f"{self.members[1].id} is error", _INVALID, self._create, self.source.id)
        self.set_columns(tables.volumes, self.members[1].id, status="in-use")
        self._create(self.source.id)

    def test_quotas_count_snapshots_and_gigabytes(self) -> None:
        for resource, limit in (("snapshots", 1), ("gigabytes", 3)):
            self.service.update_quotas(self.admin, "p", {resource: limit})
            self.refused(resource, exceptions.QuotaExceeded, self._create, self.source.id)
            self.service.delete_quotas(self.admin, "p")
        self.conf.set_override("no_snapshot_gb_quota", True)
        self.service.update_quotas(self.admin, "p", {"gigabytes": 2})
        self._create(self.source.id)

    def test_a_frozen_backend_takes_no_snapshots(self) -> None:
        self.service.update_service(self.admin, host=base.HOST, binary="cg-manager", frozen=True)
        self.refused("frozen", _INVALID, self._create, self.source.id)

    def test_deleting_one_deletes_its_parts_in_the_same_operation(self) -> None:
        cgsnapshot = self.cgsnapshot(self.source)
        self.service.delete_cgsnapshot(self.member, cgsnapshot.id)
        self.assertEqual({"deleting"}, {part.status for part in self._parts(cgsnapshot)})
        self.assertEqual([("cgsnapshot.delete", cgsnapshot.id)], self.operations())
        self.refused(
            "is deleting", _INVALID, self.service.delete_cgsnapshot, self.member, cgsnapshot.id
        )

    def test_the_source_of_something_being_made_is_kept(self) -> None:
        cgsnapshot = self.cgsnapshot(self.source)
        self.service.create_group_from_src(
            self.member, name=None, description=None, cgsnapshot_id=cgsnapshot.id
        )
        self.refused(
            "is the source of consistency group",
            _INVALID,
            self.service.delete_cgsnapshot,
            self.member,
            cgsnapshot.id,
        )
        self.settle()
        part = self._parts(cgsnapshot)[0]
        self.service.create_volume(self.member, **self.volume_arguments(snapshot_id=part.id))
        self.refused(
            f"{part.id} of group snapshot",
            _INVALID,
            self.service.delete_cgsnapshot,
            self.member,
            cgsnapshot.id,
        )

    def test_a_part_cannot_be_deleted_on_its_own(self) -> None:
        cgsnapshot = self.cgsnapshot(self.source)
        part = self._parts(cgsnapshot)[0]
        self.refused(
            f"belongs to group snapshot {cgsnapshot.id}",
            _INVALID,
            self.service.delete_snapshot,
            self.member,
            part.id,
        )

    def test_it_belongs_to_the_groups_project_whoever_takes_it(self) -> None:
        cgsnapshot = self.service.create_cgsnapshot(
            self.admin, group_id=self.source.id, name=None, description=None
        )
        self.assertEqual("p", cgsnapshot.project_id)
        self.assertRaises(
            exceptions.CGSnapshotNotFound,
            self.service.get_cgsnapshot,
            self.stranger,
            cgsnapshot.id,
        )
        self.assertRaises(
            exceptions.CGSnapshotNotFound,
            self.service.delete_cgsnapshot,
            self.stranger,
            cgsnapshot.id,
        )
