# SPDX-License-Identifier: Apache-2.0
"""What becomes of exceptions that cross the border between Cinder and us."""

import unittest

import sqlalchemy.exc
from cinder import exception

from cg_extension.cinder import errors
from cg_extension.contract import exceptions
from cg_extension.drivers.lvm import errors as lvm_errors


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

    def test_what_no_column_can_be_compared_with_is_invalid(self) -> None:
        def of_mariadb(number: int) -> sqlalchemy.exc.OperationalError:
            return sqlalchemy.exc.OperationalError("SELECT", {}, Exception(number, "why"))

        # A name to look for with a character beyond the BMP, on a connection with utf8mb4.
        self.assertEqual(400, self.raised(of_mariadb(1267)).code)
        with self.assertRaises(sqlalchemy.exc.OperationalError), errors.from_cinder():
            raise of_mariadb(1054)


class ToCinderTest(unittest.TestCase):
    def raised(self, error: Exception) -> exception.CinderException:
        """What Cinder's volume manager gets of an exception in a call on the engine.

        It sets the status of a group snapshot only after exceptions of its own.
        """
        with self.assertRaises(exception.CinderException) as caught, errors.to_cinder():
            raise error
        return caught.exception

    def test_all_are_exceptions_of_cinders(self) -> None:
        # The second comes of a privileged helper that ends in the middle of a call.
        for error in (lvm_errors.LVMError("no room"), OSError("Premature eof"), EOFError()):
            raised = self.raised(error)
            self.assertIsInstance(raised, exception.VolumeBackendAPIException)
            self.assertIn(str(error) or "EOFError", raised.msg)

    def test_those_of_cinders_stay_as_they_are(self) -> None:
        error = exception.VolumeNotFound(volume_id="1")
        self.assertIs(error, self.raised(error))
