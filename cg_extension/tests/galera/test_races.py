# SPDX-License-Identifier: Apache-2.0
"""Requests that race, each at an API and a node of its own: one winner, and nothing exceeded."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from cg_extension.contract import exceptions
from cg_extension.reference.db import tables
from cg_extension.reference.service import ReferenceService
from cg_extension.tests import databases, long, races
from cg_extension.tests.galera import base
from cg_extension.tests.unit.reference.service.base import FakeManagerClient, ServiceTestCase

ROUNDS = 200 if long.WANTED else 20
LIMIT = 20
# Requests at a time at each of the APIs.
CLIENTS = 3


class RacesTest(ServiceTestCase):
    scenarios = ()

    def setUp(self) -> None:
        super().setUp()
        self.conf.set_override("service_down_time", 3600)  # Nobody reports again.
        self.apis = [
            ReferenceService(self.conf, database, FakeManagerClient())
            for database in self.all_databases[:2]
        ]

    def open_database(self) -> databases.Database:
        self.all_databases = base.open_databases(self)
        return self.useFixture(databases.Database("mysql", base.urls()[2]))

    def _race(self, *calls: Callable[[], Any]) -> list[bool]:
        """Which of the calls, made at once, were accepted; the others had a clear answer."""
        answers = races.at_once(*calls)
        for answer in answers:
            if isinstance(answer, Exception):
                self.assertIsInstance(answer, exceptions.CGExtensionError)
                self.assertNotIsInstance(answer, exceptions.ServiceUnavailable)
        return [not isinstance(answer, Exception) for answer in answers]

    def _race_with_deletion(self, other: Callable[[ReferenceService, str], Any]) -> None:
        """One of both is accepted, in each round; they come from either node."""
        for number in range(ROUNDS):
            group = self.group()
            self.volume(group)
            one, two = self.apis if number % 2 else reversed(self.apis)
            accepted = self._race(
                lambda api=one, group_id=group.id: api.delete_group(
                    self.member, group_id, force=True
                ),
                lambda api=two, group_id=group.id: other(api, group_id),
            )
            self.assertEqual(1, sum(accepted), f"round {number}: {accepted}")
            self.assertEqual(1, len(self.operations()), "what the loser began is not gone")
            self.settle()

    def test_of_a_deletion_and_a_snapshot_of_a_group_one_is_accepted(self) -> None:
        self._race_with_deletion(
            lambda api, group_id: api.create_cgsnapshot(
                self.member, group_id=group_id, name=None, description=None
            )
        )

    def test_of_a_deletion_and_a_clone_of_a_group_one_is_accepted(self) -> None:
        self._race_with_deletion(
            lambda api, group_id: api.create_group_from_src(
                self.member, source_cgid=group_id, name=None, description=None
            )
        )

    def test_of_two_deletions_of_a_group_one_is_accepted(self) -> None:
        for _ in range(ROUNDS):
            group = self.group()
            deletions = [
                lambda api=api, group_id=group.id: api.delete_group(
                    self.member, group_id, force=True
                )
                for api in self.apis
            ]
            self.assertEqual(1, sum(self._race(*deletions)))
            self.settle()

    def test_a_quota_is_not_exceeded(self) -> None:
        for number in range(ROUNDS // 10):
            project = f"project{number}"
            member = self.member_of(project)
            self.apis[0].update_quotas(self.admin, project, {"groups": LIMIT})

            def create(api: ReferenceService, context: Any = member) -> int:
                accepted = 0
                for _ in range(LIMIT):
                    try:
                        self.create_group(api, context)
                    except exceptions.QuotaExceeded:
                        continue
                    accepted += 1
                return accepted

            answers = races.at_once(*[lambda a=api: create(a) for api in self.apis * CLIENTS])
            self.assertEqual(LIMIT, sum(answers), answers)
            with self.database.reader() as conn:
                table = tables.consistencygroups
                counted = sa.select(sa.func.count()).where(table.c.project_id == project)
                self.assertEqual(LIMIT, conn.execute(counted).scalar_one())
            usage = self.apis[1].get_quota_usage(self.admin, project)
            self.assertEqual(LIMIT, usage["groups"].in_use)

    def test_of_two_types_of_one_name_one_is_made(self) -> None:
        for number in range(ROUNDS):
            creations = [
                lambda api=api, name=f"type{number}": api.create_type(
                    self.admin, name=name, description=None, is_public=True, extra_specs={}
                )
                for api in self.apis
            ]
            self.assertEqual(1, sum(self._race(*creations)))

    def test_of_a_types_deletion_and_a_group_with_it_one_is_accepted(self) -> None:
        for number in range(ROUNDS):
            volume_type = self.apis[0].create_type(
                self.admin, name=f"t{number}", description=None, is_public=True, extra_specs={}
            )
            accepted = self._race(
                lambda type_id=volume_type.id: self.apis[0].delete_type(self.admin, type_id),
                lambda type_id=volume_type.id: self.create_group(
                    self.apis[1], self.member, type_id
                ),
            )
            self.assertEqual(1, sum(accepted), accepted)
            self.settle()

    def test_a_clients_next_request_sees_its_last_one_whatever_its_api(self) -> None:
        """Make a type, a group of it and a volume in it, one right after the other."""
        for number in range(ROUNDS):
            one, two = self.apis if number % 2 else reversed(self.apis)
            volume_type = one.create_type(
                self.admin, name=f"next{number}", description=None, is_public=True, extra_specs={}
            )
            group = self.create_group(two, self.member, volume_type.id)
            self.assertEqual(group.id, one.get_group(self.member, group.id).id)
            one.update_group(self.member, group.id, name="renamed")
            self.assertEqual("renamed", two.get_group(self.member, group.id).name)

    def create_group(self, api: ReferenceService, context: Any, type_id: str | None = None) -> Any:
        return api.create_group(
            context,
            name=None,
            description=None,
            volume_types=[type_id or self.default_type.id],
            availability_zone=None,
        )

    def member_of(self, project: str) -> Any:
        return type(self.member)(user_id="u", project_id=project, roles=["member"])
