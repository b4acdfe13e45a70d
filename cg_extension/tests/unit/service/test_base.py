# SPDX-License-Identifier: Apache-2.0
"""Tests of service.reference.base and of the health check on every database."""

from typing import Any
from unittest import mock

import fixtures
from oslo_db import exception as db_exception

from cg_extension.db import consistencygroups
from cg_extension.service import context as cg_context
from cg_extension.service import exceptions, records
from cg_extension.tests.unit.service import base


class DatabaseErrorsTest(base.ServiceTestCase):
    def test_it_is_healthy_while_the_database_answers(self) -> None:
        self.assertIsNone(self.service.check_health())

    def test_a_database_out_of_reach_is_unavailable_not_an_error_of_ours(self) -> None:
        def fail() -> Any:
            raise db_exception.DBConnectionError("refused")

        for way in ("replica_reader", "writer"):
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


class ListTest(base.ServiceTestCase):
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
