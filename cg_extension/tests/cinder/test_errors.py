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
