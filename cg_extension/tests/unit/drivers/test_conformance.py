# SPDX-License-Identifier: Apache-2.0
"""The conformance suite itself: drivers with a fault of each kind do not get through it."""

import dataclasses
import subprocess
import sys
import unittest
from collections.abc import Mapping, Sequence
from typing import Any

from oslotest import base

from cg_extension.contract import records
from cg_extension.drivers import base as driver_base
from cg_extension.drivers import conformance, exceptions
from cg_extension.drivers.file.driver import FileDriver
from cg_extension.tests.unit.drivers.file import test_driver as test_file_driver


class NoZeros(FileDriver):
    """Volumes start with another tenant's bytes."""

    def create_volume(self, context: Any, volume: records.Volume) -> driver_base.ModelUpdate:
        update = super().create_volume(context, volume)
        with open(f"{self.store.path}/volume-{volume.id}", "r+b") as opened:
            opened.write(b"another's")
        return update


class DeletesOnce(FileDriver):
    """Deleting what is not there is an error."""

    def delete_volume(self, context: Any, volume: records.Volume) -> None:
        if not self._complete([f"volume-{volume.id}"]):
            raise exceptions.DriverError("no such volume")
        super().delete_volume(context, volume)


class KeepsHalf(FileDriver):
    """A group snapshot that a crash cut short is completed at a later instant."""

    def create_cgsnapshot(
        self,
        context: Any,
        cgsnapshot: records.CGSnapshot,
        snapshots: Sequence[records.Snapshot],
        volumes: Sequence[records.Volume],
    ) -> driver_base.GroupUpdate:
        for pair in zip(snapshots, volumes, strict=True):
            self.create_snapshot(context, *pair)
        return {}, [{} for _ in snapshots]


class MixesMembers(FileDriver):
    """Snapshots are of the volumes in another order."""

    def create_cgsnapshot(
        self,
        context: Any,
        cgsnapshot: records.CGSnapshot,
        snapshots: Sequence[records.Snapshot],
        volumes: Sequence[records.Volume],
    ) -> driver_base.GroupUpdate:
        return super().create_cgsnapshot(context, cgsnapshot, snapshots, volumes[::-1])


class ForgetsSize(FileDriver):
    """A restored volume has its snapshot's size."""

    def create_volume_from_snapshot(
        self, context: Any, volume: records.Volume, snapshot: records.Snapshot
    ) -> driver_base.ModelUpdate:
        small = dataclasses.replace(volume, size=snapshot.volume_size)
        return super().create_volume_from_snapshot(context, small, snapshot)


class ForgetsMembers(FileDriver):
    """A group delete gives no update for its volumes."""

    def delete_consistencygroup(
        self, context: Any, group: records.Group, volumes: Sequence[records.Volume]
    ) -> driver_base.GroupUpdate:
        super().delete_consistencygroup(context, group, volumes)
        return {}, []


class NotesNothing(FileDriver):
    """A clone has no update, as in Cinder."""

    def create_cloned_volume(
        self, context: Any, volume: records.Volume, source: records.Volume
    ) -> Any:
        super().create_cloned_volume(context, volume, source)


class KnowsNoLimit(FileDriver):
    """Figures are words, as in Cinder."""

    def get_volume_stats(self) -> driver_base.VolumeStats:
        unknown: Any = "unknown"
        return dataclasses.replace(super().get_volume_stats(), free_capacity_gb=unknown)


class LeavesPartial(FileDriver):
    """A failed call leaves its temporary file."""

    def create_volume(self, context: Any, volume: records.Volume) -> driver_base.ModelUpdate:
        try:
            return super().create_volume(context, volume)
        except exceptions.DriverError:
            with open(f"{self.store.path}/volume-{volume.id}.partial", "w"):
                raise


# What a faulty driver must fail, and nothing else of the suite.
FAULTS: Mapping[type[FileDriver], set[str]] = {
    NoZeros: {
        "test_a_new_volume_has_its_size_and_reads_as_zeros",
        "test_creating_a_volume_twice_makes_one",
        "test_creating_a_volume",
    },
    DeletesOnce: {
        "test_deleting_a_volume_twice_succeeds",
        "test_deleting_what_never_was_succeeds",
    },
    KeepsHalf: {
        "test_a_half_made_group_snapshot_is_taken_anew_of_one_instant",
        "test_a_missing_member_is_an_error_and_leaves_nothing",
        "test_taking_a_group_snapshot",
    },
    MixesMembers: {"test_each_snapshot_is_of_the_volume_in_its_place"},
    ForgetsSize: {"test_a_larger_volume_from_a_snapshot_ends_in_zeros"},
    ForgetsMembers: {"test_deleting_a_group_with_its_volumes_twice_succeeds"},
    NotesNothing: {
        "test_a_clone_is_independent_of_its_source",
        "test_cloning_a_volume",
        "test_cloning_twice_makes_one_volume",
    },
    KnowsNoLimit: {"test_stats_tell_capacity_in_gib"},
    LeavesPartial: {"test_creating_a_volume"},
}


class SuiteTest(base.BaseTestCase):
    def failures_of(self, driver_class: type[FileDriver]) -> set[str]:
        class Suite(
            test_file_driver.FileHarness,
            conformance.DriverConformance,
            conformance.FailureConformance,
            base.BaseTestCase,
        ):
            driver_type = driver_class
            failing = test_file_driver.FileFailureTest.failing

            def addCleanup(self, function: Any, *args: Any, **kwargs: Any) -> None:
                # A faulty driver may fail the cleaning, too, which is not what is looked for.
                if function != getattr(getattr(self, "driver", None), "delete_volume", None):
                    super().addCleanup(function, *args, **kwargs)

        tests = unittest.defaultTestLoader.loadTestsFromTestCase(Suite)
        result = unittest.TestResult()
        tests.run(result)
        self.assertGreater(result.testsRun, 30)
        return {test.id().rpartition(".")[2] for test, _ in result.failures + result.errors}

    def test_a_sound_driver_passes(self) -> None:
        self.assertEqual(set(), self.failures_of(FileDriver))

    def test_each_fault_is_found(self) -> None:
        found = {driver_class: self.failures_of(driver_class) for driver_class in FAULTS}
        self.assertEqual(FAULTS, found)

    def test_the_suite_needs_no_test_packages(self) -> None:
        program = (
            "import sys\n"
            "for name in ('fixtures', 'oslotest', 'stestr', 'testtools'):\n"
            "    sys.modules[name] = None\n"
            "import cg_extension.drivers.conformance"
        )
        subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
