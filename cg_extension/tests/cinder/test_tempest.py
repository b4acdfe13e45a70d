# SPDX-License-Identifier: Apache-2.0
"""The tempest plugin, run by a real tempest against Cinder and against the reference host."""

import configparser
import os
import pathlib
import subprocess
import sys

from oslotest import base

from cg_extension.tests import waiting
from cg_extension.tests.cinder import shared
from cg_extension.tests.deployment import keystone
from cg_extension.tests.functional import base as functional_base

SCENARIOS = 4
TIME_LIMIT = 600


class TempestTest(base.BaseTestCase):
    """tempest makes a project and a user for its tests at Keystone, which both hosts ask."""

    def setUp(self) -> None:
        # Before oslotest's temporary directory, in which Cinder must not live.
        self.cinder = shared.cinder()
        super().setUp()
        self.keystone = keystone.shared()

    def test_all_scenarios_pass_on_cinder(self) -> None:
        self._run(self.cinder.endpoint, "gold")

    def test_all_scenarios_pass_on_the_reference_host(self) -> None:
        service = self.useFixture(functional_base.Standalone.with_keystone(self.keystone))
        self._run(service.url, "__DEFAULT__")

    def _run(self, url: str, volume_type: str) -> None:
        self.keystone.publish(url)
        config = pathlib.Path(self.create_tempfiles([("tempest", "")], ".conf")[0])
        directory = config.parent
        parser = configparser.RawConfigParser()
        parser.read_dict(
            {
                "DEFAULT": {"log_file": directory / "tempest.log"},
                "auth": {
                    "admin_username": keystone.ADMIN,
                    "admin_password": keystone.PASSWORD,
                    "admin_domain_name": "Default",
                    "admin_project_name": "admin",
                    "tempest_roles": keystone.MEMBER,
                    "create_isolated_networks": False,
                },
                "oslo_concurrency": {"lock_path": directory},
                "identity": {
                    "uri_v3": f"{self.keystone.url}/v3",
                    "auth_version": "v3",
                    "region": keystone.REGION,
                    "v3_endpoint_type": "public",
                },
                "service_available": dict.fromkeys(("nova", "neutron", "glance", "swift"), False)
                | {"cinder": True},
                "volume": {
                    "catalog_type": "block-storage",
                    "build_interval": 1,
                    "build_timeout": int(waiting.PATIENCE),
                },
                "consistency_group": {"volume_type": volume_type},
            }
        )
        with config.open("w") as file:
            parser.write(file)
        done = subprocess.run(
            [
                *(os.path.join(os.path.dirname(sys.executable), "tempest"), "run"),
                *("--config-file", str(config), "--serial", "--regex", r"^cg_extension\."),
            ],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIME_LIMIT,
        )
        self.assertEqual(0, done.returncode, done.stdout[:6000])
        self.assertIn(f"Passed: {SCENARIOS}", done.stdout)
        self.assertIn("Skipped: 0", done.stdout)
