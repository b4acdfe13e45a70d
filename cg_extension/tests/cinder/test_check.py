# SPDX-License-Identifier: Apache-2.0
"""``cg-cinder-status`` and the refusal of an untried release, on real configurations."""

import errno
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest
from importlib import metadata
from unittest import mock

from oslo_config import cfg
from oslotest import base

from cg_extension.cinder import check, modes, release
from cg_extension.tests.cinder import deployment, shared


def run(conf: pathlib.Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command, with a configuration file."""
    return subprocess.run(
        [
            *(sys.executable, "-W", "ignore", "-m", "cg_extension.cinder.check"),
            *("--config-file", str(conf)),
        ],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


class UnreadableTest(base.BaseTestCase):
    """Configuration files that can't be read."""

    def test_one_that_is_not_there_or_is_none_is_named(self) -> None:
        [odd] = self.create_tempfiles([("odd", "no assignment\n")], ".conf")
        for file, words in (("/nonexistent", "Failed to find"), (odd, "Failed to parse")):
            done = run(pathlib.Path(file))
            self.assertEqual(2, done.returncode, done.stderr)
            self.assertEqual("", done.stdout)
            last = done.stderr.splitlines()[-1]
            self.assertStartsWith(last, f"cg-cinder-status: {words}")
            self.assertIn(file, last)
            self.assertNotIn("Traceback", done.stderr)

    def test_what_keeps_a_check_from_looking_is_a_finding(self) -> None:
        [odd] = self.create_tempfiles([("odd", "no assignment\n")], ".ini")
        for option, section, value, finding in (
            ("api_paste_config", "DEFAULT", odd, "paste: can't be looked at: File contains no"),
            ("connection", "database", "nonsense", "group type: can't be looked at: "),
        ):
            text = f"[{section}]\n{option} = {value}\n"
            [conf] = self.create_tempfiles([(option, text)], ".conf")
            done = run(pathlib.Path(conf))
            self.assertEqual(2, done.returncode, done.stderr)
            self.assertIn(f"FAILURE  {finding}", done.stdout)
            self.assertNotIn("Traceback", done.stderr)

    def test_processes_that_are_hidden_are_passed_over(self) -> None:
        refused = PermissionError(errno.EPERM, "Operation not permitted")
        with mock.patch.object(pathlib.Path, "read_bytes", side_effect=refused):
            self.assertEqual([], list(modes.running()))

    def assertStartsWith(self, text: str, start: str) -> None:
        self.assertEqual(start, text[: len(start)])


class GroupTypeTest(base.BaseTestCase):
    def test_a_group_type_that_is_not_public_is_warned_of(self) -> None:
        found = {"is_public": False, "group_specs": {check.CONSISTENT: "<is> True"}}
        with mock.patch.object(check.group_types, "get_group_type_by_name", return_value=found):
            findings = list(check.check_group_type(cfg.CONF))
        self.assertEqual([check.Level.WARNING, check.Level.OK], [each.level for each in findings])
        self.assertIn("not public", findings[0].text)


class StatusCommandCase(base.BaseTestCase):
    """Runs the command on changed copies of a running Cinder's configuration.

    :cvar threads: whether that is the Cinder with threads.
    """

    threads = False

    def setUp(self) -> None:
        self.running = shared.cinder(self.threads)
        super().setUp()
        self.directory = pathlib.Path(self.create_tempfiles([("cinder.conf", "")])[0]).parent

    def status(
        self, change: tuple[str, str] | None = None, paste: bool = False, **environment: str
    ) -> tuple:
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
        done = run(conf, **environment)
        return done.returncode, done.stdout


class StatusCommandTest(StatusCommandCase):
    def test_a_complete_configuration_passes(self) -> None:
        code, lines = self.status()
        self.assertEqual(0, code, lines)
        self.assertIn("OK       /v3: the pipeline for 'keystone' is complete", lines)
        self.assertIn("OK       /v2: the pipeline for 'keystone' is complete", lines)
        self.assertIn("OK       group type", lines)
        self.assertRegex(lines, r"OK       cinder-volume: runs with eventlet \(processes: \d+\)")

    def test_a_pipeline_without_the_filter_fails(self) -> None:
        code, lines = self.status(("keystonecontext consistencygroups apiv3", "apiv3"), True)
        self.assertEqual(2, code)
        self.assertIn("FAILURE  /v3", lines)

    def test_cinders_root_composite_with_v2_fails(self) -> None:
        code, lines = self.status(
            ("cg_extension.cinder.paste:root_app", "cinder.api:root_app"), True
        )
        self.assertEqual(2, code)
        self.assertIn("FAILURE  /v2", lines)

    def test_cinders_lvm_driver_is_warned_of(self) -> None:
        fake = "cg_extension.tests.cinder.fake_driver.FakeConsistentDriver"
        code, lines = self.status((fake, "cinder.volume.drivers.lvm.LVMVolumeDriver"))
        self.assertEqual(1, code, lines)
        self.assertIn(f"WARNING  [{deployment.BACKEND}]", lines)

    def test_our_driver_is_all_that_a_backend_needs(self) -> None:
        fake = "cg_extension.tests.cinder.fake_driver.FakeConsistentDriver"
        code, lines = self.status((fake, check.DRIVER))
        self.assertEqual(0, code, lines)
        self.assertIn(f"OK       [{deployment.BACKEND}]: uses the consistent LVM driver", lines)

    def test_a_missing_group_type_fails(self) -> None:
        broken = self.running.database_url.replace("cg_cinder_", "no_such_")
        code, lines = self.status((self.running.database_url, broken))
        self.assertEqual(2, code)
        self.assertIn("FAILURE  group type: the database does not answer", lines)

    @unittest.skipUnless(deployment.CAN_USE_THREADS, "this Cinder has eventlet alone")
    def test_cinders_own_api_server_with_threads_fails(self) -> None:
        """All checks on the machine see it: those of this class are made one after another."""
        program = self.directory / modes.API
        program.write_text("input()")
        with subprocess.Popen(
            [sys.executable, str(program)], stdin=subprocess.PIPE, env=deployment.THREADS
        ) as process:
            code, lines = self.status()
            process.kill()
        self.assertEqual(2, code, lines)
        self.assertIn("FAILURE  cinder-api: does not start with native threads", lines)


# Loads the API as its WSGI server does, and asks it.
_ASK = """
import sys, webob
from cinder import objects, rpc, service
from cinder.common import config
from oslo_config import cfg
from oslo_log import log
from oslo_service import wsgi
log.register_options(cfg.CONF)
wsgi.register_opts(cfg.CONF)
cfg.CONF(["--config-file", sys.argv[1]], project="cinder")
log.setup(cfg.CONF, "cinder")
objects.register_all()
rpc.init(cfg.CONF)
api = wsgi.Loader(cfg.CONF).load_app("osapi_volume")
for path in sys.argv[3:]:
    request = webob.Request.blank(path, headers={"X-Auth-Token": sys.argv[2]})
    print("status", request.get_response(api).status_int)
"""

_LOAD = """
from cinder import objects
objects.register_all()
from cg_extension.cinder import volume_driver
volume_driver.ConsistentLVMVolumeDriver()
"""


class ReleaseTest(base.BaseTestCase):
    """What becomes of the plugin in a release of Cinder that it was not tried with."""

    def setUp(self) -> None:
        self.running = shared.cinder()
        super().setUp()
        self.directory = pathlib.Path(self.create_tempfiles([("cinder.conf", "")])[0]).parent
        self.conf = self.directory / "cinder.conf"
        self.conf.write_text(self.running.conf_file.read_text())
        self.project = shared.new_project()
        self._pretend("30.1.0")

    def _pretend(self, version: str) -> None:
        """In what is started from here on, this release of Cinder is installed."""
        real = next(
            pathlib.Path(str(file.locate()))
            for file in metadata.files("cinder") or ()
            if file.name == "METADATA"
        )
        fake = self.directory / f"cinder-{version}.dist-info"
        shutil.copytree(real.parent, fake)
        text = (fake / "METADATA").read_text()
        installed = metadata.version("cinder")
        changed = text.replace(f"\nVersion: {installed}\n", f"\nVersion: {version}\n")
        (fake / "METADATA").write_text(changed)

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "ignore", *arguments],
            env={**os.environ, "PYTHONPATH": str(self.directory)},
            capture_output=True,
            text=True,
        )

    def _ask(self, *paths: str) -> tuple[list[int], str]:
        """The statuses of the answers, and the log."""
        token = shared.token(self.project, "member", "reader")
        done = self._run("-c", _ASK, str(self.conf), token, *paths)
        self.assertEqual(0, done.returncode, done.stderr)
        statuses = re.findall(r"^status (\d+)$", done.stdout, re.MULTILINE)
        return list(map(int, statuses)), done.stdout + done.stderr

    def test_the_api_leaves_all_paths_to_an_untried_one_and_says_so(self) -> None:
        mine = f"/v3/{self.project}"
        statuses, log = self._ask(f"{mine}/volumes", f"{mine}/consistencygroups/x", "/v2/")
        self.assertEqual([200, 404, 404], statuses)
        self.assertIn("All paths are left to Cinder itself: cg_extension was tried with", log)
        self.assertIn("Cinder 30.1.0 is installed", log)

    def test_the_driver_refuses_to_be_loaded_into_an_untried_one(self) -> None:
        done = self._run("-c", _LOAD)
        self.assertIn("UnsupportedRelease: cg_extension was tried with", done.stderr)

    def test_a_deployer_may_allow_it(self) -> None:
        with self.conf.open("a") as conf:
            conf.write("\n[cg_extension]\nallow_untried_release = true\n")
        statuses, log = self._ask(f"/v2/{self.project}/consistencygroups")
        self.assertEqual([200], statuses)
        self.assertNotIn("left to Cinder", log)
        done = self._run("-m", "cg_extension.cinder.check", "--config-file", str(self.conf))
        self.assertIn("WARNING  Cinder: this release was not tried, and is allowed", done.stdout)

    def test_the_installed_release_was_tried(self) -> None:
        release.check()
