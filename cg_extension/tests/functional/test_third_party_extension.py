# SPDX-License-Identifier: Apache-2.0
"""Another vendor's extension: installed beside ours, it is there at the next start."""

import importlib.metadata
import pathlib
import shutil
import subprocess
import sys

import fixtures

from cg_extension import tests
from cg_extension.tests.functional import base

SOURCE = pathlib.Path(tests.__file__).parent / "example_extension"
BROKEN = "[cg_extension.api.extensions]\nbroken = no_such_module:Broken\n"


class ThirdPartyExtensionTest(base.FunctionalTest):
    def setUp(self) -> None:
        super().setUp()
        self.target = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.environment = {"PYTHONPATH": str(self.target)}

    def _install_example(self) -> None:
        # A build leaves files beside the source.
        source = pathlib.Path(self.useFixture(fixtures.TempDir()).path, "source")
        shutil.copytree(SOURCE, source)
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "install", "--quiet", "--no-index"),
                *("--no-deps", "--no-build-isolation", "--target", str(self.target), str(source)),
            ],
            check=True,
            stdin=subprocess.DEVNULL,
        )
        distributions = importlib.metadata.distributions(path=[str(self.target)])
        self.assertEqual(["cg-group-counts"], [found.name for found in distributions])

    def _install_broken(self) -> None:
        """An installed package whose entry point leads nowhere."""
        info = self.target / "broken-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(BROKEN)

    def test_it_serves_a_collection_of_its_own(self) -> None:
        self._install_example()
        service = self.useFixture(base.Standalone(environment=self.environment))
        client = service.client(roles="member")
        self.assertEqual({"group_counts": {}}, client.get("/group-counts"))
        client.create("/consistencygroups", {"consistencygroup": {"volume_types": "__DEFAULT__"}})
        self.assertEqual({"group_counts": {"available": 1}}, client.get("/group-counts"))
        self.assertEqual(403, service.client(roles="x").request("GET", "/group-counts").status_code)
        self.assertEqual(405, client.request("POST", "/group-counts", {}).status_code)
        listed = {extension["alias"] for extension in client.get("/extensions")["extensions"]}
        self.assertLessEqual({"group-counts", "consistencygroups", "cgsnapshots"}, listed)

    def test_one_that_does_not_load_is_left_out(self) -> None:
        self._install_broken()
        service = self.useFixture(base.Standalone(environment=self.environment))
        listed = service.client().get("/extensions")["extensions"]
        self.assertNotIn("broken", {extension["alias"] for extension in listed})
        self.assertIn("broken", service.log)

    def test_one_that_is_required_and_does_not_load_stops_the_start(self) -> None:
        self._install_broken()
        config = {"DEFAULT": {"required_extensions": "consistencygroups,broken"}}
        service = base.Standalone(config, environment=self.environment)
        error = self.assertRaises(fixtures.MultipleExceptions, service.setUp)
        last_line = str(error.args[0][1]).splitlines()[-1]
        self.assertIn("extension broken is required by required_extensions", last_line)
