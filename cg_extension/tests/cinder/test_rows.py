# SPDX-License-Identifier: Apache-2.0
"""What the plugin's calls make of rows that other calls of Cinder's have changed."""

import uuid

from cinder import objects

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
