# SPDX-License-Identifier: Apache-2.0
"""Queries on managers' backends and their heartbeats."""

import datetime
import functools
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from cg_extension.reference.db import engine, rows, tables

TABLE = tables.services
# What ``os-services`` calls the process behind a backend.
BINARY = "cg-manager"

_SELECT = (
    rows.select(TABLE)
    .add_columns(engine.utcnow().label("now"))
    .order_by(TABLE.c.host, TABLE.c.binary)
)

_SELECT_FROZEN = sa.select(TABLE.c.host).where(
    TABLE.c.host == sa.bindparam("of_host"), TABLE.c.frozen
)


def report(
    conn: sa.Connection,
    *,
    host: str,
    availability_zone: str,
    state_ok: bool,
    stats: Mapping[str, Any] | None,
) -> None:
    """A heartbeat of ``host`` (``host@backend``), by the database's clock.

    Managers that share a backend share the row. Without ``stats`` the last ones stay.

    :raises oslo_db.exception.RetryRequest: another one's first heartbeat came between; the whole
        transaction is to be run again.
    """
    values: dict[str, Any] = {
        "availability_zone": availability_zone,
        "state_ok": state_ok,
        "heartbeat_at": engine.utcnow(),
    }
    if stats is not None:
        values["stats"] = json.dumps(stats)
    if update(conn, host=host, binary=BINARY, values=values):
        return
    new = {"host": host, "binary": BINARY, "disabled": False, "frozen": False}
    with engine.inserting_first():
        conn.execute(sa.insert(TABLE).values(created_at=engine.utcnow(), **new, **values))


def stats(row: sa.Row[Any]) -> Mapping[str, Any]:
    """What a backend reported last of itself; empty when it never did."""
    return _parsed(row.stats or "{}")


# They change with a backend's reports, and each creation reads those of all backends.
@functools.lru_cache(maxsize=4096)
def _parsed(text: str) -> Mapping[str, Any]:
    parsed: Mapping[str, Any] = json.loads(text)
    return parsed


def update(conn: sa.Connection, *, host: str, binary: str, values: Mapping[str, Any]) -> bool:
    """Set columns of one service; False: there is none."""
    result = conn.execute(
        sa.update(TABLE).where(TABLE.c.host == host, TABLE.c.binary == binary).values(values)
    )
    return result.rowcount == 1


def find(
    conn: sa.Connection, *, host: str | None = None, binary: str | None = None
) -> Sequence[rows.Row]:
    """Services, all of them or those of a host or binary, in the order of hosts.

    A column ``now`` has the clock that ``heartbeat_at`` goes by.

    A ``host`` without backend (``host`` of ``host@backend``) stands for all of its backends.
    """
    query = _SELECT
    if host is not None:
        # Not LIKE, to which capitals are small letters on SQLite.
        beginning = sa.func.substr(TABLE.c.host, 1, len(host) + 1)
        query = query.where(sa.or_(TABLE.c.host == host, beginning == f"{host}@"))
    if binary is not None:
        query = query.where(TABLE.c.binary == binary)
    return conn.execute(query).all()


def is_frozen(conn: sa.Connection, host: str) -> bool:
    """Whether the backend ``host`` (``host@backend``) is frozen."""
    return conn.execute(_SELECT_FROZEN, {"of_host": host}).first() is not None


def is_up(row: rows.Row, *, now: datetime.datetime, down_time: float) -> bool:
    """Whether a backend can be given work: it reported well within ``down_time`` seconds.

    :param now: the database's clock.
    """
    return bool(row.state_ok) and silence(row, now=now) <= down_time


def silence(row: rows.Row, *, now: datetime.datetime) -> float:
    """Seconds since a backend's last heartbeat, whatever that told; infinite: there was none."""
    if row.heartbeat_at is None:
        return math.inf
    silent_for: datetime.timedelta = now - row.heartbeat_at
    return silent_for.total_seconds()


def remove(conn: sa.Connection, row: rows.Row) -> bool:
    """Forget a backend; False: it has reported since ``row`` was read, or is gone already."""
    as_read = sa.and_(TABLE.c.id == row.id, TABLE.c.heartbeat_at == row.heartbeat_at)
    return conn.execute(sa.delete(TABLE).where(as_read)).rowcount == 1
