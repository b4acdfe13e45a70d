# SPDX-License-Identifier: Apache-2.0
"""Cinder's own authtoken filter before the plugin, at a real Keystone."""

from oslotest import base

from cg_extension.tests import identity_rules
from cg_extension.tests.cinder import shared


class InCinder(identity_rules.Case):
    def setUp(self) -> None:
        # Before oslotest's temporary directory, in which Cinder must not live.
        self.running = shared.cinder()
        super().setUp()

    def serve(self) -> str:
        return self.running.endpoint


class TokensTest(InCinder, identity_rules.TokenRules, base.BaseTestCase):
    """What a request's tokens are worth."""


class ClientsTest(InCinder, identity_rules.ClientRules, base.BaseTestCase):
    volume_type = shared.TYPES[0]
