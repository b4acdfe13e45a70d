# SPDX-License-Identifier: Apache-2.0
"""Several API processes and several managers over one database and one broker.

The managers stand for hosts of their own: each has its own name, ``state_path`` and configuration
file. ``POOL`` is one backend that two of them serve (active-active).
"""

import configparser
import dataclasses
import itertools
import os
import pathlib
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import fixtures
import kombu
import requests

from cg_extension.reference.service import manager_client
from cg_extension.tests import databases, http_client, waiting
from cg_extension.tests.deployment import processes, servers, warm

# Entry points that only deployments of tests have, as another vendor's package would bring them.
_TEST_DRIVERS = """
gated = cg_extension.tests.deployment.gated_driver:GatedDriver
pool = cg_extension.tests.deployment.pool_driver:PoolDriver
slow = cg_extension.tests.deployment.slow_driver:SlowDriver
"""

# Short times, so that a test sees a takeover soon. Quotas are no matter of this deployment.
TEST_OPTIONS: Mapping[str, Any] = {
    "operation_lease": 3,
    "operation_poll_interval": 1,
    "operation_retry_delay": 0.2,
    "operation_max_attempts": 8,
    "report_interval": 1,
    "service_down_time": 10,
    "shutdown_timeout": 10,
    "quota_volumes": -1,
    "quota_snapshots": -1,
    "quota_gigabytes": -1,
    "quota_groups": -1,
}


@dataclasses.dataclass(frozen=True)
class ManagerSpec:
    """One manager process: its name, the host that it stands for, and its one backend."""

    name: str
    host: str
    backend: str


POOL = (ManagerSpec("pool-a", "pool", "shared"), ManagerSpec("pool-b", "pool", "shared"))
MANAGERS = (
    ManagerSpec("node1", "node1", "own"),
    ManagerSpec("node2", "node2", "own"),
    *POOL,
)
# API processes: two of different kinds, as behind a load balancer.
SERVERS = ("gunicorn", "cg-api")


class Deployment(fixtures.Fixture):
    """Runs from the start, and is gone afterwards with its database.

    ``endpoints`` are the API processes' addresses; ``apis`` and ``managers`` the processes by name.

    :param database: URL of an empty database, or the name of a dialect: a fresh one, wherever
        ``tests.databases`` finds a server. Of a cluster's database the URL at each node: the
        processes have them in turn.
    :param broker: transport URL; None: wherever ``servers.Broker`` finds one.
    :param servers: kinds of the API processes, ``gunicorn`` or ``cg-api``.
    :param options: of ``[DEFAULT]``, over ``TEST_OPTIONS``.
    :param driver: entry point name of the backends' driver.
    :param directory: an existing directory for everything, kept; None: a temporary one.
    """

    def __init__(
        self,
        database: str | Sequence[str] = "postgresql",
        *,
        broker: str | None = None,
        managers: Sequence[ManagerSpec] = MANAGERS,
        api_servers: Sequence[str] = SERVERS,
        options: Mapping[str, Any] | None = None,
        driver: str = "file",
        directory: pathlib.Path | None = None,
    ) -> None:
        super().__init__()
        self._databases = [database] if isinstance(database, str) else list(database)
        self._broker = broker
        self._specs = managers
        self._servers = api_servers
        self._options = {**TEST_OPTIONS, **(options or {})}
        self._driver = driver
        self._given_directory = directory
        # What tells this deployment's queues from others' on the same broker.
        self.identity = uuid.uuid4().hex[:8]

    def _setUp(self) -> None:
        self.directory = self._given_directory or pathlib.Path(
            self.useFixture(fixtures.TempDir(rootdir=tempfile.gettempdir())).path
        )
        urls = [databases.new(u) if u in databases.DIALECTS else u for u in self._databases]
        self.database_url = urls[0]
        self._database_urls = itertools.cycle(urls)
        self.broker_url = self._broker or self.useFixture(servers.Broker()).url
        self.addCleanup(self._delete_queues)
        self.conf_file = self.directory / "cg_extension.conf"
        self._write_config(self.conf_file, self._common_options())
        self._environment = install_test_drivers(self.directory)
        self.manage("db", "sync")
        self.managers = {spec.name: self._make_manager(spec) for spec in self._specs}
        self.apis: dict[str, processes.Process] = {}
        self.endpoints: list[str] = []
        for number, kind in enumerate(self._servers):
            self._make_api(f"api{number}", kind)
        self.addCleanup(self._stop)
        for process in self.all_processes():
            process.start()
        self.wait_until_up()

    def all_processes(self) -> list[processes.Process]:
        """All of them, whether they run or not."""
        return [*self.apis.values(), *self.managers.values()]

    def connect(self, project: str, roles: str = "admin") -> http_client.Client:
        """A client that goes from one API process to the next."""
        endpoints = itertools.cycle(self.endpoints)
        return http_client.Client(lambda: next(endpoints), project, f"user:{project}:{roles}")

    def host(self, spec: ManagerSpec) -> str:
        """``host@backend`` of a manager."""
        return f"{spec.host}-{self.identity}@{spec.backend}"

    def option(self, name: str) -> Any:
        """The value of an option of ``[DEFAULT]`` that all processes have."""
        return self._options[name]

    def backends(self) -> dict[str, pathlib.Path]:
        """``host@backend`` → directory with its volumes and snapshots."""
        return {self.host(spec): self.volumes_path(spec) for spec in self._specs}

    def backend_names(self) -> set[str]:
        """``volume_backend_name`` of each backend."""
        return {_backend_name(spec) for spec in self._specs}

    def volumes_path(self, spec: ManagerSpec) -> pathlib.Path:
        """Directory with the volumes and snapshots of a manager's backend."""
        return self.directory / f"volumes-{_backend_name(spec)}"

    def manage(self, *arguments: str) -> str:
        """Run cg-manage to its end; gives what it printed.

        :raises subprocess.CalledProcessError: it failed.
        """
        done = warm.run(
            "cg_extension.cmd.manage:main", ["--config-file", str(self.conf_file), *arguments]
        )
        done.check_returncode()
        return done.stdout + done.stderr

    def wait_until_up(self, timeout: float = waiting.PATIENCE) -> None:
        """Wait until every API process answers and sees every backend up.

        :raises RuntimeError: a process has ended by itself.
        """
        for endpoint in self.endpoints:
            admin = http_client.Client(lambda e=endpoint: e, "admin", "user:admin:admin")
            waiting.eventually(lambda c=admin: self._is_up(c), f"{endpoint} is up", timeout, 0.2)

    def _is_up(self, admin: http_client.Client) -> bool:
        for process in self.all_processes():
            process.check()
        try:
            answer = admin.request("GET", "/os-services")
            services = answer.json().get("services", ())
        except requests.RequestException:
            return False
        up = {service["host"] for service in services if service["state"] == "up"}
        return up == {self.host(spec) for spec in self._specs}

    def _common_options(self) -> dict[str, Mapping[str, Any]]:
        default = {
            "transport_url": self.broker_url,
            "state_path": self.directory,
            "default_log_levels": "oslo.messaging=ERROR,oslo_messaging=ERROR,amqp=ERROR",
            **self._options,
        }
        return {
            "DEFAULT": default,
            "database": {"connection": self.database_url},
            # An answer that is not as documented gets 500.
            "api": {"response_validation": "error"},
        }

    def _own_database(self) -> dict[str, Mapping[str, Any]]:
        """Where the next process finds the database."""
        return {"database": {"connection": next(self._database_urls)}}

    def _make_manager(self, spec: ManagerSpec) -> processes.Process:
        conf_file = self.directory / f"{spec.name}.conf"
        state_path = self.directory / spec.name
        host, _, backend = self.host(spec).partition("@")
        options = {
            "DEFAULT": {"host": host, "enabled_backends": backend, "state_path": state_path},
            backend: {
                "volume_driver": self._driver,
                "volume_backend_name": _backend_name(spec),
                "file_path": self.volumes_path(spec),
            },
            **self._own_database(),
        }
        self._write_config(conf_file, options)
        command = ["cg_extension.cmd.manager:main", "--config-file", str(self.conf_file)]
        command += ["--config-file", str(conf_file)]
        return processes.PythonProcess(
            spec.name, command, self.directory / f"{spec.name}.log", self._environment
        )

    def _make_api(self, name: str, kind: str) -> None:
        port = processes.free_port()
        conf_file = self.directory / f"{name}.conf"
        common = self._common_options()
        default = {**common["DEFAULT"], "osapi_volume_listen_port": port}
        self._write_config(conf_file, {**common, "DEFAULT": default, **self._own_database()})
        environment = self._environment
        if kind == "gunicorn":
            command = ["gunicorn.app.wsgiapp:run", "cg_extension.cmd.wsgi:application"]
            command += ["--workers=2", "--threads=8", f"--bind=127.0.0.1:{port}"]
            command += ["--no-control-socket"]
            environment = environment | {"OS_CG_EXTENSION_CONFIG_FILE": str(conf_file)}
        else:
            command = ["cg_extension.cmd.api:main", "--config-file", str(conf_file)]
        self.apis[name] = processes.PythonProcess(
            name, command, self.directory / f"{name}.log", environment
        )
        self.endpoints.append(f"http://127.0.0.1:{port}")

    def _stop(self) -> None:
        for process in self.all_processes():
            process.terminate()  # All at the same time.
        for process in self.all_processes():
            process.stop()

    def _delete_queues(self) -> None:
        """Leave nothing behind on a broker that others use, too."""
        with kombu.Connection(self.broker_url.replace("rabbit:", "amqp:", 1)) as connection:
            channel = connection.channel()
            for spec in self._specs:
                host = self.host(spec)
                topic = manager_client.topic(host)
                channel.queue_delete(topic)
                channel.queue_delete(f"{topic}.{host.partition('@')[0]}")

    @staticmethod
    def _write_config(path: pathlib.Path, sections: Mapping[str, Mapping[str, Any]]) -> None:
        parser = configparser.RawConfigParser()
        for name, options in sections.items():
            parser[name] = {key: str(value) for key, value in options.items()}
        with path.open("w") as output:
            parser.write(output)


def install_test_drivers(directory: pathlib.Path) -> dict[str, str]:
    """Make the entry points of an installed package; the environment in which they are found."""
    drivers = directory / "drivers"
    package = drivers / "cg_test_drivers-1.dist-info"
    package.mkdir(parents=True, exist_ok=True)
    metadata = "Metadata-Version: 2.1\nName: cg_test_drivers\nVersion: 1\n"
    (package / "METADATA").write_text(metadata)
    (package / "entry_points.txt").write_text(f"[cg_extension.drivers]{_TEST_DRIVERS}")
    path = [str(drivers), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(path)}


def _backend_name(spec: ManagerSpec) -> str:
    return f"{spec.host}-{spec.backend}"
