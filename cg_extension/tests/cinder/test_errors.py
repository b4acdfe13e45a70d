# SPDX-License-Identifier: Apache-2.0
"""What becomes of exceptions that cross the border between Cinder and us."""

import unittest

from cinder import exception

from cg_extension.cinder import errors
from cg_extension.contract import exceptions


class FromCinderTest(unittest.TestCase):
    def raised(self, error: Exception) -> exceptions.CGExtensionError:
        """What a client gets to know of an exception of Cinder's."""
        with self.assertRaises(exceptions.CGExtensionError) as caught, errors.from_cinder():
            raise error
        return caught.exception

    def test_whom_cinders_database_gives_nothing_is_forbidden(self) -> None:
        # Its functions refuse a user whose token has no project.
        for error in (exception.NotAuthorized(), exception.AdminRequired()):
            self.assertEqual(403, self.raised(error).code)

    def test_what_goes_meanwhile_is_not_found(self) -> None:
        # Cinder raises it without an id where a row to be saved is no longer there.
        gone = exception.GroupSnapshotNotFound("No group snapshot with id 1")
        self.assertEqual((404, gone.msg), (self.raised(gone).code, self.raised(gone).msg))
        known = self.raised(exception.GroupSnapshotNotFound(group_snapshot_id="1"))
        self.assertIsInstance(known, exceptions.CGSnapshotNotFound)
        self.assertIn("Group snapshot 1 ", known.msg)
