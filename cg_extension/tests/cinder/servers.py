# SPDX-License-Identifier: Apache-2.0
"""The database server and the message broker that Cinder needs.

Each is the one that an environment variable names, or else a private one that
pifpaf starts and stops. What runs on them is left to ``deployment``.
"""

import os
import uuid

import fixtures
import sqlalchemy
from pifpaf.drivers import rabbitmq

from cg_extension.tests import database_servers
from cg_extension.tests.deployment import processes

MYSQL_VARIABLE = "CG_TEST_MYSQL_URL"
"""SQLAlchemy URL of a MariaDB or MySQL server whose user may create databases."""

RABBIT_VARIABLE = "CG_TEST_RABBIT_URL"
"""oslo.messaging transport URL of a RabbitMQ virtual host that nothing else uses."""


class Database(fixtures.Fixture):
    """A fresh MariaDB database; ``url`` is its SQLAlchemy URL."""

    url: str

    def _setUp(self) -> None:
        server = os.environ.get(MYSQL_VARIABLE)
        if server is None:
            # pifpaf gives a URL without a driver name.
            server = self.useFixture(database_servers.MariaDB()).url
        base = sqlalchemy.make_url(server).set(drivername="mysql+pymysql")
        name = f"cg_cinder_{uuid.uuid4().hex[:12]}"
        engine = sqlalchemy.create_engine(
            base.set(database=None), isolation_level="AUTOCOMMIT", poolclass=sqlalchemy.NullPool
        )
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        self.addCleanup(self._drop, engine, name)
        self.url = base.set(database=name).render_as_string(hide_password=False)

    @staticmethod
    def _drop(engine: sqlalchemy.Engine, name: str) -> None:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name}")


class Broker(fixtures.Fixture):
    """A RabbitMQ broker; ``url`` is its transport URL."""

    url: str

    def _setUp(self) -> None:
        url = os.environ.get(RABBIT_VARIABLE)
        if url is not None:
            self.url = url
            return
        # The machine's own rabbitmq.conf would take the port of the machine's own broker.
        self.useFixture(fixtures.EnvironmentVariable("RABBITMQ_CONFIG_FILE", "/nonexistent"))
        port, own = processes.free_port(), str(processes.free_port())
        self.useFixture(fixtures.EnvironmentVariable("RABBITMQ_DIST_PORT", own))
        server = rabbitmq.RabbitMQDriver(port=port, nodename=f"cg-{uuid.uuid4().hex[:8]}")
        self.useFixture(server)
        self.url = f"rabbit://{server.username}:{server.password}@127.0.0.1:{port}//"
