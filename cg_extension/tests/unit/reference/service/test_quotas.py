# SPDX-License-Identifier: Apache-2.0
"""Limits and usage of projects, as acceptance keeps them."""

import sqlalchemy as sa

from cg_extension.contract import exceptions
from cg_extension.reference.db import tables
from cg_extension.tests.unit.reference.service import base

_USAGE = tables.project_quotas


class QuotasTest(base.ServiceTestCase):
    def _usage(self, project_id: str = "p") -> dict[str, int]:
        found = self.service.get_quota_usage(self.admin, project_id)
        return {resource: one.in_use for resource, one in found.items() if one.in_use}

    def _refused(self, told: str, **values: object) -> None:
        arguments = self.volume_arguments(**values)
        self.refused(
            told, exceptions.QuotaExceeded, self.service.create_volume, self.member, **arguments
        )

    def test_the_error_names_the_first_that_has_no_room_with_its_figures(self) -> None:
        self.volume(size=3)
        self.service.update_quotas(self.admin, "p", {"gigabytes": 4})
        self._refused("gigabytes: 2 requested, 3 of 4 used", size=2)
        self.service.update_quotas(self.admin, "p", {"volumes": 1})
        self._refused("volumes: 1 requested, 1 of 1 used", size=2)
        self.assertEqual({"volumes": 1, "gigabytes": 3}, self._usage())

    def test_a_clone_of_a_group_counts_the_group_first(self) -> None:
        group = self.group()
        self.volume(group, size=2)
        clone = lambda: self.service.create_group_from_src(  # noqa: E731
            self.member, name=None, description=None, source_cgid=group.id
        )
        self.service.update_quotas(
            self.admin, "p", {"groups": 1, "volumes": 1, "gigabytes": 3, "snapshots": 0}
        )
        for resource, told in (
            ("groups", "groups: 1 requested, 1 of 1 used"),
            ("volumes", "volumes: 1 requested, 1 of 1 used"),
            ("gigabytes", "gigabytes: 2 requested, 2 of 3 used"),
        ):
            self.refused(told, exceptions.QuotaExceeded, clone)
            self.service.update_quotas(self.admin, "p", {resource: 4})
        clone()
        self.assertEqual({"groups": 2, "volumes": 2, "gigabytes": 4}, self._usage())

    def test_an_own_limit_counts_before_the_default_and_zero_is_one(self) -> None:
        self.conf.set_override("quota_volumes", 1)
        self.service.update_quotas(self.admin, "p", {"volumes": 0})
        self._refused("volumes: 1 requested, 0 of 0 used")
        self.service.delete_quotas(self.admin, "p")
        self.volume()
        self._refused("volumes: 1 requested, 1 of 1 used")
        self.service.update_quotas(self.admin, "p", {"volumes": -1})
        self.volume()
        self.assertEqual(-1, self.service.get_quotas(self.admin, "p")["volumes"])

    def test_a_limit_below_the_usage_is_in_the_way_of_that_resource_only(self) -> None:
        self.volume(size=2)
        self.service.update_quotas(self.admin, "p", {"gigabytes": 1})
        self._refused("gigabytes: 1 requested, 2 of 1 used")
        self.group()

    def test_whether_snapshots_count_as_gigabytes_can_be_changed_at_any_time(self) -> None:
        volume = self.volume(size=2)
        self.service.update_quotas(self.admin, "p", {"gigabytes": 4})
        self.snapshot(volume)
        self.assertEqual({"volumes": 1, "snapshots": 1, "gigabytes": 4}, self._usage())
        self._refused("gigabytes: 1 requested, 4 of 4 used")
        self.conf.set_override("no_snapshot_gb_quota", True)
        self.assertEqual({"volumes": 1, "snapshots": 1, "gigabytes": 2}, self._usage())
        self.snapshot(volume)
        self.volume()
        self._refused("gigabytes: 2 requested, 3 of 4 used", size=2)
        self.conf.set_override("no_snapshot_gb_quota", False)
        self.assertEqual({"volumes": 2, "snapshots": 2, "gigabytes": 7}, self._usage())
        self._refused("gigabytes: 1 requested, 7 of 4 used")

    def test_a_project_whose_row_was_removed_has_what_it_has(self) -> None:
        self.volume(size=2)
        self.service.update_quotas(self.admin, "p", {"volumes": 1})
        with self.database.writer() as conn:
            conn.execute(sa.delete(_USAGE))
        self.conf.set_override("quota_volumes", 2)
        self.volume(size=3)
        self.assertEqual({"volumes": 2, "gigabytes": 5}, self._usage())
        with self.database.writer() as conn:
            conn.execute(sa.delete(_USAGE))
        self._refused("volumes: 1 requested, 2 of 2 used")

    def test_whoever_is_accepted_has_written_the_projects_row(self) -> None:
        """Galera certifies writes: a row that is only locked excludes nobody on another node."""
        group, other, volume, free = self.group(), self.group(), self.volume(), self.volume()

        def serial() -> int:
            with self.database.reader() as conn:
                query = sa.select(_USAGE.c.serial).where(_USAGE.c.project_id == "p")
                return int(conn.execute(query).scalar_one())

        for call in (
            lambda: self.service.update_group(self.member, group.id, add_volumes=[volume.id]),
            lambda: self.service.create_cgsnapshot(
                self.member, group_id=group.id, name=None, description=None
            ),
            lambda: self.service.attach_volume(
                self.member,
                volume.id,
                instance_uuid="i",
                host_name=None,
                mountpoint=None,
                mode=None,
            ),
            lambda: self.service.delete_volume(self.member, free.id),
            lambda: self.service.reset_group_status(self.admin, other.id, status="error"),
            lambda: self.service.delete_group(self.member, other.id),
        ):
            before = serial()
            call()
            self.assertGreater(serial(), before)
            self.settle()
