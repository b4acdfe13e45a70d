# SPDX-License-Identifier: Apache-2.0
"""Group calls of the driver: of single members what Cinder's volume manager does of single ones."""

import unittest
from unittest import mock

from cinder import objects, utils

objects.register_all()  # Modules of Cinder name its objects when they are loaded.

from cg_extension.cinder import group_calls  # noqa: E402


class Driver(group_calls.GroupCalls):
    """Deletes all but one."""

    remove_export = mock.Mock()

    def delete_volume(self, volume: mock.Mock) -> None:
        if volume.id == "busy":
            raise RuntimeError

    delete_snapshot = delete_volume


class DeletionTest(unittest.TestCase):
    def test_lock_files_go_with_what_they_were_for(self) -> None:
        driver = Driver()
        members = [mock.Mock(id=each) for each in ("one", "busy", "two")]
        for what, delete in (
            ("volume", driver.delete_group),
            ("snapshot", driver.delete_group_snapshot),
        ):
            with mock.patch.object(utils, f"clean_{what}_file_locks") as clean:
                update, _updates = delete(mock.sentinel.context, mock.Mock(), members)
            self.assertEqual("error_deleting", update["status"])
            self.assertEqual([mock.call("one", driver), mock.call("two", driver)], clean.mock_calls)
