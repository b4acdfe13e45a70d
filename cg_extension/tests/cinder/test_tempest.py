# SPDX-License-Identifier: Apache-2.0
"""The tempest plugin, run by a real tempest against Cinder and against the reference host."""

import configparser
import os
import pathlib
import subprocess
import sys

from oslotest import base

from cg_extension.tests.cinder import shared
from cg_extension.tests.functional import base as functional_base
from cg_extension.tests.functional import keystone

SCENARIOS = 4
TIME_LIMIT = 600

ACCOUNT = """
- username: {role}
  user_domain_name: Default
  project_name: {project}
  project_domain_name: Default
  password: secret
  roles: [{role}]
"""


class TempestTest(base.BaseTestCase):
    """Logs in at a small Keystone of the tests; the token is believed by either host."""

    def setUp(self) -> None:
        # Before oslotest's temporary directory, in which Cinder must not live.
        self.cinder = shared.cinder()
        super().setUp()
        self.keystone = self.useFixture(keystone.Keystone())

    def test_all_scenarios_pass_on_cinder(self) -> None:
        self._run(self.cinder.endpoint, "gold")

    def test_all_scenarios_pass_on_the_reference_host(self) -> None:
        options = {
            "DEFAULT": {"auth_strategy": "keystone"},
            "keystone_authtoken": self.keystone.middleware_options(),
        }
        service = self.useFixture(functional_base.Standalone(options))
        self._run(service.url, "__DEFAULT__")

    def _run(self, url: str, volume_type: str) -> None:
        self.keystone.block_storage = url
        [accounts] = self.create_tempfiles([("accounts", "")], ".yaml")
        directory = pathlib.Path(accounts).parent
        project = shared.new_project()
        pathlib.Path(accounts).write_text(
            "".join(ACCOUNT.format(role=role, project=project) for role in ("member", "reader"))
        )
        parser = configparser.RawConfigParser()
        parser.read_dict(
            {
                "DEFAULT": {"log_file": directory / "tempest.log"},
                "auth": {
                    "use_dynamic_credentials": False,
                    "test_accounts_file": accounts,
                    "create_isolated_networks": False,
                },
                "oslo_concurrency": {"lock_path": directory},
                "identity": {
                    "uri_v3": f"{self.keystone.url}/v3",
                    "auth_version": "v3",
                    "region": "one",
                    "v3_endpoint_type": "public",
                },
                "service_available": dict.fromkeys(("nova", "neutron", "glance", "swift"), False)
                | {"cinder": True},
                "volume": {
                    "catalog_type": "block-storage",
                    "build_interval": 1,
                    "build_timeout": 60,
                },
                "consistency_group": {"volume_type": volume_type},
            }
        )
        config = directory / "tempest.conf"
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
