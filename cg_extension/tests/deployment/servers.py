# SPDX-License-Identifier: Apache-2.0
"""Private servers that a test may crash and start again: PostgreSQL, MariaDB, RabbitMQ.

Made from the installed programs, on free ports, with their data in a temporary directory. What
may be shared with others on this machine is found by ``tests.databases`` and ``broker_url``.
"""

import abc
import contextlib
import functools
import getpass
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Callable
from typing import Any

import fixtures
import sqlalchemy as sa

from cg_extension.tests import lasting, waiting
from cg_extension.tests.deployment import processes

RABBIT_VARIABLE = "CG_TEST_RABBIT_URL"
_LOCAL_BROKER = ("127.0.0.1", 5672)


class Server(fixtures.Fixture, abc.ABC):
    """A server that runs from the start; ``crash`` and ``start`` as often as wanted."""

    _process_type: Callable[..., processes.Process] = processes.Process

    def _setUp(self) -> None:
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="cg_server_", dir="/var/tmp"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.port = processes.free_port()
        self._process = self._process_type(
            type(self).__name__, self._prepare(), self.directory / "server.log", self._environment()
        )
        self.addCleanup(self._process.kill)
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers; nothing happens if it runs.

        :raises TimeoutError: with the end of its log.
        """
        try:
            waiting.eventually(self._is_up, "the server answers", pause=0.2)
        except TimeoutError as error:
            raise TimeoutError(f"{self._process.name}: {error}:\n{self._process.tail()}") from error

    def crash(self) -> None:
        """SIGKILL: what it had not written to its files is lost."""
        self._process.kill()

    def cut_connections(self) -> None:
        """Close the connections of all clients, and take new ones at once."""

    @abc.abstractmethod
    def _prepare(self) -> list[str]:
        """Make the files that the server needs; gives the command that runs it."""

    def _environment(self) -> dict[str, str]:
        return {}

    @abc.abstractmethod
    def _answers(self) -> bool: ...

    def _is_up(self) -> bool:
        if not self._process.is_running():
            # After a crash it may refuse to start until the last child of its last run is gone.
            self._process.start()
            return False
        return self._answers()


class DatabaseServer(Server):
    """What both database servers have in common; ``url`` is the server's, without database."""

    url: sa.URL
    _cut: str

    def new_database(self) -> str:
        """URL of a new empty database; it goes with the server."""
        name = f"cg_{uuid.uuid4().hex[:12]}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url.set(database=name).render_as_string(hide_password=False)

    def cut_connections(self) -> None:
        for (statement,) in self.execute(self._cut):
            if isinstance(statement, str):
                with contextlib.suppress(sa.exc.DBAPIError):  # It ended by itself.
                    self.execute(statement)

    def _answers(self) -> bool:
        try:
            self.execute("SELECT 1")
        except sa.exc.DBAPIError:
            return False
        return True

    def execute(self, statement: str) -> list[Any]:
        """Run a statement by itself; gives its rows."""
        engine = sa.create_engine(
            self.url, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool
        )
        with engine.connect() as conn:
            result = conn.exec_driver_sql(statement)
            return list(result) if result.returns_rows else []


class PostgreSQL(DatabaseServer):
    """PostgreSQL, which refuses to run as root; then it runs as Debian's user for it."""

    _cut = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )

    def _prepare(self) -> list[str]:
        self.url = sa.make_url(f"postgresql+psycopg2://postgres@127.0.0.1:{self.port}/postgres")
        programs = subprocess.check_output(["pg_config", "--bindir"], text=True).strip()
        data = str(self.directory / "data")
        self._as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self._as_user:
            shutil.chown(self.directory, "postgres")
        self._make_data(programs, data)
        settings = [f"port={self.port}", "listen_addresses=127.0.0.1", "max_connections=300"]
        settings += [f"unix_socket_directories={self.directory}", "log_timezone=UTC"]
        arguments = [argument for setting in settings for argument in ("-c", setting)]
        return [*self._as_user, f"{programs}/postgres", "-D", data, *arguments]

    def _make_data(self, programs: str, data: str) -> None:
        options = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync"]
        run([*self._as_user, f"{programs}/initdb", *options, "-D", data])


class MariaDB(DatabaseServer):
    """MariaDB (or MySQL by its MariaDB-compatible programs), without passwords.

    :param options: of the server, such as ``innodb_buffer_pool_size=2G``.
    """

    def __init__(self, *options: str) -> None:
        super().__init__()
        self._options = [f"--{option}" for option in options]

    _cut = (
        "SELECT concat('KILL ', id) FROM information_schema.processlist"
        " WHERE id <> connection_id() AND db IS NOT NULL"
    )

    def _prepare(self) -> list[str]:
        self.url = sa.make_url(f"mysql+pymysql://root@127.0.0.1:{self.port}/")
        user, data = getpass.getuser(), f"--datadir={self.directory / 'data'}"
        run(["mariadb-install-db", "--no-defaults", f"--user={user}", data, "--skip-test-db"])
        return [
            "mariadbd",
            "--no-defaults",
            f"--user={user}",
            data,
            f"--socket={self.directory / 'socket'}",
            f"--pid-file={self.directory / 'pid'}",
            "--bind-address=127.0.0.1",
            f"--port={self.port}",
            "--skip-grant-tables",
            "--skip-networking=0",
            "--max-connections=300",
            *self._options,
        ]


class RabbitMQ(Server):
    """RabbitMQ; ``url`` is its transport URL."""

    def _prepare(self) -> list[str]:
        self.url = f"rabbit://guest:guest@127.0.0.1:{self.port}//"
        self._node = f"cg-{uuid.uuid4().hex[:8]}@localhost"
        return [_rabbitmq("rabbitmq-server")]

    def _environment(self) -> dict[str, str]:
        directory = str(self.directory)
        return {
            "HOME": directory,
            "RABBITMQ_CONFIG_FILE": f"{directory}/no-config",
            "RABBITMQ_DIST_PORT": str(processes.free_port()),
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{directory}/no-plugins",
            "RABBITMQ_LOG_BASE": directory,
            "RABBITMQ_MNESIA_BASE": directory,
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_PID_FILE": f"{directory}/pid",
        }

    def cut_connections(self) -> None:
        run(
            [_rabbitmq("rabbitmqctl"), "-n", self._node, "close_all_connections", "cut"],
            {**os.environ, **self._environment()},
        )

    def _answers(self) -> bool:
        """A broker that is still starting accepts, but does not speak AMQP yet."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                connection.settimeout(5)
                return bool(connection.recv(1))
        except OSError:
            return False


class Broker(fixtures.Fixture):
    """A broker that may be shared; ``url`` is its transport URL.

    The one that ``CG_TEST_RABBIT_URL`` names, else RabbitMQ on this machine's usual port, else one
    that lasts as long as this process.
    """

    url: str

    def _setUp(self) -> None:
        if RABBIT_VARIABLE in os.environ:
            self.url = os.environ[RABBIT_VARIABLE]
        elif _listens(_LOCAL_BROKER):
            self.url = "rabbit://guest:guest@{}:{}//".format(*_LOCAL_BROKER)
        else:
            self.url = _own_broker()


@functools.cache
def _own_broker() -> str:
    return lasting.start(RabbitMQ()).url


DATABASE_SERVERS: dict[str, type[DatabaseServer]] = {"postgresql": PostgreSQL, "mysql": MariaDB}


def _rabbitmq(program: str) -> str:
    """The program itself: Debian's wrapper of that name in PATH leaves the session and the user."""
    path = os.pathsep.join(["/usr/lib/rabbitmq/bin", "/usr/libexec/rabbitmq", os.environ["PATH"]])
    return shutil.which(program, path=path) or program


def _listens(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=2).close()
    except OSError:
        return False
    return True


def run(command: list[str], environment: dict[str, str] | None = None) -> None:
    """Run a command that says nothing of interest.

    :raises subprocess.CalledProcessError: it failed.
    """
    subprocess.run(
        command,
        check=True,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        timeout=waiting.PATIENCE,
    )
