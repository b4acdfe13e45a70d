# SPDX-License-Identifier: Apache-2.0
"""Databases for tests: SQLite, PostgreSQL and MariaDB, one database of each a test process.

A server is the one that ``CG_TEST_POSTGRESQL_URL`` or ``CG_TEST_MYSQL_URL`` names, else one that
runs on this machine and lets us in, else one that pifpaf starts for this process.
"""

import atexit
import datetime
import functools
import os
import shutil
import tempfile
import uuid

import fixtures
import sqlalchemy as sa
from oslo_config import cfg

from cg_extension import conf as cg_conf
from cg_extension.reference.db import engine, migration, tables

SERVERS = ("postgresql", "mysql")
DIALECTS = ("sqlite", *SERVERS)


def on(*dialects: str) -> list[tuple[str, dict[str, str]]]:
    """Scenarios of a class each of whose tests is run once on each of these databases."""
    return [(dialect, {"dialect": dialect}) for dialect in dialects]


SCENARIOS = on(*DIALECTS)

_VARIABLES = {"postgresql": "CG_TEST_POSTGRESQL_URL", "mysql": "CG_TEST_MYSQL_URL"}
_LOCAL_SERVERS = {
    "postgresql": "postgresql+psycopg2://127.0.0.1:5432/postgres",
    "mysql": "mysql+pymysql://root@127.0.0.1:3306/",
}
# What lasts longer than a test must not be in the directory that oslotest makes for one.
_TEMPORARY = tempfile.gettempdir()


class Database(fixtures.Fixture):
    """An empty database with the newest schema; ``database`` is open, ``conf`` names it.

    There is one of each dialect a process, emptied again for each test.
    """

    def __init__(self, dialect: str = "sqlite", url: str | None = None) -> None:
        """:param url: of a database with the newest schema to take instead."""
        self.dialect = dialect
        self._given_url = url

    def _setUp(self) -> None:
        self.conf = configuration(self._given_url or _migrated(self.dialect))
        self.database = engine.Database(self.conf)
        self.addCleanup(self.database.dispose)
        with self.database.writer() as conn:
            for table in reversed(tables.metadata.sorted_tables):
                conn.execute(table.delete())


def let_leases_run_out(database: engine.Database) -> None:
    """By the database's clock, all claims of operations ended a second ago."""
    with database.writer() as conn:
        past = engine.now(conn) - datetime.timedelta(seconds=1)
        conn.execute(sa.update(tables.operations).values(lease_expires_at=past))


def configuration(connection: str) -> cfg.ConfigOpts:
    """A configuration of its own, read from no file, that names the database."""
    conf = cfg.ConfigOpts()
    cg_conf.register_opts(conf)
    engine.register_opts(conf)
    conf([], project="cg_extension", default_config_files=[], default_config_dirs=[])
    conf.set_override("connection", connection, group="database")
    return conf


@functools.cache
def create(dialect: str) -> str:
    """URL of this process's own database of that dialect, without tables; dropped at the end."""
    return new(dialect)


def new(dialect: str) -> str:
    """URL of one more database, without tables; dropped when this process ends."""
    if dialect == "sqlite":
        directory = tempfile.mkdtemp(prefix="cg_test_", dir=_TEMPORARY)
        atexit.register(shutil.rmtree, directory, ignore_errors=True)
        return f"sqlite:///{directory}/test.sqlite"
    name = f"cg_test_{os.getpid()}_{uuid.uuid4().hex[:8]}"
    server = _server(dialect)
    _execute(server, f"CREATE DATABASE {name}")
    force = " WITH (FORCE)" if dialect == "postgresql" else ""
    atexit.register(_execute, server, f"DROP DATABASE {name}{force}")
    return server.set(database=name).render_as_string(hide_password=False)


@functools.cache
def _migrated(dialect: str) -> str:
    url = create(dialect)
    migrate(url)
    return url


def migrate(url: str) -> None:
    """Give an empty database the newest schema."""
    database = engine.Database(configuration(url))
    migration.sync(database)
    database.dispose()


@functools.cache
def _server(dialect: str) -> sa.URL:
    """A PostgreSQL or MariaDB server where this process may create databases."""
    configured = os.environ.get(_VARIABLES[dialect])
    if configured:
        return sa.make_url(configured)
    local = sa.make_url(_LOCAL_SERVERS[dialect])
    try:
        _execute(local, "SELECT 1")
    except sa.exc.OperationalError:
        from cg_extension.tests import database_servers  # pifpaf is not everywhere

        return database_servers.start(dialect, _TEMPORARY)
    return local


def _execute(server: sa.URL, statement: str) -> None:
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
    with engine.connect() as conn:
        conn.exec_driver_sql(statement)
