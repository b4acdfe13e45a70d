# SPDX-License-Identifier: Apache-2.0
"""The file driver on a real directory: the conformance suite, and what is its own."""

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from typing import Any
from unittest import mock

import fixtures
from oslo_config import cfg
from oslotest import base

from cg_extension import conf as cg_conf
from cg_extension.contract import records
from cg_extension.drivers import conformance, exceptions, steps
from cg_extension.drivers.conformance import factories, harness
from cg_extension.drivers.file import copying, leases
from cg_extension.drivers.file.driver import FileDriver

BACKEND = "files"


class FileHarness(harness.Harness):
    """The file driver in a directory of its own."""

    driver: FileDriver
    driver_type = FileDriver

    def setUp(self) -> None:
        self.path = os.path.join(self.useFixture(fixtures.TempDir()).path, "volumes")
        super().setUp()

    def make_driver(self) -> FileDriver:
        conf = cfg.ConfigOpts()
        cg_conf.register_opts(conf)
        cg_conf.register_backend_opts(conf, BACKEND, FileDriver.get_driver_options())
        conf([], default_config_files=[])
        conf.set_override("file_path", self.path, group=BACKEND)
        return self.driver_type(conf, BACKEND, f"here@{BACKEND}")

    def objects(self) -> list[str]:
        return os.listdir(self.path)

    def path_of(self, record: records.Volume | records.Snapshot) -> str:
        kind = "volume" if isinstance(record, records.Volume) else "snapshot"
        return os.path.join(self.path, f"{kind}-{record.id}")


@contextlib.contextmanager
def failing_call(step: int, error: OSError) -> Iterator[None]:
    """Let the call number ``step`` of those that write to the disk raise ``error``."""
    calls = 0
    names = ("fsync", "rename", "ftruncate", "unlink")

    def counted(real: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == step + 1:
                raise error
            return real(*args, **kwargs)

        return call

    with contextlib.ExitStack() as stack:
        for name in names:
            stack.enter_context(mock.patch.object(os, name, counted(getattr(os, name))))
        stack.enter_context(mock.patch.object(copying, "copy", counted(copying.copy)))
        yield


class FileConformanceTest(FileHarness, conformance.DriverConformance, base.BaseTestCase):
    pass


class FileFailureTest(FileHarness, conformance.FailureConformance, base.BaseTestCase):
    def failing(self, step: int) -> contextlib.AbstractContextManager[None]:
        return failing_call(step, OSError(errno.EIO, "Input/output error"))


class SetupTest(FileHarness, base.BaseTestCase):
    def test_the_directory_and_its_files_are_open_to_their_owner_only(self) -> None:
        volume = self.new_volume()
        snapshot = self.new_snapshot(volume)
        self.assertEqual(0o700, stat.S_IMODE(os.stat(self.path).st_mode))
        for path in (self.path_of(volume), self.path_of(snapshot)):
            self.assertEqual(0o600, stat.S_IMODE(os.stat(path).st_mode))

    def test_a_directory_that_anyone_can_write_to_is_refused(self) -> None:
        os.chmod(self.path, 0o777)
        error = self.assertRaises(exceptions.DriverSetupError, self.start_driver)
        self.assertIn("chmod", str(error))

    def test_a_path_that_is_no_directory_is_refused(self) -> None:
        self.path = os.path.join(self.path, "plain-file")
        with open(self.path, "w"):
            pass
        self.assertRaises(exceptions.DriverSetupError, self.start_driver)

    def test_leftovers_of_a_crash_are_removed_and_nothing_else(self) -> None:
        volume = self.new_volume("kept")
        leftover = self.path_of(factories.volume()) + ".partial"
        foreign = os.path.join(self.path, "notes.partial")
        for path in (leftover, foreign):
            with open(path, "w"):
                pass
        self.driver = self.start_driver()
        self.assertEqual({f"volume-{volume.id}", "notes.partial"}, set(self.objects()))
        self.assertHolds("kept", volume)

    def test_a_file_that_another_process_is_writing_is_no_leftover(self) -> None:
        name = f"volume-{factories.volume().id}"
        with self.driver.store.writing([name]):
            self.start_driver()
        self.assertEqual([name], self.objects())

    def test_what_a_run_that_lost_its_claim_has_named_is_on_disk_before_it_counts(self) -> None:
        volume = factories.volume()
        boundary = steps.checkpoint

        def lose(passed: str) -> None:
            boundary(passed)
            if passed == "file.renamed":
                raise steps.OperationLost("test")

        with mock.patch.object(steps, "checkpoint", lose):
            self.assertRaises(steps.OperationLost, self.driver.create_volume, self.context, volume)
        synced = []
        with mock.patch.object(
            os, "fsync", lambda file: synced.append(os.readlink(f"/proc/self/fd/{file}"))
        ):
            self.driver.create_volume(self.context, volume)
        self.assertEqual([os.path.realpath(self.path)], synced)


class RefusalTest(FileHarness, base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch(leases, "GRACE", 0.01)

    def test_an_attached_volume_is_not_copied_and_named(self) -> None:
        volume = self.new_volume("kept", status="in-use")
        attached = factories.volume(id=volume.id, status="in-use")
        before = self.objects()
        for call in (
            lambda: self.driver.create_snapshot(
                self.context, factories.snapshot(attached), attached
            ),
            lambda: self.driver.create_cloned_volume(self.context, factories.volume(), attached),
        ):
            refusal = self.assertRaises(exceptions.DriverRefusal, call)
            self.assertIn(volume.id, str(refusal))
            self.assertIn("detach", str(refusal))
        self.assertEqual(before, self.objects())

    def test_a_volume_that_a_local_process_has_open_for_writing_is_not_copied(self) -> None:
        volume = self.new_volume("kept")
        snapshot = factories.snapshot(volume)
        with open(self.path_of(volume), "r+b"):
            refusal = self.assertRaises(
                exceptions.DriverRefusal,
                self.driver.create_snapshot,
                self.context,
                snapshot,
                volume,
            )
        self.assertIn("open for writing", str(refusal))
        self.assertEqual([f"volume-{volume.id}"], self.objects())
        self.driver.create_snapshot(self.context, snapshot, volume)
        self.assertHolds("kept", self.restored(snapshot))

    def test_a_volume_whose_file_is_another_users_is_not_copied(self) -> None:
        volume = self.new_volume("kept")
        error = PermissionError(errno.EACCES, "Permission denied")
        with mock.patch.object(fcntl, "fcntl", side_effect=error):
            refusal = self.assertRaises(
                exceptions.DriverRefusal,
                self.driver.create_snapshot,
                self.context,
                factories.snapshot(volume),
                volume,
            )
        self.assertIn("chown", str(refusal))
        self.assertEqual([f"volume-{volume.id}"], self.objects())

    def test_a_writer_that_comes_during_the_copy_makes_it_fail(self) -> None:
        volume = self.new_volume("kept")

        def copy_while_someone_opens(source: int, target: int) -> None:
            # Where a blocking open would wait for the end of the lease, this one gives up, but
            # only after the kernel has begun to break the lease.
            self.assertRaises(
                BlockingIOError, os.open, self.path_of(volume), os.O_WRONLY | os.O_NONBLOCK
            )

        with mock.patch.object(copying, "copy", copy_while_someone_opens):
            error = self.assertRaises(
                exceptions.DriverError,
                self.driver.create_snapshot,
                self.context,
                factories.snapshot(volume),
                volume,
            )
        self.assertTrue(error.retry)
        self.assertEqual([f"volume-{volume.id}"], self.objects())


class FileSystemTest(FileHarness, base.BaseTestCase):
    def test_volumes_and_snapshots_take_no_space_for_their_holes(self) -> None:
        volume = self.new_volume("little")
        snapshot = self.new_snapshot(volume)
        for record in (volume, snapshot):
            self.assertLess(os.stat(self.path_of(record)).st_blocks * 512, 1 << 20)

    def test_a_full_file_system_is_named_as_the_reason(self) -> None:
        volume = self.new_volume("kept")
        full = OSError(errno.ENOSPC, "No space left on device")
        with mock.patch.object(copying, "copy", side_effect=full):
            error = self.assertRaises(
                exceptions.DriverError,
                self.driver.create_snapshot,
                self.context,
                factories.snapshot(volume),
                volume,
            )
        self.assertIn("No space left", str(error))
        self.assertEqual([f"volume-{volume.id}"], self.objects())

    def test_stats_are_those_of_the_file_system(self) -> None:
        self.new_snapshot(self.new_volume())
        stats = self.driver.get_volume_stats()
        status = os.statvfs(self.path)
        total = status.f_blocks * status.f_frsize / 2**30
        self.assertEqual(total, stats.total_capacity_gb)
        self.assertEqual(2, stats.provisioned_capacity_gb)
        self.assertEqual(BACKEND, stats.volume_backend_name)
        self.assertTrue(stats.thin_provisioning_support)

    def test_a_backend_whose_directory_was_replaced_tells_no_state(self) -> None:
        self.driver.get_volume_stats()
        os.rename(self.path, f"{self.path}-hidden")
        for _ in range(2):
            error = self.assertRaises(exceptions.DriverError, self.driver.get_volume_stats)
            self.assertIn("mounted", str(error))
            os.makedirs(self.path, exist_ok=True)

    def test_a_link_in_the_place_of_a_volume_is_not_followed(self) -> None:
        secret = os.path.join(os.path.dirname(self.path), "secret")
        with open(secret, "w") as outside:
            outside.write("not yours")
        volume = factories.volume()
        os.symlink(secret, self.path_of(volume))
        self.assertRaises(
            exceptions.DriverError,
            self.driver.create_snapshot,
            self.context,
            factories.snapshot(volume),
            volume,
        )
        self.assertRaises(
            exceptions.DriverError,
            self.driver.initialize_connection,
            self.context,
            volume,
            self.connector,
        )
        self.driver.delete_volume(self.context, volume)
        self.assertEqual([], self.objects())
        with open(secret) as outside:
            self.assertEqual("not yours", outside.read())

    def test_an_id_that_is_no_uuid_reaches_no_file(self) -> None:
        volume = factories.volume(id="../../etc/passwd")
        self.assertRaises(ValueError, self.driver.delete_volume, self.context, volume)
        self.assertRaises(ValueError, self.driver.create_volume, self.context, volume)
