# SPDX-License-Identifier: Apache-2.0
"""Which methods of Cinder's group API the plugin's takes the place of."""

import types
import unittest

from cinder import objects

objects.register_all()  # Modules of Cinder name its objects when they are loaded.

from cinder.group import api  # noqa: E402

from cg_extension.cinder import groups  # noqa: E402


class OverridesTest(unittest.TestCase):
    def test_the_mark_is_on_what_takes_the_place_of_cinders_and_on_nothing_else(self) -> None:
        methods = {
            name: getattr(groups.GroupAPI, name)
            for name, value in vars(groups.GroupAPI).items()
            if isinstance(value, types.FunctionType | staticmethod)
        }
        marked = {name for name, method in methods.items() if hasattr(method, "__override__")}
        self.assertEqual({name for name in methods if hasattr(api.API, name)}, marked)
        self.assertIn("delete_group_snapshot", marked)
