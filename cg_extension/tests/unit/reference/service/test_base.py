# SPDX-License-Identifier: Apache-2.0
"""Tests of reference.service.base and of the health check on every database."""

import dataclasses
from typing import Any
from unittest import mock

import fixtures
from oslo_db import exception as db_exception

from cg_extension.contract import context as cg_context
from cg_extension.contract import exceptions, records
from cg_extension.reference.db import consistencygroups, queue, tables
from cg_extension.tests.unit.reference.service import base

GROUPS = tables.consistencygroups


class DatabaseErrorsTest(base.ServiceTestCase):
    def test_it_is_healthy_while_the_database_answers(self) -> None:
        self.assertIsNone(self.service.check_health())

    def test_a_database_out_of_reach_is_unavailable_not_an_error_of_ours(self) -> None:
        def fail(**_options: Any) -> Any:
            raise db_exception.DBConnectionError("refused")

        for way in ("reader", "writer"):
            self.useFixture(fixtures.MockPatchObject(self.database, way, fail))
        self.assertRaises(exceptions.ServiceUnavailable, self.service.check_health)
        self.assertRaises(exceptions.ServiceUnavailable, self.group)

    def test_a_status_that_a_manager_changes_after_the_check_is_checked_again(self) -> None:
        group = self.group()
        real = consistencygroups.made_from
        tries = []

        def manager_is_faster(conn: Any, **source: Any) -> Any:
            tries.append(source)
            if len(tries) == 1:
                conn.execute(
                    consistencygroups.TABLE.update()
                    .where(consistencygroups.TABLE.c.id == group.id)
                    .values(status="error")
                )
            return real(conn, **source)

        volume = self.volume(group)
        with mock.patch.object(consistencygroups, "made_from", manager_is_faster):
            # The first try, with the change made in it, is rolled back; the second one succeeds.
            self.service.update_group(self.member, group.id, remove_volumes=[volume.id])
        self.assertEqual(2, len(tries))
        self.assertEqual("updating", self.service.get_group(self.member, group.id).status)


class ResetStatusTest(base.ServiceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.source = self.group()
        self.volume(self.source)

    def test_a_status_is_set_by_hand_whatever_it_was(self) -> None:
        taken = self.cgsnapshot(self.source)
        for table, row_id, reset, get in (
            (GROUPS, self.source.id, self.service.reset_group_status, self.service.get_group),
            (
                tables.cgsnapshots,
                taken.id,
                self.service.reset_cgsnapshot_status,
                self.service.get_cgsnapshot,
            ),
        ):
            for before in ("creating", "available", "deleting", "error", "error_deleting"):
                for after in ("available", "error", "error_deleting"):
                    self.set_columns(table, row_id, status=before, status_reason="broken")
                    reset(self.admin, row_id, status=after)
                    found = get(self.member, row_id)
                    self.assertEqual((after, None), (found.status, found.status_reason))
        self.assertEqual([], self.operations())

    def test_what_explained_a_status_goes_with_it(self) -> None:
        volume = self.volume()
        snapshot = self.snapshot(volume)
        for table, row_id, reset, get in (
            (
                tables.volumes,
                volume.id,
                self.service.reset_volume_status,
                self.service.get_volume,
            ),
            (
                tables.snapshots,
                snapshot.id,
                self.service.reset_snapshot_status,
                self.service.get_snapshot,
            ),
        ):
            self.set_columns(table, row_id, status="error", status_reason="broken")
            reset(self.admin, row_id, status="available")
            self.assertIsNone(get(self.member, row_id).status_reason)

    def test_what_a_manager_works_on_is_left_to_it(self) -> None:
        reset = self.service.reset_group_status
        arguments = {"name": None, "description": None}
        taken = self.service.create_cgsnapshot(self.member, group_id=self.source.id, **arguments)
        copy = self.service.create_group_from_src(
            self.member, source_cgid=self.source.id, **arguments
        )
        work = self.operations()
        for call, row_id in (
            (self.service.reset_cgsnapshot_status, taken.id),
            (reset, copy.id),
        ):
            self.refused(
                "under way", exceptions.InvalidState, call, self.admin, row_id, status="error"
            )
        self.assertEqual(work, self.operations())
        self.assertEqual("creating", self.service.get_group(self.member, copy.id).status)
        self.settle()
        reset(self.admin, copy.id, status="error")

    def test_work_that_ends_meanwhile_is_not_overwritten_unseen(self) -> None:
        """The manager's result came between the look at the row and the look at the queue."""
        self.set_columns(GROUPS, self.source.id, status="updating")
        seen = []

        def ended(conn: Any, row_id: str) -> bool:
            seen.append(row_id)
            if len(seen) == 1:
                conn.execute(
                    GROUPS.update().where(GROUPS.c.id == row_id).values(status="available")
                )
            return False

        with mock.patch.object(queue, "is_under_way", ended):
            self.service.reset_group_status(self.admin, self.source.id, status="error")
        self.assertEqual(2, len(seen))

    def test_what_the_caller_may_not_see_is_not_found(self) -> None:
        self.assertRaises(
            exceptions.GroupNotFound,
            self.service.reset_group_status,
            self.stranger,
            self.source.id,
            status="error",
        )


class ListTest(base.ServiceTestCase):
    def test_an_administrator_lists_one_project_of_all(self) -> None:
        for context in (self.member, self.stranger):
            group = self.group(context)
            self.volume(group, context=context)
            self.service.create_cgsnapshot(context, group_id=group.id, name=None, description=None)
            self.settle()
        for fetch in (
            *(self.service.list_groups, self.service.list_group_names),
            *(self.service.list_cgsnapshots, self.service.list_cgsnapshot_names),
        ):
            every = fetch(self.admin, records.ListQuery(limit=9, all_tenants=True)).items
            self.assertEqual(2, len(every))
            for project in "pq":
                asked = records.ListQuery(
                    limit=9, all_tenants=True, filters={"project_id": project}
                )
                [found] = fetch(self.admin, asked).items
                # The other project's rows are no markers of this list.
                [other] = [item for item in every if item.id != found.id]
                wrong = dataclasses.replace(asked, marker=other.id)
                self.assertRaises(exceptions.InvalidInput, fetch, self.admin, wrong)

    def test_nobody_sees_another_project_by_naming_it(self) -> None:
        self.group()
        for context, all_tenants in ((self.admin, False), (self.stranger, True)):
            for project, count in (("p", 0), (context.project_id, 0)):
                query = records.ListQuery(
                    limit=9, all_tenants=all_tenants, filters={"project_id": project}
                )
                self.assertEqual(count, len(self.service.list_groups(context, query).items))
        own = records.ListQuery(limit=9, filters={"project_id": "p"})
        self.assertEqual(1, len(self.service.list_groups(self.member, own).items))

    def test_what_a_list_does_not_know_is_refused(self) -> None:
        for values in (
            {"filters": {"shape": "round"}},
            {"sort": (("shape", "asc"),)},
            {"marker": base.MISSING},
            {"marker": base.MISSING, "limit": 0},
        ):
            query = records.ListQuery(**{"limit": 5, **values})
            self.assertRaises(exceptions.InvalidInput, self.service.list_groups, self.member, query)

    def test_a_token_without_a_project_makes_and_sees_nothing(self) -> None:
        group = self.group()
        nobody = cg_context.RequestContext(user_id="n")
        self.assertRaises(exceptions.Forbidden, self.group, nobody)
        self.assertRaises(exceptions.GroupNotFound, self.service.delete_group, nobody, group.id)
        query = records.ListQuery(limit=5, all_tenants=True)
        self.assertEqual((), self.service.list_groups(nobody, query).items)
