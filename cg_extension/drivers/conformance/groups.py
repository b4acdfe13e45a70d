# SPDX-License-Identifier: Apache-2.0
"""Conformance of the group calls: all or nothing, of one instant, and repeatable."""

import dataclasses
import datetime
from collections.abc import Sequence

from cg_extension.contract import records, statuses
from cg_extension.drivers import answers, exceptions
from cg_extension.drivers.conformance import factories, harness


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None)


class GroupHarness(harness.Harness):
    """Groups on the backend, for tests to start from."""

    def new_group(self, text: str = "") -> tuple[records.Group, Sequence[records.Volume]]:
        """A group of ``member_count`` volumes with ``text`` written to each."""
        group = factories.group()
        self.driver.create_consistencygroup(self.context, group)
        volumes = [
            self.new_volume(text, consistencygroup_id=group.id) for _ in range(self.member_count)
        ]
        return group, volumes

    def cgsnapshot_records(
        self, group: records.Group, volumes: Sequence[records.Volume]
    ) -> tuple[records.CGSnapshot, Sequence[records.Snapshot]]:
        """Records of a group snapshot that is yet to be taken."""
        cgsnapshot = factories.cgsnapshot(group)
        snapshots = [
            self.remove_snapshot_later(factories.snapshot(volume, cgsnapshot_id=cgsnapshot.id))
            for volume in volumes
        ]
        return cgsnapshot, snapshots

    def take(
        self,
        cgsnapshot: records.CGSnapshot,
        snapshots: Sequence[records.Snapshot],
        volumes: Sequence[records.Volume],
    ) -> Sequence[records.Snapshot]:
        """Take a group snapshot; the snapshots as they then are."""
        update = self.driver.create_cgsnapshot(self.context, cgsnapshot, snapshots, volumes)
        return self.updated_members(snapshots, update)

    def new_cgsnapshot(
        self, group: records.Group, volumes: Sequence[records.Volume]
    ) -> tuple[records.CGSnapshot, Sequence[records.Snapshot]]:
        """A group snapshot on the backend."""
        cgsnapshot, snapshots = self.cgsnapshot_records(group, volumes)
        return cgsnapshot, self.take(cgsnapshot, snapshots, volumes)

    def target_records(
        self, sources: Sequence[records.Volume] | Sequence[records.Snapshot]
    ) -> tuple[records.Group, Sequence[records.Volume]]:
        """Records of a group that is yet to be made, with a volume for each source."""
        group = factories.group()
        volumes = [
            self.remove_volume_later(
                factories.volume(self.volume_size, consistencygroup_id=group.id)
            )
            for _ in sources
        ]
        return group, volumes

    def from_cgsnapshot(
        self,
        group: records.Group,
        volumes: Sequence[records.Volume],
        cgsnapshot: records.CGSnapshot,
        snapshots: Sequence[records.Snapshot],
    ) -> Sequence[records.Volume]:
        update = self.driver.create_consistencygroup_from_src(
            self.context, group, volumes, cgsnapshot=cgsnapshot, snapshots=snapshots
        )
        return self.updated_members(volumes, update)

    def from_group(
        self,
        group: records.Group,
        volumes: Sequence[records.Volume],
        source: records.Group,
        source_volumes: Sequence[records.Volume],
    ) -> Sequence[records.Volume]:
        update = self.driver.create_consistencygroup_from_src(
            self.context, group, volumes, source_cg=source, source_vols=source_volumes
        )
        return self.updated_members(volumes, update)


class GroupConformance(GroupHarness):
    """What a driver does with the volumes of a group together."""

    def test_an_empty_group_can_be_made_and_deleted_twice(self) -> None:
        group = factories.group()
        for _ in range(2):
            self.driver.create_consistencygroup(self.context, group)
        for _ in range(2):
            update = self.driver.delete_consistencygroup(self.context, group, [])
            self.assertEqual([], self.updated_members([], update))
        self.assertNothingLeft()

    def test_deleting_a_group_with_its_volumes_twice_succeeds(self) -> None:
        group, volumes = self.new_group("gone")
        self.driver.delete_volume(self.context, volumes[0])
        for _ in range(2):
            update = self.driver.delete_consistencygroup(self.context, group, volumes)
            self.updated_members(volumes, update)
        self.assertNothingLeft()

    def test_changing_members_repeats_and_leaves_their_bytes(self) -> None:
        group, volumes = self.new_group("kept")
        for _ in range(2):
            update = self.driver.update_consistencygroup(
                self.context, group, volumes[:1], volumes[1:]
            )
            self.assertGiven(answers.membership_update, update, 1, len(volumes) - 1)
        self.assertHolds("kept", *volumes)

    def test_a_group_snapshot_keeps_what_every_member_held(self) -> None:
        group, volumes = self.new_group("before")
        _, snapshots = self.new_cgsnapshot(group, volumes)
        for volume in volumes:
            self.write(volume, "after")
        self.assertHolds("before", *map(self.restored, snapshots))
        self.assertHolds("after", *volumes)

    def test_each_snapshot_is_of_the_volume_in_its_place(self) -> None:
        group, volumes = self.new_group()
        for number, volume in enumerate(volumes):
            self.write(volume, str(number))
        _, snapshots = self.new_cgsnapshot(group, volumes)
        for number, snapshot in enumerate(snapshots):
            self.assertHolds(str(number), self.restored(snapshot))

    def test_taking_a_group_snapshot_twice_makes_one(self) -> None:
        group, volumes = self.new_group("before")
        cgsnapshot, snapshots = self.new_cgsnapshot(group, volumes)
        once = sorted(self.objects())
        snapshots = self.take(cgsnapshot, snapshots, volumes)
        self.assertEqual(once, sorted(self.objects()))
        self.assertHolds("before", *map(self.restored, snapshots))

    def test_a_receipt_is_of_the_first_call_however_often_it_is_made(self) -> None:
        group, volumes = self.new_group("before")
        call = (self.context, *self.cgsnapshot_records(group, volumes), volumes)
        create = self.driver.create_cgsnapshot
        begun = _now()
        first = self.assertGiven(answers.group_update, create(*call), len(volumes)).receipt
        ended = _now()
        again = self.assertGiven(answers.group_update, create(*call), len(volumes)).receipt
        self.driver.delete_cgsnapshot(*call[:3])
        self.assertEqual(first, again)
        if first is not None:  # not every backend can tell
            self.assertLessEqual(begun, first.instant)
            self.assertLessEqual(first.instant, ended)
            self.assertLessEqual(0, first.held_seconds)
            self.assertLessEqual(first.held_seconds, (ended - begun).total_seconds())
            self.assertTrue(0 < len(first.consistency) <= 255)

    def test_a_half_made_group_snapshot_is_taken_anew_of_one_instant(self) -> None:
        group, volumes = self.new_group("first run")
        cgsnapshot, snapshots = self.cgsnapshot_records(group, volumes)
        taken = self.take(cgsnapshot, snapshots, volumes)
        self.driver.delete_snapshot(self.context, taken[-1])
        for volume in volumes:
            self.write(volume, "second run")
        taken = self.take(cgsnapshot, snapshots, volumes)
        self.assertHolds("second run", *map(self.restored, taken))

    def test_deleting_a_group_snapshot_twice_leaves_the_group(self) -> None:
        group, volumes = self.new_group("kept")
        before = sorted(self.objects())
        cgsnapshot, snapshots = self.new_cgsnapshot(group, volumes)
        self.driver.delete_snapshot(self.context, snapshots[0])
        for _ in range(2):
            update = self.driver.delete_cgsnapshot(self.context, cgsnapshot, snapshots)
            self.updated_members(snapshots, update)
        self.assertEqual(before, sorted(self.objects()))
        self.assertHolds("kept", *volumes)

    def test_a_group_snapshot_of_attached_volumes_is_taken_or_refused_whole(self) -> None:
        group, volumes = self.new_group("before")
        in_use = [dataclasses.replace(volume, status=statuses.Status.IN_USE) for volume in volumes]
        before = sorted(self.objects())
        cgsnapshot, snapshots = self.cgsnapshot_records(group, volumes)
        try:
            taken = self.take(cgsnapshot, snapshots, in_use)
        except exceptions.DriverRefusal as refusal:
            self.assertTrue(str(refusal))
            self.assertEqual(before, sorted(self.objects()))
        else:
            self.assertHolds("before", *map(self.restored, taken))

    def test_a_group_from_a_group_snapshot_has_its_bytes(self) -> None:
        group, volumes = self.new_group("before")
        source = self.new_cgsnapshot(group, volumes)
        for volume in volumes:
            self.write(volume, "after")
        target, target_volumes = self.target_records(volumes)
        made = self.from_cgsnapshot(target, target_volumes, *source)
        once = sorted(self.objects())
        made = self.from_cgsnapshot(target, target_volumes, *source)
        self.assertEqual(once, sorted(self.objects()))
        self.assertHolds("before", *made)
        self.assertHolds("after", *volumes)

    def test_a_group_from_a_group_has_its_bytes(self) -> None:
        source, volumes = self.new_group("before")
        target, target_volumes = self.target_records(volumes)
        made = self.from_group(target, target_volumes, source, volumes)
        once = sorted(self.objects())
        made = self.from_group(target, target_volumes, source, volumes)
        self.assertEqual(once, sorted(self.objects()))
        for volume in volumes:
            self.write(volume, "after")
        self.assertHolds("before", *made)

    def test_a_half_made_copy_of_a_group_is_made_anew_of_one_instant(self) -> None:
        source, volumes = self.new_group("first run")
        target, target_volumes = self.target_records(volumes)
        made = self.from_group(target, target_volumes, source, volumes)
        self.driver.delete_volume(self.context, made[-1])
        for volume in volumes:
            self.write(volume, "second run")
        made = self.from_group(target, target_volumes, source, volumes)
        self.assertHolds("second run", *made)

    def test_a_missing_member_is_an_error_and_leaves_nothing(self) -> None:
        group, volumes = self.new_group("kept")
        cgsnapshot, snapshots = self.new_cgsnapshot(group, volumes)
        self.driver.delete_snapshot(self.context, snapshots[-1])
        self.driver.delete_volume(self.context, volumes[-1])
        before = sorted(self.objects())
        target, target_volumes = self.target_records(volumes)
        self.assertRaises(
            exceptions.DriverError, self.take, *self.cgsnapshot_records(group, volumes), volumes
        )
        self.assertRaises(
            exceptions.DriverError,
            self.from_cgsnapshot,
            target,
            target_volumes,
            cgsnapshot,
            snapshots,
        )
        self.assertRaises(
            exceptions.DriverError, self.from_group, target, target_volumes, group, volumes
        )
        self.assertEqual(before, sorted(self.objects()))
        self.assertHolds("kept", *volumes[:-1])
