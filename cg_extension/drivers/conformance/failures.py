# SPDX-License-Identifier: Apache-2.0
"""Conformance under failures: the backend fails at each step of a call in turn."""

import contextlib
from collections.abc import Callable
from typing import TypeVar

from cg_extension.drivers import exceptions
from cg_extension.drivers.conformance import factories, groups

Result = TypeVar("Result")


class FailureConformance(groups.GroupHarness):
    """A call that fails leaves nothing behind, and works when it is made again.

    For backends whose author can make them fail, beside ``DriverConformance``.
    """

    #: No call takes more steps than this.
    most_steps = 100

    def failing(self, step: int) -> contextlib.AbstractContextManager[None]:
        """Make the backend fail, once, in its step number ``step`` (from 0) within the block.

        What counts as a step is the author's choice: a command, a system call. A block that takes
        fewer steps does not fail.
        """
        raise NotImplementedError

    def assertFailsClean(self, call: Callable[[], Result]) -> Result:
        """Run ``call`` with a failure at each step in turn; gives its result once it met none."""
        before = sorted(self.objects())
        for step in range(self.most_steps):
            try:
                with self.failing(step):
                    result = call()
            except exceptions.DriverError as error:
                self.assertTrue(str(error))
                self.assertEqual(before, sorted(self.objects()), f"left by step {step}")
            else:
                self.assertGreater(step, 0, "no failure was injected")
                return result
        raise AssertionError(f"more than {self.most_steps} steps")

    def test_creating_a_volume(self) -> None:
        volume = self.remove_volume_later(factories.volume(self.volume_size))
        update = self.assertFailsClean(lambda: self.driver.create_volume(self.context, volume))
        self.assertHolds("", self.updated(volume, update))

    def test_taking_a_snapshot(self) -> None:
        volume = self.new_volume("before")
        snapshot = self.remove_snapshot_later(factories.snapshot(volume))
        update = self.assertFailsClean(
            lambda: self.driver.create_snapshot(self.context, snapshot, volume)
        )
        snapshot = self.updated(snapshot, update)
        self.assertHolds("before", volume, self.restored(snapshot))

    def test_restoring_a_snapshot(self) -> None:
        snapshot = self.new_snapshot(self.new_volume("before"))
        volume = self.remove_volume_later(factories.volume(self.volume_size))
        update = self.assertFailsClean(
            lambda: self.driver.create_volume_from_snapshot(self.context, volume, snapshot)
        )
        self.assertHolds("before", self.updated(volume, update))

    def test_cloning_a_volume(self) -> None:
        source = self.new_volume("before")
        volume = self.remove_volume_later(factories.volume(self.volume_size))
        update = self.assertFailsClean(
            lambda: self.driver.create_cloned_volume(self.context, volume, source)
        )
        self.assertHolds("before", source, self.updated(volume, update))

    def test_taking_a_group_snapshot(self) -> None:
        group, volumes = self.new_group("before")
        cgsnapshot, snapshots = self.cgsnapshot_records(group, volumes)
        taken = self.assertFailsClean(lambda: self.take(cgsnapshot, snapshots, volumes))
        self.assertHolds("before", *volumes, *map(self.restored, taken))

    def test_making_a_group_from_a_group_snapshot(self) -> None:
        group, volumes = self.new_group("before")
        source = self.new_cgsnapshot(group, volumes)
        target = self.target_records(volumes)
        made = self.assertFailsClean(lambda: self.from_cgsnapshot(*target, *source))
        self.assertHolds("before", *made)

    def test_making_a_group_from_a_group(self) -> None:
        group, volumes = self.new_group("before")
        target = self.target_records(volumes)
        made = self.assertFailsClean(lambda: self.from_group(*target, group, volumes))
        self.assertHolds("before", *volumes, *made)

    def test_a_failed_delete_succeeds_when_repeated(self) -> None:
        group, volumes = self.new_group()
        cgsnapshot, snapshots = self.new_cgsnapshot(group, volumes)
        for step in range(self.most_steps):
            try:
                with self.failing(step):
                    self.driver.delete_cgsnapshot(self.context, cgsnapshot, snapshots)
                    self.driver.delete_consistencygroup(self.context, group, volumes)
            except exceptions.DriverError:
                continue
            break
        self.assertGreater(step, 0, "no failure was injected")
        self.assertNothingLeft()
