# SPDX-License-Identifier: Apache-2.0
"""Pages of a table by keyset: where a page starts is a condition on the index, not a count.

The order is total, as the id breaks ties, so that paging neither skips nor repeats a row that
stayed.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from cg_extension.reference.db import rows

# Keys that sort by another column than the one of their name, in tables that have it.
_SORT_COLUMNS = {"name": "name_key"}
# Dialects whose optimizer must be told which index gives the order.
_NEED_HINT = ("mysql", "mariadb")
# SQLite's unary plus changes no value, but keeps the optimizer from using an index for the term
# ("The SQLite Query Optimizer Overview").
_NO_INDEX: Any = sa.sql.operators.custom_op("+")


class MarkerNotFound(Exception):
    """The marker is no row that the list could hold."""


class UnknownSortKey(Exception):
    """The table has no such column, or none that is never NULL."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Key:
    column: sa.Column[Any]
    ascending: bool

    def order(self, *, by_index: bool) -> sa.ColumnElement[Any]:
        """``by_index`` False: keep SQLite from reading an index just for the order."""
        column = self.column if by_index else sa.UnaryExpression(self.column, operator=_NO_INDEX)
        return column.asc() if self.ascending else column.desc()

    def after(self, value: Any) -> sa.ColumnElement[bool]:
        after: sa.ColumnElement[bool]
        after = self.column > value if self.ascending else self.column < value
        return after


def page(
    conn: sa.Connection,
    table: sa.Table,
    *,
    scope: Mapping[str, object],
    filters: Mapping[str, object],
    sort: Sequence[tuple[str, str]],
    marker: str | None,
    limit: int,
    offset: int = 0,
    columns: tuple[str, ...] = (),
) -> tuple[list[rows.Row], bool]:
    """The rows of one page, and whether another row follows them.

    :param scope: equalities that the whole list is restricted to, and the marker with it.
    :param filters: further equalities; the marker need not fulfil them (any more).
    :param sort: ``((column, "asc" | "desc"), …)``.
    :param marker: the id of the row after which the page starts.
    :param columns: which columns to read; all if empty.
    :raises MarkerNotFound: there is no such row in ``scope``.
    :raises UnknownSortKey: there is no such column that a list can be sorted by.
    """
    keys = _keys(table, sort)
    in_scope = [table.c[name] == value for name, value in scope.items()]
    query = rows.select(table, columns).where(*in_scope)
    for name, value in filters.items():
        query = query.where(table.c[name] == value)
        if name in _SORT_COLUMNS:  # It has the index; but it takes no name for an empty one.
            query = query.where(table.c.get(_SORT_COLUMNS[name], table.c[name]) == value)
    # SQLite would rather read the whole scope in the list's order than look the name up and sort.
    sorts = conn.dialect.name == "sqlite" and not _SORT_COLUMNS.keys().isdisjoint(filters)
    query = query.order_by(*[key.order(by_index=not sorts) for key in keys])
    if marker is not None:
        position = sa.select(*[key.column for key in keys])
        values = conn.execute(position.where(table.c.id == marker, *in_scope)).one_or_none()
        if values is None:
            raise MarkerNotFound(marker)
        query = query.where(_follows(conn.dialect.name, keys, values))
    if (marker is not None or filters) and conn.dialect.name in _NEED_HINT:
        index = _index(table, [*scope, *filters, *[key.column.name for key in keys]])
        if index:
            # They would rather read the whole scope by other indexes, and sort it.
            query = query.with_hint(table, f"FORCE INDEX ({index})", conn.dialect.name)
    if limit == 0:
        return [], False
    # One row more than asked for tells whether there is a next page.
    query = query.limit(limit + 1)
    if offset:
        query = query.offset(offset)
    found = conn.execute(query).all()
    return list(found[:limit]), len(found) > limit


def _keys(table: sa.Table, sort: Sequence[tuple[str, str]]) -> list[_Key]:
    keys = []
    ascending = True
    for name, direction in sort:
        column = table.c.get(_SORT_COLUMNS.get(name, name), table.c.get(name))
        # Databases differ in where they place NULL.
        if column is None or (column.nullable and column.computed is None):
            raise UnknownSortKey(name)
        ascending = direction == "asc"
        keys.append(_Key(column, ascending))
        if column is table.c.id:
            return keys
    # In the direction of the last key, so that one index gives the whole order.
    keys.append(_Key(table.c.id, ascending))
    return keys


def _follows(dialect: str, keys: Sequence[_Key], values: Sequence[Any]) -> sa.ColumnElement[bool]:
    """The condition for rows that follow the one with ``values`` in the order of ``keys``."""
    same_direction = len({key.ascending for key in keys}) == 1
    # A comparison of rows is a range of the index, but not for MySQL and MariaDB; what it stands
    # for is one for them, but not for the others.
    if same_direction and dialect not in _NEED_HINT:
        columns = sa.tuple_(*[key.column for key in keys])
        literals: list[sa.ColumnElement[Any]] = [
            sa.literal(value, key.column.type) for key, value in zip(keys, values, strict=True)
        ]
        if dialect == "postgresql":
            # It would judge the rows by their first columns alone: none is before the first status,
            # so that any index would do. What it can't look into it takes for a third of the list.
            literals = [sa.select(literal).scalar_subquery() for literal in literals]
        bound = sa.tuple_(*literals)
        return columns > bound if keys[0].ascending else columns < bound
    alternatives = []
    equal: list[sa.ColumnElement[bool]] = []
    for key, value in zip(keys, values, strict=True):
        alternatives.append(sa.and_(*equal, key.after(value)))
        equal.append(key.column == value)
    return sa.or_(*alternatives)


def _index(table: sa.Table, columns: Sequence[str]) -> str | None:
    """The name of the table's index on just these columns, if it has one."""
    for index in table.indexes:
        if [column.name for column in index.columns] == columns:
            return str(index.name)
    return None
