# SPDX-License-Identifier: Apache-2.0
"""Group calls of the driver: of single members what Cinder's volume manager does of single ones."""

import contextlib
import unittest
from collections.abc import Iterator
from unittest import mock

from cinder import coordination, objects, utils

objects.register_all()  # Modules of Cinder name its objects when they are loaded.

from cg_extension.cinder import group_calls  # noqa: E402


class Driver(group_calls.GroupCalls):
    """Deletes all but one; ``locks`` are those held, ``under`` those of each deletion."""

    remove_export = mock.Mock()

    def __init__(self) -> None:
        self.locks: list[str] = []
        self.under: list[list[str]] = []

    @contextlib.contextmanager
    def get_lock(self, name: str) -> Iterator[None]:
        self.locks.append(name)
        try:
            yield
        finally:
            self.locks.remove(name)

    def delete_volume(self, volume: mock.Mock) -> None:
        self.under.append([*self.locks])
        if volume.id == "busy":
            raise RuntimeError

    delete_snapshot = delete_volume


class DeletionTest(unittest.TestCase):
    def setUp(self) -> None:
        self.driver = Driver()
        self.members = [mock.Mock(id=each) for each in ("one", "busy", "two")]
        patch = mock.patch.object(coordination.COORDINATOR, "get_lock", self.driver.get_lock)
        patch.start()
        self.addCleanup(patch.stop)
        self.calls = {"volume": self.driver.delete_group}
        self.calls["snapshot"] = self.driver.delete_group_snapshot

    def test_lock_files_go_with_what_they_were_for(self) -> None:
        for what, delete in self.calls.items():
            with mock.patch.object(utils, f"clean_{what}_file_locks") as clean:
                update, _updates = delete(mock.sentinel.context, mock.Mock(), self.members)
            self.assertEqual("error_deleting", update["status"])
            expected = [mock.call(each, self.driver) for each in ("one", "two")]
            self.assertEqual(expected, clean.mock_calls)

    def test_no_volume_is_made_meanwhile_of_what_is_deleted(self) -> None:
        # Cinder's volume manager holds this lock while it makes one of a snapshot or a volume.
        for what, delete in self.calls.items():
            self.driver.under.clear()
            with mock.patch.object(utils, f"clean_{what}_file_locks"):
                delete(mock.sentinel.context, mock.Mock(), self.members)
            expected = [[f"{each.id}-delete_{what}"] for each in self.members]
            self.assertEqual(expected, self.driver.under)
            self.assertEqual([], self.driver.locks)
