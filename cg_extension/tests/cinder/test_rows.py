# SPDX-License-Identifier: Apache-2.0
"""What the plugin's calls make of rows that other calls of Cinder's have changed."""

import uuid
from collections.abc import Callable
from unittest import mock

import oslo_messaging
import sqlalchemy.exc
from cinder import objects
from oslo_db import exception as db_exception

from cg_extension.contract import exceptions, records
from cg_extension.tests.cinder import rows


class MarkerTest(rows.RowsCase):
    def test_what_the_list_does_not_show_is_no_marker(self) -> None:
        other = self.new_group(group_type_id=self.new_group_type("other"))
        snapshot, _members = self.new_group_snapshot(other, self.new_volume(other))
        snapshot.group_type_id = other.group_type_id
        snapshot.save()
        for get_page, marker in (
            (self.service.list_groups, other.id),
            (self.service.list_cgsnapshots, snapshot.id),
        ):
            query = records.ListQuery(limit=1, marker=marker)
            with self.assertRaisesRegex(exceptions.InvalidInput, "not in this list"):
                get_page(self.caller(), query)


class TransferredSnapshotTest(rows.RowsCase):
    """Cinder transfers a volume with its snapshots, those of group snapshots among them."""

    def setUp(self) -> None:
        super().setUp()
        group = self.new_group()
        kept, given = self.new_volume(group), self.new_volume(group)
        self.taken, self.members = self.new_group_snapshot(group, kept, given)
        self.volume, self.snapshot = given, self.members[1]

    def transfer(self, *what: objects.base.CinderObject) -> None:
        for row in what:
            row.project_id = uuid.uuid4().hex
            row.save()

    def refused(self, is_admin: bool) -> None:
        with self.assertRaisesRegex(exceptions.InvalidState, f"{self.snapshot.id} .*transferred"):
            self.service.create_group_from_src(
                self.caller(is_admin=is_admin),
                name=None,
                description=None,
                cgsnapshot_id=self.taken.id,
            )
        self.calls.volume_api.create.assert_not_called()

    def test_no_group_is_made_without_it_or_with_what_is_now_another_projects(self) -> None:
        self.transfer(self.volume, self.snapshot)
        for is_admin in (False, True):
            self.refused(is_admin)

    def test_nor_from_a_snapshot_that_stayed_when_its_volume_went(self) -> None:
        self.transfer(self.volume)
        for is_admin in (False, True):
            self.refused(is_admin)

    def test_it_is_deleted_by_administrators_only(self) -> None:
        self.transfer(self.volume, self.snapshot)
        with self.assertRaisesRegex(exceptions.InvalidState, self.snapshot.id):
            self.service.delete_cgsnapshot(self.caller(), self.taken.id)
        self.assertEqual("available", self.status(self.taken))
        self.assertEqual({"available"}, set(map(self.status, self.members)))
        self.calls.volume_rpcapi.delete_group_snapshot.assert_not_called()
        self.service.delete_cgsnapshot(self.caller(is_admin=True), self.taken.id)
        self.assertEqual({"deleting"}, set(map(self.status, [self.taken, *self.members])))


class AdministratorTest(rows.RowsCase):
    def test_one_without_a_project_lists_others_only_when_asked_to(self) -> None:
        group = self.new_group()
        self.new_group_snapshot(group, self.new_volume(group))
        caller = self.caller(is_admin=True, project="")
        for get_page in (self.service.list_groups, self.service.list_cgsnapshots):
            for all_tenants in (False, True):
                page = get_page(caller, records.ListQuery(limit=2, all_tenants=all_tenants))
                self.assertEqual(all_tenants, bool(page.items))

    def test_a_snapshot_that_an_administrator_takes_is_the_groups_owners(self) -> None:
        group = self.new_group()
        self.new_volume(group)
        taken = self.service.create_cgsnapshot(
            self.caller(is_admin=True, project=uuid.uuid4().hex),
            group_id=group.id,
            name=None,
            description=None,
        )
        self.assertEqual(taken, self.service.get_cgsnapshot(self.caller(), taken.id))
        # Of whose project its snapshots are, and whose quota they take.
        owner = self.calls.volume_api.create_snapshots_in_db.call_args.args[0]
        self.assertEqual(self.project, owner.project_id)


class WorkedWithTest(rows.RowsCase):
    """Nothing is deleted below what other calls of Cinder's do with it."""

    def test_a_snapshot_that_is_backed_up_or_reverted_to_keeps_its_group_snapshot(self) -> None:
        group = self.new_group()
        taken, [member] = self.new_group_snapshot(group, self.new_volume(group))
        for status in ("backing-up", "restoring"):
            member.status = status
            member.save()
            with self.assertRaisesRegex(exceptions.InvalidState, f"{member.id} is {status}"):
                self.service.delete_cgsnapshot(self.caller(), taken.id)
            self.assertEqual(("available", status), (self.status(taken), self.status(member)))
        # What Cinder's volume manager left when it died, say.
        for status in ("creating", "deleting", "error_deleting"):
            taken.status, member.status = "error", status
            taken.save()
            member.save()
            self.service.delete_cgsnapshot(self.caller(), taken.id)
            self.assertEqual("deleting", self.status(member))


class UpdateFailureTest(rows.RowsCase):
    """A group whose update fails in the middle is as it was before."""

    def setUp(self) -> None:
        super().setUp()
        self.group = self.new_group(name="old")
        self.volume = self.new_volume(None)

    def failed(self, error: type[exceptions.CGExtensionError]) -> None:
        with self.assertRaises(error):
            self.service.update_group(
                self.caller(), self.group.id, name="new", add_volumes=[self.volume.id]
            )
        group = objects.Group.get_by_id(self.everybody, self.group.id)
        volume = objects.Volume.get_by_id(self.everybody, self.volume.id)
        self.assertEqual(("available", "old", None), (group.status, group.name, volume.group_id))

    def test_when_the_database_can_not_store_the_name(self) -> None:
        def update(context: object, group_id: str, values: dict[str, str]) -> None:
            if values.get("name") == "new":
                raise db_exception.DBError(sqlalchemy.exc.DataError(None, None, None))
            real(context, group_id, values)

        real = rows.db.group_update
        with mock.patch.object(rows.db, "group_update", update):
            self.failed(exceptions.InvalidInput)

    def test_when_the_volume_manager_can_not_be_told(self) -> None:
        self.calls.volume_rpcapi.update_group.side_effect = oslo_messaging.MessageDeliveryFailure
        self.failed(exceptions.ServiceUnavailable)


class DeletionRaceTest(rows.RowsCase):
    """Another call comes between the change of a group's status and that of its volumes'."""

    def deleted(self, group: objects.Group, meanwhile: Callable[[], object]) -> None:
        """Delete a group with its volumes, and have something done in the middle."""
        load = objects.VolumeList.get_all_by_generic_group

        def load_late(*arguments: object) -> objects.VolumeList:
            found = load(*arguments)
            meanwhile()
            return found

        patch = mock.patch.object(objects.VolumeList, "get_all_by_generic_group", load_late)
        with patch:
            self.service.delete_group(self.caller(), group.id, force=True)

    def test_a_volume_that_is_attached_or_backed_up_meanwhile_stays_as_it_is(self) -> None:
        for status, attached in (
            ("reserved", "detached"),
            ("backing-up", "detached"),
            ("in-use", "attached"),
        ):
            group = self.new_group()
            other, volume = self.new_volume(group), self.new_volume(group)
            values = {"status": status, "attach_status": attached}

            def change(volume: objects.Volume = volume, values: dict[str, str] = values) -> None:
                rows.db.volume_update(self.everybody, volume.id, values)

            with self.assertRaisesRegex(exceptions.InvalidState, "changed meanwhile"):
                self.deleted(group, change)
            self.assertEqual(
                ("available", "available", status), tuple(map(self.status, (group, other, volume)))
            )
        self.calls.volume_rpcapi.delete_group.assert_not_called()

    def test_nor_is_one_deleted_of_which_a_snapshot_is_taken_meanwhile(self) -> None:
        group = self.new_group()
        volume = self.new_volume(group)
        with self.assertRaisesRegex(exceptions.InvalidState, "changed meanwhile"):
            self.deleted(group, lambda: self.new_snapshot(volume))
        self.assertEqual(("available", "available"), (self.status(group), self.status(volume)))

    def test_without_another_call_all_are_deleted(self) -> None:
        group = self.new_group()
        volumes = [self.new_volume(group) for _ in range(2)]
        self.deleted(group, lambda: None)
        self.assertEqual({"deleting"}, set(map(self.status, (group, *volumes))))
        self.calls.volume_rpcapi.delete_group.assert_called_once()

    def test_all_is_as_it_was_when_the_volume_manager_can_not_be_told(self) -> None:
        group = self.new_group()
        volume = self.new_volume(group)
        self.calls.volume_rpcapi.delete_group.side_effect = oslo_messaging.MessageDeliveryFailure
        with self.assertRaises(exceptions.ServiceUnavailable):
            self.deleted(group, lambda: None)
        self.assertEqual(("available", "available"), (self.status(group), self.status(volume)))
