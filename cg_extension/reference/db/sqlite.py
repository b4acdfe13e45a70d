# SPDX-License-Identifier: Apache-2.0
"""Connections to SQLite: the engine that ``db.engine`` has for a file."""

import contextlib
import datetime
import os
import sqlite3
import time
from typing import Any

import sqlalchemy as sa
from oslo_db.sqlalchemy import exc_filters

from cg_extension.conf import errors

# The SQL function that tells the time.
UTCNOW = "cg_utcnow"

# Milliseconds for which a connection waits for another process's write lock.
_BUSY_TIMEOUT = 5_000


def create_engine(options: Any, url: sa.URL) -> sa.Engine:
    """Not by oslo.db, which opens the file anew for each transaction: half of a request's time."""
    _probe(url)
    engine = sa.create_engine(url, pool_size=options.max_pool_size)
    sa.event.listen(engine, "handle_error", exc_filters.handler, retval=True)

    def prepare(dbapi_connection: Any, record: Any) -> None:
        # BEGIN is ours to send: the module's own comes only before the first change.
        dbapi_connection.isolation_level = None
        dbapi_connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT}")
        _log_ahead(dbapi_connection)
        dbapi_connection.execute("PRAGMA foreign_keys = ON")
        # What was committed is on the disk; said, since a build of SQLite may have less by default.
        level = "FULL" if options.sqlite_synchronous else "OFF"
        dbapi_connection.execute(f"PRAGMA synchronous = {level}")
        dbapi_connection.create_function(UTCNOW, 0, _utc_text)
        record.info["pid"] = os.getpid()

    def check_process(_connection: Any, record: Any, _proxy: Any) -> None:
        # A server may fork after the first use, and SQLite's locks don't survive that. The way
        # out is the one of SQLAlchemy's documentation, "Using Connection Pools with
        # Multiprocessing".
        if record.info["pid"] != os.getpid():
            record.dbapi_connection = None
            raise sa.exc.DisconnectionError("the connection belongs to another process")

    sa.event.listen(engine, "connect", prepare)
    sa.event.listen(engine, "checkout", check_process)
    return engine


def _log_ahead(connection: sqlite3.Connection) -> None:
    """Let readers and one writer work at the same time.

    A new file is changed to that by the first who opens it, and SQLite does not wait when others
    do so at this moment, whatever ``busy_timeout`` says.
    """
    limit = time.monotonic() + _BUSY_TIMEOUT / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > limit:
                raise
            time.sleep(0.02)


def _probe(url: sa.URL) -> None:
    """Find out about a file that is none of SQLite's now, before the first use of the engine does.

    :raises errors.StartError: it is no file, holds something else, or can't be written to.
    """
    path = url.database
    if not path or ":memory:" in path or url.query.get("mode") == "memory":
        raise errors.StartError(
            f"[database] connection = {url}: A database in memory is each connection's own; it "
            "must be a file, such as sqlite:////var/lib/cg_extension/cg_extension.sqlite"
        )
    if path.startswith("file:"):
        return
    directory = os.path.dirname(os.path.abspath(path))
    for each in (directory, path if os.path.exists(path) else directory):
        if not os.access(each, os.W_OK):
            raise errors.StartError(f"[database] connection = {url}: {each} can't be written to")
    try:
        with contextlib.closing(sqlite3.connect(path)) as conn:
            conn.execute("PRAGMA schema_version")
    except sqlite3.Error as error:
        raise errors.StartError(f"[database] connection = {url}: {error}") from error


def _utc_text() -> str:
    """SQLite's own clock has milliseconds only; a local file has this machine's clock."""
    clock = datetime.datetime.now(datetime.UTC)
    return clock.strftime("%Y-%m-%d %H:%M:%S.%f")


def begin_immediate(conn: sa.Connection) -> None:
    """Take the write lock at once: a reader can't turn writer without risk of a deadlock."""
    conn.exec_driver_sql("BEGIN IMMEDIATE")
