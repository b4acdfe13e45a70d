# SPDX-License-Identifier: Apache-2.0
"""What a failure in the middle of Cinder's own code leaves behind."""

import unittest
from unittest import mock

from cinder import objects

objects.register_all()  # Modules of Cinder name its objects when they are loaded.

from cinder.group import api  # noqa: E402

from cg_extension.cinder import groups  # noqa: E402


class CastFailureTest(unittest.TestCase):
    """A new group of which the scheduler can't be told."""

    def failed(self, is_there: bool, is_creating: bool) -> tuple[mock.Mock, mock.Mock]:
        """The group's object, and what was done to the quota.

        :param is_there: whether Cinder has left the group's row there.
        :param is_creating: whether its status is still that.
        """
        group = mock.Mock(project_id="a project")
        group.conditional_update.return_value = is_creating
        found = mock.patch.object(objects.Group, "exists", return_value=is_there)
        told = mock.patch.object(api.API, "_cast_create_group", side_effect=ConnectionError)
        quota = mock.patch.object(api.API, "update_quota")
        with told, found, quota as update_quota, self.assertRaises(ConnectionError):
            # Its constructor asks the database.
            calls = groups.GroupAPI.__new__(groups.GroupAPI)
            calls._cast_create_group(mock.sentinel.context, group, {}, [], {}, [])
        return group, update_quota

    def test_is_in_error_unless_it_was_told_after_all(self) -> None:
        for is_creating in (True, False):
            group, update_quota = self.failed(is_there=True, is_creating=is_creating)
            group.conditional_update.assert_called_once_with(
                {"status": "error"}, {"status": "creating"}
            )
            update_quota.assert_not_called()

    def test_that_cinder_removes_gives_its_quota_back(self) -> None:
        group, update_quota = self.failed(is_there=False, is_creating=False)
        update_quota.assert_called_once_with(mock.sentinel.context, group, -1, "a project")
