# SPDX-License-Identifier: Apache-2.0
"""Statements that all tables with an ``id`` have in common: get, insert, change, delete.

Statements are built once for each table, so that a call costs SQLAlchemy next to nothing.
"""

import functools
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext import compiler
from sqlalchemy.sql import functions

from cg_extension.contract.statuses import Transition
from cg_extension.reference.db import engine

Row = sa.Row[Any]

# Characters that are kept of a reason.
REASON_LENGTH = 1000

# What not every database takes in a text, and what none does.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class joined(functions.FunctionElement[str]):
    """SQL aggregate: all values of a column, in no order, with commas between; NULL of no row."""

    type = sa.String()
    inherit_cache = True


@compiler.compiles(joined)
def _joined(element: joined, process: Any, **options: Any) -> str:
    # MariaDB ends it after a MiB; for MySQL the engine says so.
    return f"group_concat({process.process(element.clauses, **options)})"


@compiler.compiles(joined, "postgresql")
def _joined_postgresql(element: joined, process: Any, **options: Any) -> str:
    return f"string_agg({process.process(element.clauses, **options)}, ',')"


@functools.cache
def select(table: sa.Table, columns: tuple[str, ...] = ()) -> sa.Select[Any]:
    """Those columns, or all but the computed ones: exactly what was inserted."""
    names = columns or [column.name for column in table.c if column.computed is None]
    return sa.select(*[table.c[name] for name in names])


@functools.cache
def _select_by_id(table: sa.Table) -> sa.Select[Any]:
    return select(table).where(table.c.id == sa.bindparam("row_id"))


@functools.cache
def _select_by_ids(table: sa.Table) -> sa.Select[Any]:
    ids: sa.BindParameter[Any] = sa.bindparam("row_ids", expanding=True)
    return select(table).where(table.c.id.in_(ids)).order_by(table.c.id)


@functools.cache
def _insert(table: sa.Table) -> sa.Insert:
    return sa.insert(table)


@functools.cache
def _delete(table: sa.Table) -> sa.Delete:
    return sa.delete(table).where(table.c.id.in_(sa.bindparam("row_ids", expanding=True)))


@functools.cache
def _change_status(table: sa.Table) -> sa.Update:
    return (
        sa.update(table)
        .where(
            table.c.id.in_(sa.bindparam("row_ids", expanding=True)),
            table.c.status.in_(sa.bindparam("sources", expanding=True)),
        )
        .values(
            status=sa.bindparam("target"),
            status_reason=sa.bindparam("reason"),
            updated_at=engine.utcnow(),
        )
    )


def get(conn: sa.Connection, table: sa.Table, row_id: str) -> Row | None:
    """The row with that id, or None."""
    return conn.execute(_select_by_id(table), {"row_id": row_id}).one_or_none()


def dicts(found: Collection[Row]) -> Iterator[dict[str, Any]]:
    """The rows of one result by column: half the time of taking each row's own mapping."""
    names: tuple[str, ...] = ()
    for row in found:
        names = names or row._fields
        yield dict(zip(names, row, strict=True))


def get_many(conn: sa.Connection, table: sa.Table, row_ids: Collection[str]) -> dict[str, Row]:
    """The rows there are of ``row_ids``, by id, in the order of ids."""
    if not row_ids:
        return {}
    result = conn.execute(_select_by_ids(table), {"row_ids": list(row_ids)})
    return {row.id: row for row in result}


def insert(conn: sa.Connection, table: sa.Table, values: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, which all have the same columns.

    :raises oslo_db.exception.DBDuplicateEntry: one is there already.
    :raises oslo_db.exception.DBReferenceError: a row that one refers to is gone.
    """
    if values:
        conn.execute(_insert(table), values)


def change(
    conn: sa.Connection,
    table: sa.Table,
    row_ids: Collection[str],
    values: Mapping[str, Any],
    *,
    statuses: Iterable[str] | None = None,
) -> bool:
    """Compare and swap: set columns of all of the rows, if each is in one of ``statuses``.

    False: not all of them were; the caller must roll the transaction back.
    """
    statement = sa.update(table).where(table.c.id.in_(row_ids)).values(values)
    if statuses is not None:
        statement = statement.where(table.c.status.in_(sorted(statuses)))
    result = conn.execute(statement)
    return result.rowcount == len(row_ids)


def storable(text: str) -> str:
    """A text of others, as a driver's words, without what a database can't take in one."""
    return _UNSTORABLE.sub("?", text)


def change_status(
    conn: sa.Connection,
    table: sa.Table,
    row_ids: Collection[str],
    transition: Transition,
    *,
    reason: str | None = None,
) -> int:
    """Compare and swap: every change of a row's status. How many of the rows made the transition.

    :param reason: what explains the new status; whatever explained the old one goes with that.
        Others' words, as a driver's: there may be any character in it, and any number of them.
    """
    parameters = {
        "row_ids": list(row_ids),
        "sources": sorted(transition.sources),
        "target": transition.target,
        "reason": reason and storable(reason[:REASON_LENGTH]),
    }
    return conn.execute(_change_status(table), parameters).rowcount


def delete(conn: sa.Connection, table: sa.Table, row_ids: Collection[str]) -> int:
    """Delete rows, with those that cascade from them; how many of ``row_ids`` there were."""
    if not row_ids:
        return 0
    return conn.execute(_delete(table), {"row_ids": list(row_ids)}).rowcount
