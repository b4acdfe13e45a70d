# SPDX-License-Identifier: Apache-2.0
"""Files that appear whole or not at all, whatever moment a crash hits."""

import os
import signal
from unittest import mock

import fixtures
from oslotest import base

from cg_extension.drivers import steps
from cg_extension.drivers.conformance import factories
from cg_extension.drivers.file import storage


class LostClaim:
    """A claim that is lost after a number of step boundaries."""

    kind = "test"

    def __init__(self, after: int) -> None:
        self.left = after

    def check(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise steps.OperationLost("test")


class FileStoreTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = self.useFixture(fixtures.TempDir()).path
        self.store = self.new_store()
        self.names = [f"snapshot-{factories.volume().id}" for _ in range(3)]

    def new_store(self) -> storage.FileStore:
        store = storage.FileStore(self.path)
        self.addCleanup(store.close)
        return store

    def write_all(self, text: bytes) -> None:
        with self.store.writing(self.names) as files:
            for file in files:
                os.write(file, text)

    def content(self, name: str) -> bytes:
        with open(self.store.open(name), "rb") as file:
            return file.read()

    def killed_before(self, function: str, number: int) -> bool:
        """Write in a child process that is killed before its n-th call of an os function."""
        child = os.fork()
        if not child:
            real, calls = getattr(os, function), 0

            def deadly(*args: object, **kwargs: object) -> object:
                nonlocal calls
                calls += 1
                if calls == number:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*args, **kwargs)

            setattr(os, function, deadly)
            try:
                self.write_all(b"second run")
            finally:
                os._exit(0)
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])

    def test_a_kill_at_any_step_never_mixes_two_runs(self) -> None:
        kills = 0
        for function in ("open", "ftruncate", "unlink", "fsync", "rename"):
            number = 1
            self.write_all(b"first run")
            self.store.remove(self.names[:1])
            while self.killed_before(function, number):
                kills += 1
                number += 1
                there = [name for name in self.names if self.store.exists(name)]
                if there == self.names:
                    self.assertEqual({b"second run"}, set(map(self.content, there)))
                self.new_store().remove_leftovers()
                self.assertEqual(sorted(there), sorted(os.listdir(self.path)))
                self.store.remove(self.names)
                self.write_all(b"first run")
                self.store.remove(self.names[:1])
            self.assertEqual({b"second run"}, set(map(self.content, self.names)))
        self.assertGreaterEqual(kills, 5)

    def test_an_error_leaves_nothing_and_spares_other_files(self) -> None:
        other = f"volume-{factories.volume().id}"
        with self.store.writing([other]):
            pass

        def fail() -> None:
            with self.store.writing(self.names):
                raise ZeroDivisionError

        self.assertRaises(ZeroDivisionError, fail)
        self.assertEqual([other], os.listdir(self.path))

    def test_of_two_writers_of_one_name_the_later_one_wins(self) -> None:
        def write_late() -> None:
            with self.store.writing(self.names[:1]) as files:
                os.write(files[0], b"the first writer's")
                with self.new_store().writing(self.names) as others:
                    os.write(others[0], b"the second writer's")

        self.assertRaises(steps.OperationLost, write_late)
        self.assertEqual(b"the second writer's", self.content(self.names[0]))
        self.assertEqual(sorted(self.names), sorted(os.listdir(self.path)))

    def test_a_writer_whose_claim_is_lost_changes_no_name(self) -> None:
        self.write_all(b"the new owner's")
        for boundaries in range(4):
            with steps.guarded(LostClaim(after=boundaries)):
                self.assertRaises(steps.OperationLost, self.write_all, b"too late")
            left = sorted(os.listdir(self.path))
            if boundaries == 0:
                self.assertEqual({b"the new owner's"}, set(map(self.content, self.names)))
            else:  # It was still the owner when it removed what it was to write anew.
                self.assertEqual([], left)

    def test_a_removal_whose_claim_is_lost_removes_nothing(self) -> None:
        self.write_all(b"the new owner's")
        with steps.guarded(LostClaim(after=0)):
            self.assertRaises(steps.OperationLost, self.store.remove, self.names)
        self.assertEqual(sorted(self.names), sorted(os.listdir(self.path)))

    def test_an_error_after_the_claim_was_lost_removes_nothing(self) -> None:
        claim = LostClaim(after=100)

        def fail_late() -> None:
            with steps.guarded(claim), self.store.writing(self.names):
                with self.new_store().writing(self.names) as files:
                    os.write(files[0], b"the new owner's")
                claim.left = 0
                raise ZeroDivisionError

        self.assertRaises(steps.OperationLost, fail_late)
        self.assertEqual(b"the new owner's", self.content(self.names[0]))
        self.assertEqual(sorted(self.names), sorted(os.listdir(self.path)))

    def test_who_stands_still_with_the_lock_holds_others_up_for_a_while_only(self) -> None:
        self.useFixture(fixtures.MonkeyPatch(f"{storage.__name__}._PATIENCE", 0.01))
        with self.new_store()._exclusive():
            self.assertRaises(storage.Busy, self.store.remove, self.names)

    def test_what_is_no_regular_file_is_an_error(self) -> None:
        link, directory, pipe = self.names
        os.symlink("/etc/passwd", os.path.join(self.path, link))
        os.mkdir(os.path.join(self.path, directory))
        os.mkfifo(os.path.join(self.path, pipe))
        for name in self.names:
            self.assertRaises(storage.NotAFile, self.store.open, name)

    def test_promised_bytes_count_holes_but_no_partial_and_foreign_files(self) -> None:
        with self.store.writing(self.names[:1]) as files:
            os.ftruncate(files[0], 1 << 40)
        for other in ("notes", self.names[1] + ".partial"):
            with open(os.path.join(self.path, other), "w") as file:
                file.truncate(1 << 30)
        self.assertEqual(1 << 40, self.store.promised())

    def test_a_new_directory_is_on_disk_with_those_made_above_it(self) -> None:
        path = os.path.join(self.path, "a", "b", "c")
        synced = []

        def fsync(file: int) -> None:
            synced.append(os.readlink(f"/proc/self/fd/{file}"))

        with mock.patch.object(os, "fsync", fsync):
            self.addCleanup(storage.FileStore(path).close)
            above = [os.path.realpath(self.path) + each for each in ("", "/a", "/a/b")]
            self.assertEqual(above, sorted(synced))
            self.assertEqual(0o700, os.stat(path).st_mode & 0o777)
            self.addCleanup(storage.FileStore(path).close)
        self.assertEqual(3, len(synced))
