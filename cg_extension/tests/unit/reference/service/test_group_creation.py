# SPDX-License-Identifier: Apache-2.0
"""Tests of reference.service.group_creation on every database."""

from typing import Any

from cg_extension.contract import exceptions, records
from cg_extension.reference.db import tables
from cg_extension.tests.unit.reference.service import base


class GroupCreationTest(base.ServiceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.source = self.group(name="source")
        self.members = [
            self.volume(self.source, name=f"n{i}", description=f"d{i}", metadata={"k": str(i)})
            for i in range(3)
        ]

    def _create(self, context: Any = None, **source: str | None) -> records.Group:
        return self.service.create_group_from_src(
            context or self.member, name="new", description=None, **source
        )

    def _volumes(self, group: records.Group) -> list[records.Volume]:
        query = records.ListQuery(
            limit=10,
            filters={"consistencygroup_id": group.id},
            sort=(("name", "asc"),),
            all_tenants=True,
        )
        context = self.admin if group.project_id == "a" else self.member
        return list(self.service.list_volumes(context, query).items)

    def _check_copies(self, group: records.Group) -> list[records.Volume]:
        copies = self._volumes(group)
        for origin, copy in zip(self.members, copies, strict=True):
            for name in ("name", "description", "size", "volume_type_id", "metadata", "host"):
                self.assertEqual(getattr(origin, name), getattr(copy, name))
            self.assertEqual("creating", copy.status)
        self.assertEqual(self.source.volume_types, group.volume_types)
        self.assertEqual(self.source.host, group.host)
        self.assertEqual([("consistencygroup.create_from_src", group.id)], self.operations())
        return copies

    def test_from_a_group_each_member_has_a_clone(self) -> None:
        group = self._create(source_cgid=self.source.id)
        copies = self._check_copies(group)
        self.assertEqual(
            [volume.id for volume in self.members], [copy.source_volid for copy in copies]
        )
        self.assertEqual(group, self.service.get_group(self.member, group.id))

    def test_from_a_group_snapshot_each_part_has_a_copy(self) -> None:
        cgsnapshot = self.cgsnapshot(self.source)
        copies = self._check_copies(self._create(cgsnapshot_id=cgsnapshot.id))
        origins = [
            self.service.get_snapshot(self.member, str(copy.snapshot_id)).volume_id
            for copy in copies
        ]
        self.assertEqual([volume.id for volume in self.members], origins)

    def test_a_part_whose_volume_left_the_group_is_copied_all_the_same(self) -> None:
        cgsnapshot = self.cgsnapshot(self.source)
        self.set_columns(tables.volumes, self.members[0].id, consistencygroup_id=None)
        self._check_copies(self._create(cgsnapshot_id=cgsnapshot.id))

    def test_an_unknown_source_does_not_exist(self) -> None:
        self.assertRaises(exceptions.GroupNotFound, self._create, source_cgid=base.MISSING)
        self.assertRaises(exceptions.CGSnapshotNotFound, self._create, cgsnapshot_id=base.MISSING)

    def test_a_source_without_volumes_is_refused(self) -> None:
        empty = self.group()
        self.refused("no volumes", exceptions.InvalidState, self._create, source_cgid=empty.id)

    def test_a_source_must_be_available(self) -> None:
        cgsnapshot = self.cgsnapshot(self.source)
        self.set_columns(tables.cgsnapshots, cgsnapshot.id, status="error")
        self.set_columns(tables.consistencygroups, self.source.id, status="updating")
        self.refused("is error", exceptions.InvalidState, self._create, cgsnapshot_id=cgsnapshot.id)
        self.refused(
            "is updating", exceptions.InvalidState, self._create, source_cgid=self.source.id
        )

    def test_quotas_count_groups_volumes_and_gigabytes(self) -> None:
        for resource, limit in (("groups", 1), ("volumes", 5), ("gigabytes", 5)):
            self.service.update_quotas(self.admin, "p", {resource: limit})
            self.refused(
                resource, exceptions.QuotaExceeded, self._create, source_cgid=self.source.id
            )
            self.service.delete_quotas(self.admin, "p")
        self.assertEqual([], self.operations())

    def test_a_backend_that_is_disabled_gets_nothing_new(self) -> None:
        self.service.update_service(self.admin, host=base.HOST, binary="cg-manager", disabled=True)
        self.assertRaises(exceptions.ServiceUnavailable, self._create, source_cgid=self.source.id)

    def test_a_backend_without_room_for_all_of_it_gets_nothing_new(self) -> None:
        self.report(stats={**base.STATS, "free_capacity_gb": 2.0})
        sources = {"source_cgid": self.source.id, "cgsnapshot_id": self.cgsnapshot(self.source).id}
        for name, source in sources.items():
            self.refused(
                "no 3 GiB free", exceptions.ServiceUnavailable, self._create, **{name: source}
            )
        self.report(stats={**base.STATS, "free_capacity_gb": 3.0})
        self._create(source_cgid=self.source.id)

    def test_an_administrators_copy_of_another_projects_group_is_the_administrators(self) -> None:
        group = self._create(self.admin, source_cgid=self.source.id)
        self.assertEqual("a", group.project_id)
        self.assertEqual({"a"}, {volume.project_id for volume in self._volumes(group)})
