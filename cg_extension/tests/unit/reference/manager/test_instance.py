# SPDX-License-Identifier: Apache-2.0
"""Whose claims a start may take at once."""

import os
import shutil
from unittest import mock

import fixtures
from oslotest import base

from cg_extension.reference.manager import instance


class InstanceTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = self.useFixture(fixtures.TempDir()).path
        self.useFixture(
            fixtures.MonkeyPatch("cg_extension.reference.manager.instance._PATIENCE", 0)
        )

    def start(self, path: str | None = None) -> instance.Instance:
        started = instance.Instance(path or self.path, "host")
        started.succeed()
        return started

    def test_the_first_start_has_no_predecessor(self) -> None:
        first = self.start(os.path.join(self.path, "new", "directory"))
        self.assertIsNone(first.predecessor)
        first.release()

    def test_every_start_is_a_new_owner_that_knows_the_last_one(self) -> None:
        first = self.start()
        first.release()
        second = self.start()
        self.assertEqual(first.owner, second.predecessor)
        self.assertNotEqual(first.owner, second.owner)
        second.release()

    def test_one_that_ends_before_it_has_taken_over_leaves_that_to_the_next(self) -> None:
        first = self.start()
        first.release()
        instance.Instance(self.path, "host").release()
        third = self.start()
        self.assertEqual(first.owner, third.predecessor)
        third.release()

    def test_only_one_runs_in_a_state_path(self) -> None:
        first = self.start()
        error = self.assertRaises(instance.AlreadyRunning, self.start)
        self.assertIn(self.path, str(error))
        first.release()
        self.start().release()

    def test_a_copy_of_the_file_says_nothing_of_an_owners_death(self) -> None:
        first = self.start()
        copy = self.useFixture(fixtures.TempDir()).path
        shutil.copy(os.path.join(self.path, "manager.lock"), copy)
        second = self.start(copy)
        self.assertIsNone(second.predecessor)
        first.release()
        second.release()

    def test_after_a_reboot_leases_decide(self) -> None:
        self.start().release()
        with mock.patch.object(instance, "_BOOT_ID") as boot_id:
            boot_id.read_text.return_value = "another"
            second = self.start()
        self.assertIsNone(second.predecessor)
        second.release()

    def test_a_file_of_nonsense_is_overwritten(self) -> None:
        for nonsense in (b"\xff\x00", b"[]", b"{}", b'{"owner": 1}'):
            with open(os.path.join(self.path, "manager.lock"), "wb") as file:
                file.write(nonsense)
            started = self.start()
            self.assertIsNone(started.predecessor)
            started.release()
