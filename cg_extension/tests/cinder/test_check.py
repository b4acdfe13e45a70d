# SPDX-License-Identifier: Apache-2.0
"""``cg-cinder-status`` and the refusal of an untried release, on real configurations."""

import pathlib
import subprocess
import sys
from importlib import metadata
from unittest import mock

from oslotest import base

from cg_extension.cinder import check, release
from cg_extension.tests.cinder import deployment, shared


class StatusCommandTest(base.BaseTestCase):
    """The command, on changed copies of a running Cinder's configuration."""

    def setUp(self) -> None:
        self.running = shared.cinder()
        super().setUp()
        self.directory = pathlib.Path(self.create_tempfiles([("cinder.conf", "")])[0]).parent

    def _status(self, change: tuple[str, str] | None = None, paste: bool = False) -> tuple:
        """Exit code and lines, with a text of cinder.conf or of api-paste.ini replaced."""
        texts = {
            "cinder.conf": self.running.conf_file.read_text(),
            "api-paste.ini": (self.running.directory / "api-paste.ini").read_text(),
        }
        if change is not None:
            name = "api-paste.ini" if paste else "cinder.conf"
            self.assertIn(change[0], texts[name])
            texts[name] = texts[name].replace(*change)
        changed = self.directory / "api-paste.ini"
        changed.write_text(texts["api-paste.ini"])
        conf = self.directory / "cinder.conf"
        conf.write_text(
            texts["cinder.conf"].replace(
                str(self.running.directory / "api-paste.ini"), str(changed)
            )
        )
        done = subprocess.run(
            [
                *(sys.executable, "-W", "ignore", "-m", "cg_extension.cinder.check"),
                *("--config-file", str(conf)),
            ],
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout

    def test_a_complete_configuration_passes(self) -> None:
        code, lines = self._status()
        self.assertEqual(0, code, lines)
        self.assertIn("OK       /v3: the pipeline for 'keystone' is complete", lines)
        self.assertIn("OK       /v2: the pipeline for 'keystone' is complete", lines)
        self.assertIn("OK       group type", lines)

    def test_a_pipeline_without_the_filter_fails(self) -> None:
        code, lines = self._status(("keystonecontext consistencygroups apiv3", "apiv3"), True)
        self.assertEqual(2, code)
        self.assertIn("FAILURE  /v3", lines)

    def test_cinders_root_composite_with_v2_fails(self) -> None:
        code, lines = self._status(
            ("cg_extension.cinder.paste:root_app", "cinder.api:root_app"), True
        )
        self.assertEqual(2, code)
        self.assertIn("FAILURE  /v2", lines)

    def test_cinders_lvm_driver_is_warned_of(self) -> None:
        fake = "cg_extension.tests.cinder.fake_driver.FakeConsistentDriver"
        code, lines = self._status((fake, "cinder.volume.drivers.lvm.LVMVolumeDriver"))
        self.assertEqual(1, code, lines)
        self.assertIn(f"WARNING  [{deployment.BACKEND}]", lines)

    def test_our_driver_is_all_that_a_backend_needs(self) -> None:
        fake = "cg_extension.tests.cinder.fake_driver.FakeConsistentDriver"
        code, lines = self._status((fake, check.DRIVER))
        self.assertEqual(0, code, lines)
        self.assertIn(f"OK       [{deployment.BACKEND}]: uses the consistent LVM driver", lines)

    def test_a_missing_group_type_fails(self) -> None:
        broken = self.running.database_url.replace("cg_cinder_", "no_such_")
        code, lines = self._status((self.running.database_url, broken))
        self.assertEqual(2, code)
        self.assertIn("FAILURE  group type: the database does not answer", lines)


class ReleaseTest(base.BaseTestCase):
    """What is loaded into an untried release refuses with a clear error."""

    def test_an_untried_release_is_refused_and_named(self) -> None:
        with mock.patch.object(metadata, "version", return_value="30.1.0"):
            error = self.assertRaises(release.UnsupportedRelease, release.check)
        self.assertIn("Cinder 30.1.0 is installed", str(error))

    def test_the_installed_release_was_tried(self) -> None:
        release.check()
