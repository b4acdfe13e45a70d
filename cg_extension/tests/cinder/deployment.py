# SPDX-License-Identifier: Apache-2.0
"""One Cinder of its own: API, scheduler and volume manager as real processes.

Free ports, a fresh database, a temporary directory; everything is gone afterwards. Which
api-paste.ini and which volume driver it runs with is up to the caller. Its Keystone is that of all
tests of a process.
"""

import configparser
import contextlib
import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

import fixtures
import psutil
import requests

from cg_extension.tests import http_client, identity_rules, waiting
from cg_extension.tests.cinder import keys, servers
from cg_extension.tests.deployment import keystone, processes

PROGRAMS = ("cinder-scheduler", "cinder-volume", "cinder-api")

THREADS = {"OS_CINDER_DISABLE_EVENTLET_PATCHING": "true"}
"""The environment in which Cinder's processes run without eventlet."""

CAN_USE_THREADS = importlib.util.find_spec("cinder.monkey_patch") is not None
"""Whether the installed Cinder can do without eventlet; Cinder 28 can't."""

HOST = "cg-host"

BACKEND = "contract"
"""Name of the backend, and the ``volume_backend_name`` of it."""


def cinder_paste() -> pathlib.Path:
    """The api-paste.ini that comes with the installed Cinder."""
    return pathlib.Path(sys.prefix, "etc", "cinder", "api-paste.ini")


def paste_config(changes: Mapping[str, Mapping[str, str]]) -> configparser.RawConfigParser:
    """Cinder's own api-paste.ini with ``changes`` (section to options) laid over it."""
    parser = configparser.RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(cinder_paste().read_text())
    for section, options in changes.items():
        if not parser.has_section(section):
            parser.add_section(section)
        for option, value in options.items():
            parser.set(section, option, value)
    return parser


class Process:
    """A process that writes to a log file and is stopped by its own id."""

    def __init__(
        self, command: list[str], log: pathlib.Path, environment: Mapping[str, str]
    ) -> None:
        self.name = pathlib.Path(command[0]).name
        self.log = log
        with log.open("wb") as output:
            self._popen = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def check(self) -> None:
        """:raises RuntimeError: the process has ended; with the end of its log."""
        if self._popen.poll() is not None:
            tail = self.log.read_text(errors="replace")[-4000:]
            raise RuntimeError(f"{self.name} ended with {self._popen.returncode}:\n{tail}")

    def stop(self) -> None:
        """End the process and its workers, by force if it does not end within ten seconds."""
        workers = []
        with contextlib.suppress(psutil.NoSuchProcess):
            workers = psutil.Process(self._popen.pid).children(recursive=True)
        self._popen.terminate()
        try:
            self._popen.wait(10)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        for worker in workers:
            with contextlib.suppress(psutil.NoSuchProcess):
                worker.kill()


class CinderDeployment(fixtures.Fixture):
    """Runs Cinder; ``endpoint`` is the address of its API without a version.

    :param paste: sections of api-paste.ini to change or add.
    :param options: sections of cinder.conf to change or add.
    :param port: the API's port; None for a free one.
    :param directory: an existing directory for logs and state, kept; None for a temporary one.
    :param threads: run without eventlet, with the API in gunicorn.
    :param noauth: take ``USER:PROJECT`` for a token, of an administrator, instead of Keystone's.
    """

    def __init__(
        self,
        paste: Mapping[str, Mapping[str, str]] | None = None,
        options: Mapping[str, Mapping[str, Any]] | None = None,
        port: int | None = None,
        directory: str | None = None,
        threads: bool = False,
        noauth: bool = False,
    ) -> None:
        super().__init__()
        self._threads = threads
        self._noauth = noauth
        self._paste = dict(paste or {})
        self._options = options or {}
        self.port = port or processes.free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._given_directory = directory

    def _setUp(self) -> None:
        self.directory = pathlib.Path(
            self._given_directory
            or self.useFixture(fixtures.TempDir(rootdir=tempfile.gettempdir())).path
        )
        self.database_url = self.useFixture(servers.Database()).url
        self.broker_url = self.useFixture(servers.Broker()).url
        identity = keystone.shared()
        self.admin_project = identity.new_project()
        self.admin_token = f"admin:{self.admin_project}"
        if not self._noauth:
            self.admin_token = identity.token(keystone.ADMIN, self.admin_project)
        self.conf_file = self._write_config(identity)
        self.manage("db", "sync")
        self._wait_until_up([self._start(program) for program in PROGRAMS])

    def manage(self, *arguments: str) -> str:
        """Run cinder-manage to its end and return what it printed."""
        return subprocess.run(
            [self._program("cinder-manage"), "--config-file", str(self.conf_file), *arguments],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ).stdout

    def api_log(self, since: int = 0) -> bytes:
        """What the API has logged, from a number of bytes on."""
        return (self.directory / "cinder-api.log").read_bytes()[since:]

    def admin(self) -> http_client.Client:
        """Calls as administrator."""
        return http_client.Client(
            lambda: self.endpoint, self.admin_project, self.admin_token, timeout=60
        )

    @staticmethod
    def _program(name: str) -> str:
        return os.path.join(os.path.dirname(sys.executable), name)

    def _start(self, program: str) -> Process:
        command = [self._program(program), "--config-file", str(self.conf_file)]
        if self._threads and program == "cinder-api":  # which needs eventlet
            command = [self._program("gunicorn"), "--config", str(self._write_gunicorn_config())]
        log = self.directory / f"{program}.log"
        process = Process(command, log, THREADS if self._threads else {})
        self.addCleanup(process.stop)
        return process

    def _write_gunicorn_config(self) -> pathlib.Path:
        """A file for gunicorn that serves the API on threads, as docs/cinder.md tells."""
        file = self.directory / "gunicorn.conf.py"
        arguments = ["cinder-api", "--config-file", str(self.conf_file)]
        file.write_text(
            f"""\
import sys

sys.argv = {arguments!r}
wsgi_app = "cinder.wsgi.api:application"
bind = "127.0.0.1:{self.port}"
worker_class = "gthread"
threads = 32
"""
        )
        return file

    def _write_config(self, identity: keystone.Keystone) -> pathlib.Path:
        paste_file = self.directory / "api-paste.ini"
        with paste_file.open("w") as output:
            paste_config(self._paste).write(output)
        locks = self.directory / "locks"
        locks.mkdir()
        sections: dict[str, dict[str, Any]] = {
            "DEFAULT": {
                "api_paste_config": paste_file,
                "auth_strategy": "noauth" if self._noauth else "keystone",
                "enabled_backends": BACKEND,
                "host": HOST,
                "my_ip": "127.0.0.1",
                "osapi_volume_listen": "127.0.0.1",
                "osapi_volume_listen_port": self.port,
                "osapi_volume_workers": 1,
                "state_path": self.directory,
                "transport_url": self.broker_url,
                # Each of gabbi's tests keeps its connection, which takes one of the server's
                # threads of 100.
                "wsgi_keep_alive": False,
                # Not the subject of these tests, and they would only slow the start.
                "periodic_fuzzy_delay": 0,
                "scheduler_driver_init_wait_time": 5,
            },
            "database": {"connection": self.database_url},
            # An answer of ours that is not as documented gets 500.
            "api": {"response_validation": "error"},
            "coordination": {"backend_url": f"file://{locks}"},
            "key_manager": {"backend": keys.BACKEND},
            "oslo_concurrency": {"lock_path": locks},
            keystone.SECTION: {
                **identity.middleware_options(),
                **identity_rules.AUTHTOKEN,
                "service_type": "block-storage",
            },
            BACKEND: {
                "volume_driver": "cg_extension.tests.cinder.fake_driver.FakeConsistentDriver",
                "volume_backend_name": BACKEND,
            },
        }
        for section, options in self._options.items():
            sections.setdefault(section, {}).update(options)
        conf_file = self.directory / "cinder.conf"
        with conf_file.open("w") as output:
            for section, options in sections.items():
                output.write(f"[{section}]\n")
                output.writelines(f"{option} = {value}\n" for option, value in options.items())
        return conf_file

    def _wait_until_up(self, processes: list[Process]) -> None:
        """Wait until the API answers, scheduler and volume manager are up and know each other.

        A service is "up" some seconds before the scheduler has its backend's capabilities;
        what is created meanwhile ends in status ``error``.
        """
        admin = self.admin()

        def is_up() -> bool:
            for process in processes:
                process.check()
            try:
                services = admin.get("/os-services")["services"]
                up = {service["binary"] for service in services if service["state"] == "up"}
                pools = admin.get("/scheduler-stats/get_pools")["pools"]
            except (requests.RequestException, AssertionError):
                return False
            return {"cinder-scheduler", "cinder-volume"} <= up and bool(pools)

        waiting.eventually(is_up, "Cinder's API, scheduler and volume manager up", pause=0.5)
