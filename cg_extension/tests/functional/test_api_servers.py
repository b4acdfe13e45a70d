# SPDX-License-Identifier: Apache-2.0
"""The API in a process of its own: ``cg-api``, and the WSGI module in gunicorn."""

import os
import pathlib
import signal
import socket
import subprocess
import sys

import fixtures
import requests

from cg_extension.tests.functional import base

_TIMEOUT = 60
_RUN = "from cg_extension.cmd import {0}; {0}.main()"


class APIServersTest(base.FunctionalTest):
    def setUp(self) -> None:
        super().setUp()
        self.state = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.config = self.state / "cg_extension.conf"
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.configure()
        synced = self.run_command("manage", "db", "sync")
        self.assertEqual(0, synced.returncode, synced.stderr)

    def configure(self, **options: object) -> None:
        options = {"state_path": self.state, "osapi_volume_listen_port": self.port, **options}
        lines = [f"{name} = {value}" for name, value in options.items()]
        self.config.write_text("\n".join(["[DEFAULT]", *lines]))

    def run_command(self, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of our commands to its end."""
        return subprocess.run(
            [*self._command(module), *arguments],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
        )

    def _command(self, module: str) -> list[str]:
        run = _RUN.format(module)
        return [sys.executable, "-c", run, "--config-file", str(self.config)]

    def serve(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a server and wait until it answers."""
        process = subprocess.Popen(
            command,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OS_CG_EXTENSION_CONFIG_FILE": str(self.config)},
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.eventually(lambda: self._answers(process), "it answers", _TIMEOUT)
        return process

    def _answers(self, process: subprocess.Popen[bytes]) -> bool:
        self.assertIsNone(process.poll(), "the server has ended")
        try:
            return requests.get(f"http://127.0.0.1:{self.port}/v3", timeout=30).ok
        except requests.ConnectionError:
            return False

    def check(self, process: subprocess.Popen[bytes]) -> None:
        """It has the calls, its health check tells that no manager runs, and it stops cleanly."""
        url = f"http://127.0.0.1:{self.port}"
        headers = {"X-Auth-Token": "u:p"}
        answer = requests.get(f"{url}/v3/p/consistencygroups", headers=headers, timeout=30)
        self.assertEqual({"consistencygroups": []}, answer.json())
        answer = requests.get(f"{url}/healthcheck", timeout=30)
        self.assertEqual((503, "No backend is up."), (answer.status_code, answer.text))
        process.send_signal(signal.SIGTERM)
        self.assertEqual(0, process.wait(_TIMEOUT))

    def test_cg_api_serves_without_a_manager(self) -> None:
        self.check(self.serve(*self._command("api")))

    def test_gunicorn_serves_the_wsgi_module(self) -> None:
        bind = ("--bind", f"127.0.0.1:{self.port}", "--workers", "2")
        gunicorn = (sys.executable, "-m", "gunicorn", *bind, "cg_extension.cmd.wsgi:application")
        self.check(self.serve(*gunicorn))

    def test_noauth_does_not_go_on_the_network(self) -> None:
        self.configure(osapi_volume_listen="0.0.0.0")
        done = self.run_command("api")
        self.assertEqual(1, done.returncode)
        self.assertIn("allow_noauth_on_network", done.stderr)
        self.assertNotIn("Traceback", done.stderr)

    def test_a_missing_required_extension_stops_the_start(self) -> None:
        self.configure(required_extensions="consistencygroups,backups")
        done = self.run_command("api")
        self.assertEqual(1, done.returncode)
        self.assertIn("backups is required by required_extensions", done.stderr)
        self.assertNotIn("Traceback", done.stderr)
