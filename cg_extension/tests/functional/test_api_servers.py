# SPDX-License-Identifier: Apache-2.0
"""The API in a process of its own: ``cg-api``, and the WSGI module in gunicorn."""

import concurrent.futures
import functools
import os
import pathlib
import re
import signal
import subprocess
import sys

import fixtures
import requests

from cg_extension.tests import waiting
from cg_extension.tests.deployment import processes, warm
from cg_extension.tests.functional import base

_RUN = "from cg_extension.cmd import {0}; {0}.main()"


class APIServersTest(base.FunctionalTest):
    def setUp(self) -> None:
        super().setUp()
        self.state = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.config = self.state / "cg_extension.conf"
        self.port, self.metrics_port = processes.free_port(), processes.free_port()
        self.configure()
        synced = self.run_command("manage", "db", "sync")
        self.assertEqual(0, synced.returncode, synced.stderr)

    def configure(self, *sections: str, **options: object) -> None:
        options = {"state_path": self.state, "osapi_volume_listen_port": self.port, **options}
        lines = [f"{name} = {value}" for name, value in options.items()]
        self.config.write_text("\n".join(["[DEFAULT]", *lines, *sections]))

    def run_command(self, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of our commands to its end."""
        arguments = ("--config-file", str(self.config), *arguments)
        return warm.run(f"cg_extension.cmd.{module}:main", arguments)

    def _command(self, module: str) -> list[str]:
        run = _RUN.format(module)
        return [sys.executable, "-c", run, "--config-file", str(self.config)]

    def serve(self, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a server and wait until it answers."""
        process = subprocess.Popen(
            command,
            stderr=subprocess.DEVNULL,
            env={
                **os.environ,
                "OS_CG_EXTENSION_CONFIG_FILE": str(self.config),
                **environment,
            },
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        waiting.eventually(lambda: self._answers(process), "it answers")
        return process

    def _answers(self, process: subprocess.Popen[bytes]) -> bool:
        self.assertIsNone(process.poll(), "the server has ended")
        try:
            return requests.get(f"http://127.0.0.1:{self.port}/v3", timeout=30).ok
        except (requests.ConnectionError, requests.Timeout):
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
        self.assertEqual(0, process.wait(waiting.PATIENCE))

    def test_cg_api_serves_without_a_manager(self) -> None:
        self.check(self.serve(*self._command("api")))

    def _gunicorn(self) -> list[str]:
        bind = ("--bind", f"127.0.0.1:{self.port}", "--workers", "2")
        return [sys.executable, "-m", "gunicorn", *bind, "cg_extension.cmd.wsgi:application"]

    def test_gunicorn_serves_the_wsgi_module(self) -> None:
        self.check(self.serve(*self._gunicorn()))

    def test_all_workers_of_gunicorn_are_in_the_metrics_of_one_port(self) -> None:
        self.configure("[metrics]", f"port = {self.metrics_port}")
        counters = self.useFixture(fixtures.TempDir()).path
        process = self.serve(*self._gunicorn(), PROMETHEUS_MULTIPROC_DIR=counters)
        url = f"http://127.0.0.1:{self.port}/v3/p/cgsnapshots"
        ask = functools.partial(requests.get, headers={"X-Auth-Token": "u:p"}, timeout=30)
        with concurrent.futures.ThreadPoolExecutor(8) as clients:
            answers = list(clients.map(ask, [url] * 80))
        self.assertEqual({200}, {answer.status_code for answer in answers})
        counted = re.compile(r'^cg_api_request_seconds_count\{.*status="200"\} (\d+)', re.MULTILINE)
        metrics = requests.get(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=30).text
        # Those by which ``serve`` found out that it answers are among them.
        self.assertGreaterEqual(sum(map(int, counted.findall(metrics))), 80)
        process.terminate()

    def test_gunicorn_ends_with_a_line_when_the_application_can_not_start(self) -> None:
        self.configure(osapi_max_limit=0)
        for directory, words in (("", "osapi_max_limit = 0"), ("/nowhere", "/nowhere")):
            environment = {"OS_CG_EXTENSION_CONFIG_FILE": str(self.config)}
            if directory:
                environment["PROMETHEUS_MULTIPROC_DIR"] = directory
            done = subprocess.run(
                # gunicorn itself shows tracebacks when two workers end at the same time.
                [*self._gunicorn(), "--workers", "1"],
                capture_output=True,
                text=True,
                timeout=waiting.PATIENCE,
                env={**os.environ, **environment},
            )
            self.assertNotEqual(0, done.returncode)
            self.assertIn(words, done.stderr)
            self.assertNotIn("Traceback", done.stderr)

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
