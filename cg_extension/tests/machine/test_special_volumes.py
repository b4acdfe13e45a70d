# SPDX-License-Identifier: Apache-2.0
"""Volumes that are not plain, of kinds that User-Mode Linux's kernel lacks or panics at."""

from cg_extension.tests.lvm import base, test_special_volumes


class SyncingTest(test_special_volumes.SpecialVolumesTestCase):
    """Raid whose legs are not the same yet; it is held back, so that it stays so."""

    def _assert_works_meanwhile(self, *arguments: str) -> None:
        # Without a minimum of its own it is synced with 1 MB/s at least (md's speed_limit_min).
        slowly = ("--minrecoveryrate", "1K", "--maxrecoveryrate", "8K")
        self.make_thick(*arguments, *slowly, size="16M")
        self._assert_syncing()
        self.assert_works()
        self._assert_syncing()
        base.run("lvchange", "--maxrecoveryrate", "0", f"{self.vg.name}/special")

    def _assert_syncing(self) -> None:
        report = ("lvs", "--noheadings", "-o", "sync_percent", f"{self.vg.name}/special")
        self.assertLess(float(base.run(*report)), 100)

    def test_raid1_that_is_being_synced_works(self) -> None:
        self._assert_works_meanwhile("--type", "raid1", "--mirrors", "1")

    def test_raid5_that_is_being_synced_works(self) -> None:
        self._assert_works_meanwhile("--type", "raid5", "--stripes", "2")

    def test_raid10_that_is_being_synced_works(self) -> None:
        self._assert_works_meanwhile("--type", "raid10", "--stripes", "2", "--mirrors", "1")
