# SPDX-License-Identifier: Apache-2.0
"""Defaults of a command without configuration."""

import os
from unittest import mock

from oslotest import base

from cg_extension.cmd import config


class DefaultStatePathTest(base.BaseTestCase):
    def path(self, user: int, **environment: str) -> str:
        with mock.patch.object(os, "geteuid", return_value=user):
            with mock.patch.dict(os.environ, environment):
                return config.default_state_path()

    def test_root_has_the_systems_place(self) -> None:
        self.assertEqual("/var/lib/cg_extension", self.path(0, XDG_STATE_HOME="/state"))

    def test_a_user_has_a_place_of_their_own(self) -> None:
        self.assertEqual("/state/cg_extension", self.path(1000, XDG_STATE_HOME="/state"))
        self.assertEqual(
            "/home/u/.local/state/cg_extension",
            self.path(1000, XDG_STATE_HOME="", HOME="/home/u"),
        )
