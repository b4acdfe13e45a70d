# SPDX-License-Identifier: Apache-2.0
"""Locks by name of all processes that use the database, which hold over transactions.

They are the server's own, and end with their holder's connection. On a Galera cluster those are
each node's, so a row says there who holds a lock; of two who write it at once the cluster lets one.
Others can't see that its holder has died: the holder changes the row all the time, and who has
found it unchanged at many looks takes the lock over.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from oslo_db import exception as db_exception
from oslo_log import log as logging
from oslo_utils import uuidutils

from cg_extension.reference.db import engine

LOG = logging.getLogger(__name__)

# Seconds for which one question for a lock of MariaDB's waits.
_LOCK_PATIENCE = 60
# Seconds between two looks, and between two changes of the holder's.
_PAUSE = 1.0
# Looks, not seconds: a change of a large table holds up all nodes, whoever looks as well.
_PATIENCE = 60

# None of the schema's tables, as it guards those: made when it is first needed.
_TABLE = sa.Table(
    "cluster_locks",
    sa.MetaData(),
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("owner", sa.String(36), nullable=False),
    sa.Column("beat", sa.Integer, nullable=False),
    mysql_engine="InnoDB",
)
_NAME = _TABLE.c.name == sa.bindparam("lock_name")


@contextlib.contextmanager
def hold(database: engine.Database, name: str) -> Iterator[None]:
    """Let one process at a time inside, of all that use the database, with what they commit.

    On SQLite it does nothing: a writer is alone there. Elsewhere it costs a connection.

    :param name: what is guarded, at most 30 characters.
    """
    if database.dialect == "sqlite":
        kind: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
    elif database.is_galera():
        kind = _by_row(database, name)
    else:
        kind = _by_server(database, name)
    with kind:
        yield


@contextlib.contextmanager
def _by_server(database: engine.Database, name: str) -> Iterator[None]:
    if database.dialect == "postgresql":
        key: sa.ColumnElement[Any] = sa.func.hashtext(name)
        take, drop = sa.func.pg_advisory_lock(key), sa.func.pg_advisory_unlock(key)
    else:
        # Names are the server's, not the database's, and end at 64 characters.
        key = sa.func.concat(name, sa.func.md5(sa.func.database()))
        take, drop = sa.func.get_lock(key, _LOCK_PATIENCE), sa.func.release_lock(key)
    with database.session() as conn:
        while (answer := conn.execute(sa.select(take)).scalar_one()) == 0:  # Its patience ended.
            pass
        if answer is None and database.dialect == "mysql":
            raise db_exception.DBError(RuntimeError(f"The server could not lock {name}"))
        conn.commit()  # The lock is the session's.
        try:
            yield
        finally:
            try:
                conn.execute(sa.select(drop))
            except db_exception.DBError as error:  # What was guarded is over all the same.
                LOG.warning("The lock for %s was lost before the end of it: %s", name, error)


@contextlib.contextmanager
def _by_row(database: engine.Database, name: str) -> Iterator[None]:
    owner = uuidutils.generate_uuid()
    _create_table(database)
    _wait(database, name, owner)
    ended = threading.Event()
    keeper = threading.Thread(target=_keep, args=(database, name, owner, ended), daemon=True)
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        keeper.join()
        try:
            _drop(database, name, owner)
        except Exception as error:  # What was guarded is over all the same.
            LOG.warning("Others will wait for %s, which is over: %s", name, error)


@engine.retry
def _create_table(database: engine.Database) -> None:
    with database.writer() as conn:
        conn.execute(sa.schema.CreateTable(_TABLE, if_not_exists=True))


def _wait(database: engine.Database, name: str, owner: str) -> None:
    seen: tuple[str, int] | None = None
    looks = 0
    while True:
        try:
            found = _take(database, name, owner, seen if looks >= _PATIENCE else None)
        except db_exception.DBDeadlock as error:
            # It was no look: a change of a large table holds this up for longer than it may wait.
            LOG.info("Waiting for %s goes on after: %s", name, error)
            time.sleep(_PAUSE)
            continue
        if found is None:
            return
        if looks == 0:
            LOG.info("Waiting for %s, which another process is at", name)
        looks = looks + 1 if found == seen else 1
        seen = found
        time.sleep(_PAUSE)


def _take(
    database: engine.Database, name: str, owner: str, dead: tuple[str, int] | None
) -> tuple[str, int] | None:
    """Take the lock if it is free, or as it was when its holder died; else who holds it."""

    @engine.retry
    def take() -> tuple[str, int] | None:
        with database.writer() as conn:
            row = conn.execute(sa.select(_TABLE).where(_NAME), {"lock_name": name}).one_or_none()
            if row is None:
                with engine.inserting_first():
                    conn.execute(sa.insert(_TABLE), {"name": name, "owner": owner, "beat": 0})
                return None
            if (row.owner, row.beat) == dead and _change(conn, name, dead, owner):
                LOG.warning("Whoever was at %s has ended in the middle of it", name)
                return None
            return row.owner, row.beat

    return take()


def _keep(database: engine.Database, name: str, owner: str, ended: threading.Event) -> None:
    @engine.retry
    def keep() -> None:
        with database.writer() as conn:
            if not _change(conn, name, (owner, None), owner):
                LOG.error("Another process has taken over %s, which is not over", name)

    while not ended.wait(_PAUSE):
        try:
            keep()
        except Exception as error:
            LOG.warning("Could not tell others that %s is not over: %s", name, error)


def _change(
    conn: sa.Connection, name: str, expected: tuple[str, int | None], new_owner: str
) -> bool:
    """Compare and swap; a beat of None is any."""
    owner, beat = expected
    change = sa.update(_TABLE).where(_NAME, _TABLE.c.owner == owner)
    if beat is not None:
        change = change.where(_TABLE.c.beat == beat)
    values = {"owner": new_owner, "beat": _TABLE.c.beat + 1}
    return conn.execute(change.values(values), {"lock_name": name}).rowcount == 1


@engine.retry
def _drop(database: engine.Database, name: str, owner: str) -> None:
    with database.writer() as conn:
        mine = sa.delete(_TABLE).where(_NAME, _TABLE.c.owner == owner)
        conn.execute(mine, {"lock_name": name})
