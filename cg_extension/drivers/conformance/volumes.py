# SPDX-License-Identifier: Apache-2.0
"""Conformance of the calls for single volumes and snapshots, and of start-up and capacity."""

import concurrent.futures

from cg_extension.drivers import answers, exceptions
from cg_extension.drivers.conformance import factories, harness


class VolumeConformance(harness.Harness):
    """What a driver does with one volume at a time."""

    def test_setup_can_run_again(self) -> None:
        volume = self.new_volume("kept")
        self.driver.do_setup(self.context)
        self.driver.check_for_setup_error()
        self.assertHolds("kept", volume)

    def test_a_restarted_driver_finds_volumes_and_snapshots(self) -> None:
        volume = self.new_volume("kept")
        snapshot = self.new_snapshot(volume)
        before = sorted(self.objects())
        self.driver = self.start_driver()
        self.assertEqual(before, sorted(self.objects()))
        self.assertEqual({}, self.driver.get_lost_snapshots())
        self.assertHolds("kept", volume, self.restored(snapshot))

    def test_stats_tell_capacity_in_gib(self) -> None:
        stats = self.assertGiven(answers.volume_stats, self.driver.get_volume_stats())
        self.assertGreater(stats.total_capacity_gb, 0)
        self.assertGreaterEqual(stats.free_capacity_gb, 0)
        self.assertLessEqual(stats.free_capacity_gb, stats.total_capacity_gb)
        self.assertGreaterEqual(stats.max_over_subscription_ratio, 1)
        self.assertTrue(stats.volume_backend_name)

    def test_stats_count_what_was_promised(self) -> None:
        before = self.driver.get_volume_stats().provisioned_capacity_gb
        volume = self.new_volume()
        during = self.driver.get_volume_stats().provisioned_capacity_gb
        self.assertGreaterEqual(during, before + volume.size)
        self.driver.delete_volume(self.context, volume)
        after = self.driver.get_volume_stats().provisioned_capacity_gb
        self.assertAlmostEqual(before, after, places=6)

    def test_a_new_volume_has_its_size_and_reads_as_zeros(self) -> None:
        volume = self.new_volume()
        length = volume.size * harness.GIB
        self.assertEqual(length, self.length(volume))
        offsets = [part * length // 8 for part in range(8)]
        self.assertEqual([harness.BLANK] * 8, self.read_blocks(volume, offsets))

    def test_creating_a_volume_twice_makes_one(self) -> None:
        volume = self.new_volume()
        once = sorted(self.objects())
        self.driver.create_volume(self.context, volume)
        self.assertEqual(once, sorted(self.objects()))
        self.assertHolds("", volume)

    def test_deleting_a_volume_twice_succeeds(self) -> None:
        volume = self.new_volume("gone")
        self.driver.delete_volume(self.context, volume)
        self.driver.delete_volume(self.context, volume)
        self.assertNothingLeft()

    def test_deleting_what_never_was_succeeds(self) -> None:
        volume = factories.volume()
        self.driver.delete_snapshot(self.context, factories.snapshot(volume))
        self.driver.delete_volume(self.context, volume)
        self.assertNothingLeft()

    def test_a_snapshot_keeps_what_the_volume_held(self) -> None:
        volume = self.new_volume("before")
        snapshot = self.new_snapshot(volume)
        self.write(volume, "after")
        self.assertHolds("before", self.restored(snapshot))
        self.assertHolds("after", volume)

    def test_taking_a_snapshot_twice_makes_one(self) -> None:
        volume = self.new_volume("before")
        snapshot = self.new_snapshot(volume)
        once = sorted(self.objects())
        self.driver.create_snapshot(self.context, snapshot, volume)
        self.assertEqual(once, sorted(self.objects()))
        self.assertHolds("before", self.restored(snapshot))

    def test_deleting_a_snapshot_twice_succeeds_and_leaves_the_volume(self) -> None:
        volume = self.new_volume("kept")
        only_volume = sorted(self.objects())
        snapshot = self.new_snapshot(volume)
        self.driver.delete_snapshot(self.context, snapshot)
        self.driver.delete_snapshot(self.context, snapshot)
        self.assertEqual(only_volume, sorted(self.objects()))
        self.assertHolds("kept", volume)

    def test_a_restored_volume_is_independent_of_its_snapshot(self) -> None:
        snapshot = self.new_snapshot(self.new_volume("before"))
        first = self.restored(snapshot)
        self.write(first, "changed")
        second = self.restored(snapshot)
        self.driver.delete_snapshot(self.context, snapshot)
        self.assertHolds("changed", first)
        self.assertHolds("before", second)

    def test_restoring_twice_makes_one_volume(self) -> None:
        snapshot = self.new_snapshot(self.new_volume("before"))
        volume = self.restored(snapshot)
        once = sorted(self.objects())
        self.driver.create_volume_from_snapshot(self.context, volume, snapshot)
        self.assertEqual(once, sorted(self.objects()))
        self.assertHolds("before", volume)

    def test_a_larger_volume_from_a_snapshot_ends_in_zeros(self) -> None:
        snapshot = self.new_snapshot(self.new_volume("before"))
        volume = self.remove_volume_later(factories.volume(self.larger_size))
        volume = self.updated(
            volume, self.driver.create_volume_from_snapshot(self.context, volume, snapshot)
        )
        self.assertEqual(self.larger_size * harness.GIB, self.length(volume))
        self.assertEqual(["before"] * 3, self.read(volume, snapshot.volume_size))
        behind = snapshot.volume_size * harness.GIB
        last = self.larger_size * harness.GIB - harness.STAMP_LENGTH
        self.assertEqual([harness.BLANK] * 2, self.read_blocks(volume, [behind, last]))

    def test_a_clone_is_independent_of_its_source(self) -> None:
        source = self.new_volume("before")
        clone = self.remove_volume_later(factories.volume(source.size, source_volid=source.id))
        clone = self.updated(clone, self.driver.create_cloned_volume(self.context, clone, source))
        self.write(source, "after")
        self.assertHolds("before", clone)
        self.write(clone, "changed")
        self.assertHolds("after", source)
        self.driver.delete_volume(self.context, source)
        self.assertHolds("changed", clone)

    def test_cloning_twice_makes_one_volume(self) -> None:
        source = self.new_volume("before")
        clone = self.remove_volume_later(factories.volume(source.size, source_volid=source.id))
        self.driver.create_cloned_volume(self.context, clone, source)
        once = sorted(self.objects())
        clone = self.updated(clone, self.driver.create_cloned_volume(self.context, clone, source))
        self.assertEqual(once, sorted(self.objects()))
        self.assertHolds("before", clone)

    def test_a_missing_source_is_an_error_and_leaves_nothing(self) -> None:
        gone = factories.volume(self.volume_size)
        snapshot = factories.snapshot(gone)
        volume = factories.volume(self.volume_size)
        self.assertRaises(
            exceptions.DriverError, self.driver.create_snapshot, self.context, snapshot, gone
        )
        self.assertRaises(
            exceptions.DriverError,
            self.driver.create_volume_from_snapshot,
            self.context,
            volume,
            snapshot,
        )
        self.assertRaises(
            exceptions.DriverError, self.driver.create_cloned_volume, self.context, volume, gone
        )
        self.assertNothingLeft()

    def test_connecting_twice_gives_the_same_and_disconnecting_may_repeat(self) -> None:
        volume = self.new_volume()
        self.driver.terminate_connection(self.context, volume, self.connector)
        first = self.driver.initialize_connection(self.context, volume, self.connector)
        second = self.driver.initialize_connection(self.context, volume, self.connector)
        self.assertEqual(first, second)
        self.assertGiven(answers.connection, first)
        self.driver.terminate_connection(self.context, volume, self.connector)
        self.driver.terminate_connection(self.context, volume, self.connector)

    def test_calls_for_several_volumes_may_come_at_once(self) -> None:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            volumes = list(pool.map(self.new_volume, ["a", "b", "c", "d"]))
            snapshots = list(pool.map(self.new_snapshot, volumes))
            restored = list(pool.map(self.restored, snapshots))
        for text, volume in zip("abcd", restored, strict=True):
            self.assertHolds(text, volume)
