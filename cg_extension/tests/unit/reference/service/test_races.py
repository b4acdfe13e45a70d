# SPDX-License-Identifier: Apache-2.0
"""Requests that race: one is accepted, the others learn why not, and nothing is stuck."""

import concurrent.futures
from collections.abc import Callable, Sequence

from cg_extension.contract import exceptions
from cg_extension.tests.unit.reference.service import base


class RaceTest(base.ServiceTestCase):
    def _race(self, calls: Sequence[Callable[[], object]]) -> list[Exception | None]:
        """What each of the calls, made at once, ended with."""
        with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
            futures = [pool.submit(call) for call in calls]
            return [future.exception(timeout=60) for future in futures]

    def test_of_deletes_of_one_group_one_is_accepted(self) -> None:
        for _ in range(3):
            group = self.group()
            ends = self._race([lambda g=group: self.service.delete_group(self.member, g.id)] * 8)
            self.assertEqual(1, ends.count(None))
            for end in ends:
                if end is not None:
                    self.assertIsInstance(end, exceptions.InvalidState)
                    self.assertIn("is deleting", str(end))
            self.assertEqual([("consistencygroup.delete", group.id)], self.operations())
            self.settle()

    def test_of_delete_update_and_snapshot_of_one_group_no_two_contradict(self) -> None:
        for _ in range(3):
            group = self.group()
            leaving, joining = self.volume(group), self.volume()
            ends = self._race(
                [
                    lambda g=group: self.service.delete_group(self.member, g.id, force=True),
                    lambda g=group, v=leaving: self.service.update_group(
                        self.member, g.id, remove_volumes=[v.id]
                    ),
                    lambda g=group, v=joining: self.service.update_group(
                        self.member, g.id, add_volumes=[v.id]
                    ),
                    lambda g=group: self.service.create_cgsnapshot(
                        self.member, group_id=g.id, name=None, description=None
                    ),
                    lambda g=group: self.service.create_group_from_src(
                        self.member, name=None, description=None, source_cgid=g.id
                    ),
                ]
            )
            for end in ends:
                self.assertTrue(end is None or isinstance(end, exceptions.InvalidState), end)
            deleted, *updated, snapshotted, cloned = (end is None for end in ends)
            # A delete or an update goes with nothing else; a snapshot and a clone go together.
            self.assertLessEqual(deleted + sum(updated), 1)
            if deleted or any(updated):
                self.assertFalse(snapshotted or cloned)
            self.assertTrue(deleted or any(updated) or snapshotted or cloned)
            self.assertEqual(ends.count(None), len(self.operations()))
            self.settle()

    def test_the_last_unit_of_a_quota_is_given_once(self) -> None:
        self.service.update_quotas(self.admin, "p", {"volumes": 3})
        create = lambda: self.service.create_volume(self.member, **self.volume_arguments())  # noqa: E731
        ends = self._race([create] * 8)
        self.assertEqual(3, ends.count(None))
        self.assertEqual({exceptions.QuotaExceeded}, {type(end) for end in ends if end is not None})

    def test_a_project_that_is_seen_for_the_first_time_by_many_at_once(self) -> None:
        create = lambda: self.service.create_group(  # noqa: E731
            self.stranger,
            name=None,
            description=None,
            volume_types=[self.default_type.id],
            availability_zone=None,
        )
        self.assertEqual([None] * 8, self._race([create] * 8))

    def test_a_volume_is_deleted_or_cloned_but_not_both(self) -> None:
        for _ in range(3):
            volume = self.volume()
            ends = self._race(
                [
                    lambda v=volume: self.service.delete_volume(self.member, v.id),
                    lambda v=volume: self.service.create_volume(
                        self.member, **self.volume_arguments(source_volid=v.id)
                    ),
                ]
            )
            self.assertEqual(1, ends.count(None), ends)
            self.settle()

    def test_two_groups_that_want_one_volume(self) -> None:
        first, second, volume = self.group(), self.group(), self.volume()
        ends = self._race(
            [
                lambda g=group: self.service.update_group(
                    self.member, g.id, add_volumes=[volume.id]
                )
                for group in (first, second)
            ]
        )
        self.assertEqual(1, ends.count(None), ends)
