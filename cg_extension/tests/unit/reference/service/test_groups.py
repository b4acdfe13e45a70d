# SPDX-License-Identifier: Apache-2.0
"""Tests of reference.service.groups and members on every database."""

import dataclasses

from cg_extension.contract import exceptions, records
from cg_extension.reference.db import consistencygroups, tables
from cg_extension.tests.unit.reference.service import base

_INVALID = exceptions.InvalidState


class CreateGroupTest(base.ServiceTestCase):
    def test_a_new_group_is_stored_as_it_was_answered_and_work_is_queued(self) -> None:
        group = self.service.create_group(
            self.member,
            name="\U0001f600 data",
            description="d",
            volume_types=[self.default_type.name, self.default_type.id],
            availability_zone=None,
        )
        self.assertEqual("creating", group.status)
        self.assertEqual("nova", group.availability_zone)
        self.assertEqual(base.HOST, group.host)
        self.assertEqual((self.default_type.id,), group.volume_types)
        self.assertEqual(group, self.service.get_group(self.member, group.id))
        self.assertEqual([("consistencygroup.create", group.id)], self.operations())
        self.assertEqual([base.HOST], self.managers.woken)

    def _create(self, **values: object) -> records.Group:
        arguments = {
            "name": None,
            "description": None,
            "volume_types": [self.default_type.id],
            "availability_zone": None,
            **values,
        }
        return self.service.create_group(self.member, **arguments)

    def test_all_unknown_types_are_named(self) -> None:
        types = ["zebra", self.default_type.id, "ape"]
        self.refused("ape, zebra", exceptions.InvalidInput, self._create, volume_types=types)

    def test_a_private_type_is_unknown_to_a_member(self) -> None:
        self.service.create_type(
            self.admin, name="hidden", description=None, is_public=False, extra_specs={}
        )
        self.refused("hidden", exceptions.InvalidInput, self._create, volume_types=["hidden"])

    def test_an_unknown_zone_is_refused(self) -> None:
        self.refused("moon", exceptions.InvalidInput, self._create, availability_zone="moon")

    def test_the_quota_counts_first(self) -> None:
        self.service.update_quotas(self.admin, "p", {"groups": 1})
        self._create()
        error = self.assertRaises(exceptions.QuotaExceeded, self._create)
        self.assertIn("groups", error.msg)
        self.assertEqual(1, len(self.operations()))
        self.assertEqual(1, self.service.get_quota_usage(self.admin, "p")["groups"].in_use)


class ShowGroupTest(base.ServiceTestCase):
    def test_another_projects_group_does_not_exist(self) -> None:
        group = self.group()
        for call in (
            self.service.get_group,
            self.service.delete_group,
            lambda context, group_id: self.service.update_group(context, group_id, name="n"),
            lambda context, group_id: self.service.create_cgsnapshot(
                context, group_id=group_id, name=None, description=None
            ),
            lambda context, group_id: self.service.create_group_from_src(
                context, name=None, description=None, source_cgid=group_id
            ),
        ):
            self.assertRaises(exceptions.GroupNotFound, call, self.stranger, group.id)
        self.assertEqual(group.id, self.service.get_group(self.admin, group.id).id)

    def test_an_administrator_lists_all_projects_only_when_asked(self) -> None:
        group = self.group()
        query = records.ListQuery(limit=10)
        self.assertEqual((), self.service.list_groups(self.admin, query).items)
        query = records.ListQuery(limit=10, all_tenants=True)
        self.assertEqual(
            [group.id], [item.id for item in self.service.list_groups(self.admin, query).items]
        )
        self.assertEqual((), self.service.list_groups(self.stranger, query).items)

    def test_a_list_tells_of_each_group_what_showing_it_does(self) -> None:
        types = [
            self.service.create_type(
                self.admin, name=f"t{number}", description=None, is_public=True, extra_specs={}
            ).id
            for number in range(40)
        ]
        made = [self.group(volume_types=types[:count], name=f"g{count}") for count in (1, 2, 40)]
        self.set_columns(tables.consistencygroups, made[0].id, status_reason="r" * 2000)
        with self.database.writer() as conn:
            conn.execute(
                tables.consistencygroup_volume_types.delete().where(
                    tables.consistencygroup_volume_types.c.consistencygroup_id == made[1].id
                )
            )
        query = records.ListQuery(limit=2, sort=(("name", "asc"),))
        first = self.service.list_groups(self.member, query)
        query = dataclasses.replace(query, marker=first.items[-1].id)
        second = self.service.list_groups(self.member, query)
        self.assertEqual((True, False), (first.has_more, second.has_more))
        listed = [*first.items, *second.items]
        self.assertEqual(["g1", "g2", "g40"], [item.name for item in listed])
        self.assertEqual([1, 0, 40], [len(item.volume_types) for item in listed])
        for item in listed:
            shown = dataclasses.asdict(self.service.get_group(self.member, item.id))
            self.assertEqual({**shown, **item._asdict()}, shown)


class DeleteGroupTest(base.ServiceTestCase):
    def test_an_empty_group_is_deleted(self) -> None:
        group = self.group()
        self.service.delete_group(self.member, group.id)
        self.assertEqual("deleting", self.service.get_group(self.member, group.id).status)
        self.assertEqual([("consistencygroup.delete", group.id)], self.operations())

    def test_only_some_statuses_allow_it(self) -> None:
        for status in ("creating", "updating", "deleting"):
            group = self.group()
            self.set_columns(consistencygroups.TABLE, group.id, status=status)
            for force in (False, True):
                self.refused(
                    f"is {status}",
                    _INVALID,
                    self.service.delete_group,
                    self.member,
                    group.id,
                    force=force,
                )
        for status in ("error", "error_deleting"):
            group = self.group()
            self.set_columns(consistencygroups.TABLE, group.id, status=status)
            self.service.delete_group(self.member, group.id)

    def test_volumes_need_force_and_go_with_it(self) -> None:
        group = self.group()
        volume = self.volume(group)
        self.refused("has volumes", _INVALID, self.service.delete_group, self.member, group.id)
        self.service.delete_group(self.member, group.id, force=True)
        self.assertEqual("deleting", self.service.get_volume(self.member, volume.id).status)
        self.assertEqual([("consistencygroup.delete", group.id)], self.operations())

    def test_there_is_never_a_second_operation_on_a_group(self) -> None:
        group = self.group()
        self.service.delete_group(self.member, group.id)
        self.set_columns(consistencygroups.TABLE, group.id, status="available")
        self.refused("under way", _INVALID, self.service.delete_group, self.member, group.id)
        self.assertEqual("available", self.service.get_group(self.member, group.id).status)

    def _refused_with_force(self, reason: str, group: records.Group) -> None:
        self.refused(reason, _INVALID, self.service.delete_group, self.member, group.id, force=True)

    def test_group_snapshots_forbid_it(self) -> None:
        group = self.group()
        self.volume(group)
        self.cgsnapshot(group)
        self._refused_with_force("has group snapshots", group)

    def test_an_attached_member_forbids_it(self) -> None:
        group = self.group()
        volume = self.volume(group)
        self.service.attach_volume(
            self.member,
            volume.id,
            instance_uuid=None,
            host_name="h",
            mountpoint="/dev/vdb",
            mode=None,
        )
        self._refused_with_force(f"{volume.id} is attached", group)

    def test_a_member_with_a_snapshot_of_its_own_forbids_it(self) -> None:
        group = self.group()
        volume = self.volume(group)
        self.snapshot(volume)
        self._refused_with_force(f"{volume.id} has snapshots", group)

    def test_a_group_being_made_from_it_forbids_it_until_that_is_there(self) -> None:
        group = self.group()
        self.volume(group)
        self.service.create_group_from_src(
            self.member, name=None, description=None, source_cgid=group.id
        )
        self._refused_with_force("is the source of", group)
        self.settle()
        self.service.delete_group(self.member, group.id, force=True)

    def test_a_volume_being_cloned_from_a_member_forbids_it(self) -> None:
        group = self.group()
        volume = self.volume(group)
        self.service.create_volume(self.member, **self.volume_arguments(source_volid=volume.id))
        self._refused_with_force("is the source of a volume", group)


class UpdateGroupTest(base.ServiceTestCase):
    def test_name_and_description_need_no_backend(self) -> None:
        group = self.group(name="old")
        self.service.update_group(self.member, group.id, name="new", description="")
        changed = self.service.get_group(self.member, group.id)
        self.assertEqual(
            ("new", "", "available"), (changed.name, changed.description, changed.status)
        )
        self.assertEqual([], self.operations())

    def test_they_change_in_any_status_but_deleting_and_leave_it_as_it_is(self) -> None:
        group = self.group(name="old")
        for status in ("creating", "available", "updating", "error", "error_deleting"):
            self.set_columns(tables.consistencygroups, group.id, status=status)
            self.service.update_group(self.member, group.id, name=status)
            changed = self.service.get_group(self.member, group.id)
            self.assertEqual((status, status), (changed.name, changed.status))
        self.set_columns(tables.consistencygroups, group.id, status="deleting")
        self.refused(
            "is deleting", _INVALID, self.service.update_group, self.member, group.id, name="new"
        )

    def test_added_volumes_are_members_at_once_and_removed_ones_until_the_end(self) -> None:
        group = self.group()
        leaving, joining = self.volume(group), self.volume()
        self.service.update_group(
            self.member,
            group.id,
            name="n",
            add_volumes=[joining.id],
            remove_volumes=[leaving.id],
        )
        self.assertEqual("updating", self.service.get_group(self.member, group.id).status)
        for volume in (leaving, joining):
            found = self.service.get_volume(self.member, volume.id)
            self.assertEqual(group.id, found.consistencygroup_id)
        self.assertEqual([("consistencygroup.update", group.id)], self.operations())
        self.refused(
            "is updating",
            _INVALID,
            self.service.update_group,
            self.member,
            group.id,
            remove_volumes=[joining.id],
        )

    def test_a_member_that_is_added_again_is_skipped(self) -> None:
        group = self.group()
        volume = self.volume(group)
        self.service.update_group(self.member, group.id, add_volumes=[volume.id])
        self.assertEqual("available", self.service.get_group(self.member, group.id).status)
        self.assertEqual([], self.operations())

    def _refused(self, reason: str, group: records.Group, **lists: list[str]) -> None:
        self.refused(
            reason,
            _INVALID,
            self.service.update_group,
            self.member,
            group.id,
            name="changed",
            **lists,
        )
        self.assertIsNone(self.service.get_group(self.member, group.id).name)
        self.assertEqual([], self.operations())

    def test_what_may_not_join_is_named_and_nothing_changes(self) -> None:
        group, other = self.group(), self.group()
        fit = self.volume()
        elsewhere, foreign = self.volume(other), self.volume(context=self.stranger)
        kind = self.service.create_type(
            self.admin, name="t", description=None, is_public=True, extra_specs={}
        )
        typed, failed, remote = self.volume(volume_type=kind.id), self.volume(), self.volume()
        self.set_columns(tables.volumes, failed.id, status="error")
        self.set_columns(tables.volumes, remote.id, host="host@two")
        for volume_id, reason in (
            (base.MISSING, "could not be found"),
            (foreign.id, "could not be found"),
            (elsewhere.id, f"is in group {other.id}"),
            (typed.id, "has a volume type"),
            (failed.id, "is error"),
            (remote.id, "is on another backend"),
        ):
            self._refused(f"{volume_id} {reason}", group, add_volumes=[fit.id, volume_id])
            found = self.service.get_volume(self.member, fit.id)
            self.assertIsNone(found.consistencygroup_id)

    def test_what_may_not_leave_is_named(self) -> None:
        group = self.group()
        busy, outside = self.volume(group), self.volume()
        self.set_columns(tables.volumes, busy.id, status="creating")
        self._refused(f"{busy.id} is creating", group, remove_volumes=[busy.id])
        self._refused(f"{outside.id} is not in", group, remove_volumes=[outside.id])

    def test_a_source_of_something_being_made_keeps_its_members(self) -> None:
        group = self.group()
        volume = self.volume(group)
        self.service.create_cgsnapshot(self.member, group_id=group.id, name=None, description=None)
        self.refused(
            "being created",
            _INVALID,
            self.service.update_group,
            self.member,
            group.id,
            remove_volumes=[volume.id],
        )
        self.settle()
        self.service.create_group_from_src(
            self.member, name=None, description=None, source_cgid=group.id
        )
        self.refused(
            "being created",
            _INVALID,
            self.service.update_group,
            self.member,
            group.id,
            remove_volumes=[volume.id],
        )
