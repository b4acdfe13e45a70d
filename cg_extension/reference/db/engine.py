# SPDX-License-Identifier: Apache-2.0
"""Connections and transactions: one way to read, one way to write, on every database.

Settles what differs between SQLite, PostgreSQL and MariaDB (isolation, locking, character set,
clock), so that query modules need not; knows no table.
"""

import contextlib
import datetime
import functools
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn, ParamSpec, TypeVar

import sqlalchemy as sa
from oslo_config import cfg
from oslo_db import api as oslo_db_api
from oslo_db import exception as db_exception
from oslo_db import options as db_options
from oslo_db.sqlalchemy import engines, exc_filters
from sqlalchemy.ext import compiler
from sqlalchemy.sql import functions

from cg_extension.conf import errors
from cg_extension.reference.db import pooling, sqlite

P = ParamSpec("P")
T = TypeVar("T")

# Options of [database] that oslo.db's engine takes under the same name.
_ENGINE_OPTIONS = (
    "connection_debug",
    "connection_parameters",
    "connection_recycle_time",
    "connection_trace",
    "max_overflow",
    "max_pool_size",
    "max_retries",
    "mysql_sql_mode",
    "mysql_wsrep_sync_wait",
    "pool_timeout",
    "retry_interval",
)

# As many as an API process has threads by default. Each one above oslo.db's five would connect anew
# for every request: a fifth of the throughput at 16 clients.
MAX_POOL_SIZE = 16

# Seconds that a transaction may keep its locks without a statement: its process was stopped, or its
# machine is gone and has closed no connection. Others must not wait for it.
_IDLE_TRANSACTION = 30
# What a Galera node waits for before the first statement of a transaction, be that SELECT (1),
# UPDATE or DELETE (2), or INSERT (4): to have all that was committed on any node until then.
_WSREP_SYNC_WAIT = 7
_IS_GALERA = "SHOW VARIABLES LIKE 'wsrep_on'"
# Seconds after which a transaction that was in the way of others all the time is given up. How long
# each try waits is the server's affair, and may be most of a minute.
_RETRY_LIMIT = 30

# What begins a snapshot on a reader's connection, which is in autocommit.
_BEGIN_SNAPSHOT = {
    "sqlite": "BEGIN",
    "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ",
    "mysql": "START TRANSACTION",
}


class utcnow(functions.FunctionElement[datetime.datetime]):
    """SQL expression: the database's clock, naive UTC with microseconds, not frozen at BEGIN."""

    type = sa.DateTime()
    inherit_cache = True


@compiler.compiles(utcnow, "sqlite")
def _utcnow_sqlite(element: utcnow, _compiler: Any, **_kw: Any) -> str:
    return f"{sqlite.UTCNOW}()"


@compiler.compiles(utcnow, "mysql")
def _utcnow_mysql(element: utcnow, _compiler: Any, **_kw: Any) -> str:
    # Not SYSDATE(): the start of the statement is the same for all rows that it touches.
    return "utc_timestamp(6)"


@compiler.compiles(utcnow, "postgresql")
def _utcnow_postgresql(element: utcnow, _compiler: Any, **_kw: Any) -> str:
    return "timezone('utc', statement_timestamp())"


_SELECT_NOW = sa.select(utcnow())


def now(conn: sa.Connection) -> datetime.datetime:
    """The database's clock, naive UTC. In statements use the expression :class:`utcnow`."""
    value: datetime.datetime = conn.execute(_SELECT_NOW).scalar_one()
    return value


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register oslo.db's options in ``[database]``; harmless when they are there already."""
    conf.register_opts(db_options.database_opts, group="database")
    if "synchronous_reader" not in conf.database:  # oslo.db 17, as in Debian 13
        conf.register_opt(cfg.BoolOpt("synchronous_reader", default=True), group="database")
    conf.set_default("max_pool_size", MAX_POOL_SIZE, group="database")


def default_connection(conf: cfg.ConfigOpts) -> str:
    """URL of the SQLite file in ``state_path``, for hosts that were given no database."""
    return f"sqlite:///{os.path.join(conf.state_path, 'cg_extension.sqlite')}"


def is_there(conf: cfg.ConfigOpts) -> bool:
    """Whether there is a database to open; of a server, whatever it has.

    SQLite makes a file that is not there as soon as it is opened, and it is then the opener's.
    """
    register_opts(conf)
    try:
        url = sa.make_url(conf.database.connection or default_connection(conf))
    except (sa.exc.ArgumentError, ValueError):
        return True  # Whoever opens it says what is wrong.
    path = url.database or ""
    return url.get_backend_name() != "sqlite" or ":" in path or os.path.exists(path)


_Translation = Callable[..., NoReturn]
_Filter = TypeVar("_Filter", bound=Callable[..., None])
_translates: Callable[..., Callable[[_Filter], _Filter]] = exc_filters.filters


@_translates(
    "postgresql",
    sa.exc.OperationalError,
    (
        # libpq's words since PostgreSQL 14; oslo.db knows those before.
        r"(?s).*connection to server .* failed: (?!FATAL|ERROR)",
        r".*the database system is (starting up|shutting down|in recovery mode|not )",
        r".*(too many clients|too many connections|remaining connection slots)",
    ),
)
@_translates("postgresql", sa.exc.InternalError, r".*in a read-only transaction")
@_translates(
    "mysql",
    sa.exc.OperationalError,
    (
        r".*\((1040|1053|1203|1927), ",  # No connection to spare, shutdown, killed.
        # A Galera node that lost the others while it committed; a statement that was broken off.
        r".*\((1180|1317), ",
        r".*\((1290|1836), .*read.?only",
        r".*\((1021|1026|1030|1114), ",  # No room on its disk.
    ),
)
@_translates(
    "sqlite",
    sa.exc.OperationalError,
    r".*(database or disk is full|disk I/O error|attempt to write a readonly database)",
)
def _connection_error(error: Exception, *_more: object) -> NoReturn:
    """A server that is of no use now counts as one that is away.

    It is starting up, has no connection left, has no room left on its disk, or takes no writes, as
    the one that was the primary.
    The pool's other connections to it are given up, too: a new one may find another server.
    """
    raise db_exception.DBConnectionError(error)


@_translates("postgresql", sa.exc.ProgrammingError, r".*invalid dsn")
def _address_error(error: Exception, *_more: object) -> NoReturn:
    """A malformed address; translated here so that oslo.db does not log a traceback."""
    raise db_exception.DBError(error)


# Whatever the words. 1020: what MariaDB from 11.6.2 on says of a row that another one wrote at the
# same time (innodb_snapshot_isolation). 1969: a statement took longer than it may.
@_translates("mysql", sa.exc.OperationalError, r".*\((1020|1205|1213|1969), ")
@_translates("sqlite", sa.exc.OperationalError, r".*database is locked")
@_translates("postgresql", sa.exc.OperationalError, r".*conflict with recovery")  # a replica's
def _busy_error(error: Exception, *_more: object) -> NoReturn:
    """Others were in the way, on whichever node: run the transaction again."""
    raise db_exception.DBDeadlock(error)


@_translates("mysql", sa.exc.IntegrityError, r".*\(1062, ")
def _duplicate(error: Exception, *_more: object) -> NoReturn:
    """A row is there already; oslo.db knows that in English only."""
    raise db_exception.DBDuplicateEntry(inner_exception=error)


@_translates("mysql", sa.exc.IntegrityError, r".*\((1216|1217|1451|1452), ")
def _dangling(error: Exception, *_more: object) -> NoReturn:
    """A row that another one refers to is gone, or has to stay; as above."""
    raise db_exception.DBReferenceError(None, None, None, None, inner_exception=error)


# What PostgreSQL's SQLSTATEs mean, in whatever language the server speaks (appendix A of its
# manual): lc_messages is a superuser's to set, and oslo.db reads words.
_STATES: dict[str, _Translation] = {
    "23503": _dangling,
    "23505": _duplicate,
    "25006": _connection_error,  # It takes no writes.
    "40001": _busy_error,
    "40P01": _busy_error,
    "53100": _connection_error,  # Its disk is full.
    "55P03": _busy_error,  # lock_timeout
    "57014": _busy_error,  # statement_timeout
    "57P01": _connection_error,
    "57P02": _connection_error,
    "57P03": _connection_error,
}


@_translates("postgresql", sa.exc.DBAPIError, r"")
def _by_state(error: Exception, *more: object) -> None:
    original = getattr(error, "orig", None)
    # psycopg2's name for it, and psycopg's.
    state = getattr(original, "pgcode", None) or getattr(original, "sqlstate", None)
    if state in _STATES:
        _STATES[state](error, *more)


def retry(transaction: Callable[P, T]) -> Callable[P, T]:
    """Run a whole writer transaction again after a deadlock or an oslo.db RetryRequest.

    A lock that took too long counts as a deadlock. Not after a lost connection: the commit may have
    been carried out.
    """

    @functools.wraps(transaction)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        last = time.monotonic() + _RETRY_LIMIT
        again: Callable[P, T] = oslo_db_api.wrap_db_retry(
            retry_interval=0.02,
            max_retry_interval=1,
            exception_checker=lambda error: (
                isinstance(error, db_exception.DBDeadlock) and time.monotonic() < last
            ),
            jitter=True,
        )(transaction)
        return again(*args, **kwargs)

    return run


@contextlib.contextmanager
def inserting_first() -> Iterator[None]:
    """Insert a row that was not there, and that others may have inserted since, on whichever node.

    :raises oslo_db.exception.RetryRequest: they have; the whole transaction is to be run again.
    """
    try:
        yield
    except db_exception.DBDuplicateEntry as error:
        raise db_exception.RetryRequest(error) from error


class Database:
    """The engines of one process: readers see one snapshot, writers the newest commits.

    A reader runs at REPEATABLE READ, so that the statements of a list agree with each other; a
    writer at READ COMMITTED, so that what it reads after it got a lock is what the lock's last
    owner left, and MariaDB takes no gap locks. SQLite's writers begin with the write lock.
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """Connect as ``[database]`` says, waiting for the server as long as it says.

        :raises errors.StartError: it names no database that can be used, or no server answers
            after ``max_retries``.
        """
        register_opts(conf)
        options = conf.database
        url = options.connection or default_connection(conf)
        with errors.blaming(_subject("connection", url)):
            self._writer_engine = _create_engine(options, url, "READ COMMITTED")
            self._reader_engine = _create_engine(options, url, "REPEATABLE READ", autocommit=True)
        self._replica_engine = self._reader_engine
        if options.slave_connection and not options.synchronous_reader:
            url = options.slave_connection
            with errors.blaming(_subject("slave_connection", url)):
                self._replica_engine = _create_engine(
                    options, url, "REPEATABLE READ", autocommit=True, is_causal=False
                )
        self._writer_lock: contextlib.AbstractContextManager[Any] = contextlib.nullcontext()
        if self.dialect == "sqlite":
            sa.event.listen(self._writer_engine, "begin", sqlite.begin_immediate)
            # SQLite's waiting writers poll and starve each other; threads can queue up instead.
            self._writer_lock = threading.Lock()

    @property
    def dialect(self) -> str:
        """``sqlite``, ``postgresql`` or ``mysql``, which MariaDB is, too."""
        return self._writer_engine.dialect.name

    def is_galera(self) -> bool:
        """Whether the server is a node of a Galera cluster, where locks are each node's own."""
        if self.dialect != "mysql":
            return False
        with self.reader(single=True) as conn:
            return _is_on(conn.exec_driver_sql(_IS_GALERA).all())

    @property
    def engines(self) -> tuple[sa.Engine, sa.Engine]:
        """The writer's and the reader's engine, for those who listen to statements."""
        return self._writer_engine, self._reader_engine

    @contextlib.contextmanager
    def reader(self, *, single: bool = False) -> Iterator[sa.Connection]:
        """A read-only transaction over one snapshot, which holds all that was committed before.

        :param single: one statement will be read, and that is a snapshot without a transaction,
            which would cost two more round trips.
        """
        with _connect(self._reader_engine) as conn, _snapshot(conn, single):
            yield conn

    @contextlib.contextmanager
    def replica_reader(self, *, single: bool = False) -> Iterator[sa.Connection]:
        """A reader that may be late, where ``slave_connection`` says so: nothing to act upon.

        Whether a call may have it is said in one place, ``contract.context``.
        """
        with _connect(self._replica_engine) as conn, _snapshot(conn, single):
            yield conn

    @contextlib.contextmanager
    def writer(self) -> Iterator[sa.Connection]:
        """A transaction that commits at the end, or rolls back when an exception leaves it.

        Must not be nested in another writer of the same thread.
        """
        with self._writer_lock, _connect(self._writer_engine) as conn:
            try:
                with conn.begin():
                    yield conn
            except BaseException:
                # A COMMIT that failed may have left it open, and the pool would not end it.
                _end(conn, lambda: conn.connection.rollback())
                raise

    @contextlib.contextmanager
    def session(self) -> Iterator[sa.Connection]:
        """A writer's connection by itself: whoever uses it ends its transactions."""
        with _connect(self._writer_engine) as conn:
            yield conn

    def dispose(self) -> None:
        """Close all pooled connections; the next use opens new ones."""
        for each in {self._writer_engine, self._reader_engine, self._replica_engine}:
            each.dispose()


def _subject(option: str, url: str) -> str:
    """The option with its value, without what may be a password."""
    try:
        return f"[database] {option} = {sa.make_url(url).render_as_string(hide_password=True)}"
    except (sa.exc.ArgumentError, ValueError):
        return f"[database] {option}"


def _connect(engine: sa.Engine) -> sa.Connection:
    """:raises oslo_db.exception.DBConnectionError: there is no connection to be had."""
    try:
        return engine.connect()
    except (sa.exc.OperationalError, db_exception.DBNonExistentDatabase) as error:
        # Whatever the words, and in whatever language.
        raise db_exception.DBConnectionError(error) from error


@contextlib.contextmanager
def _snapshot(conn: sa.Connection, single: bool) -> Iterator[None]:
    if single:
        yield
        return
    try:
        conn.exec_driver_sql(_BEGIN_SNAPSHOT[conn.dialect.name])
        yield
    finally:
        _end(conn, lambda: conn.exec_driver_sql("ROLLBACK"))


def _end(conn: sa.Connection, roll_back: Callable[[], object]) -> None:
    """Give no connection back to the pool with a transaction that is open.

    One that can't be rolled back ends with its connection: what it was for has ended already, and
    how that ended is what callers must hear.
    """
    if conn.invalidated:
        return
    try:
        roll_back()
    except BaseException as error:
        conn.invalidate()
        if not isinstance(error, Exception):
            raise


def _create_engine(
    options: Any,
    connection: str,
    isolation: str,
    *,
    autocommit: bool = False,
    is_causal: bool = True,
) -> sa.Engine:
    url = sa.make_url(connection)
    if "@" in (url.host or ""):
        # Which the driver would tell as the name of a host, with a part of the password in it.
        raise errors.StartError(
            "[database] connection, or slave_connection: It has more than one @; one in a password "
            "is written %40"
        )
    if url.get_backend_name() == "sqlite":
        return sqlite.create_engine(options, url)
    if url.get_backend_name() == "mariadb":  # oslo.db knows it by the other name only.
        url = url.set(drivername=url.drivername.replace("mariadb", "mysql", 1))
    if url.get_backend_name() == "mysql" and "charset" not in url.query:
        # oslo.db's default is "utf8", which ends at U+FFFF there.
        url = url.update_query_dict({"charset": "utf8mb4"})
    url = url.update_query_dict({"plugin": pooling.PLUGIN})
    engine: sa.Engine = engines.create_engine(
        url.render_as_string(hide_password=False),
        thread_checkin=False,
        **{name: options[name] for name in _ENGINE_OPTIONS},
    )

    def prepare(dbapi_connection: Any, _record: Any) -> None:
        dialect = engine.dialect
        dialect.set_isolation_level(dbapi_connection, isolation)  # type: ignore[arg-type]
        settings = []
        if dialect.name == "postgresql":
            settings.append(f"idle_in_transaction_session_timeout = '{_IDLE_TRANSACTION}s'")
        else:
            # For rows.joined; MySQL's own limit is 1024.
            settings.append(f"SESSION group_concat_max_len = {1024 * 1024}")
        if getattr(dialect, "is_mariadb", False):  # MySQL has none.
            settings.append(f"SESSION idle_transaction_timeout = {_IDLE_TRANSACTION}")
        with contextlib.closing(dbapi_connection.cursor()) as cursor:
            if dialect.name == "mysql" and is_causal and options.mysql_wsrep_sync_wait is None:
                cursor.execute(_IS_GALERA)
                if _is_on(cursor.fetchall()):
                    settings.append(f"SESSION wsrep_sync_wait = {_WSREP_SYNC_WAIT}")
            for setting in settings:
                cursor.execute(f"SET {setting}")
        dbapi_connection.commit()
        if autocommit:
            dialect.set_isolation_level(dbapi_connection, "AUTOCOMMIT")

    # There is nothing to roll back in autocommit.
    engine.dialect.skip_autocommit_rollback = autocommit
    sa.event.listen(engine, "connect", prepare)
    pooling.check_alive(engine)
    if not options.connection_trace:  # For which oslo.db listens, too.
        pooling.forget_savepoints(engine)
    # The connection that tested the server was made before the listener was there.
    engine.dispose()
    return engine


def _is_on(variables: Iterable[Any]) -> bool:
    return any(value == "ON" for _name, value in variables)
