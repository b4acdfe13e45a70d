# SPDX-License-Identifier: Apache-2.0
"""Pages of a table by keyset: where a page starts is a condition on the index, not a count.

The order is total, as the id breaks ties, so that paging neither skips nor repeats a row that
stayed.
"""

import dataclasses
import functools
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
    more: sa.Label[Any] | None = None,
) -> tuple[list[rows.Row], bool]:
    """The rows of one page, and whether another row follows them.

    :param scope: equalities that the whole list is restricted to, and the marker with it.
    :param filters: further equalities; the marker need not fulfil them (any more).
    :param sort: ``((column, "asc" | "desc"), …)``.
    :param marker: the id of the row after which the page starts.
    :param columns: which columns to read; all if empty.
    :param more: something else to read of each row, as its last column.
    :raises MarkerNotFound: there is no such row in ``scope``.
    :raises UnknownSortKey: there is no such column that a list can be sorted by.
    """
    keys = _keys(table, sort)
    values = {f"scope_{name}": value for name, value in scope.items()}
    if marker is not None:
        place = _place(table, keys, tuple(scope))
        after = conn.execute(place, {**values, "marker": marker}).one_or_none()
        if after is None:
            raise MarkerNotFound(marker)
        values.update((f"after_{number}", value) for number, value in enumerate(after))
    if limit == 0:
        return [], False
    values.update((f"filter_{name}", value) for name, value in filters.items())
    statement = _page(
        table,
        columns,
        more,
        conn.dialect.name,
        keys,
        tuple(scope),
        tuple(filters),
        has_marker=marker is not None,
        has_offset=bool(offset),
    )
    # One row more than asked for tells whether there is a next page.
    found = conn.execute(statement, {**values, "at_most": limit + 1, "skipped": offset}).all()
    return list(found[:limit]), len(found) > limit


# Statements are built once for each kind of page, of which clients make no more than there are
# columns to sort and filter by. What differs from page to page are parameters.
@functools.lru_cache(maxsize=512)
def _place(table: sa.Table, keys: tuple[_Key, ...], scope: tuple[str, ...]) -> sa.Select[Any]:
    """Where the marker stands in the order."""
    return sa.select(*[key.column for key in keys]).where(
        table.c.id == sa.bindparam("marker"), *_equal(table, "scope", scope)
    )


@functools.lru_cache(maxsize=512)
def _page(
    table: sa.Table,
    columns: tuple[str, ...],
    more: sa.Label[Any] | None,
    dialect: str,
    keys: tuple[_Key, ...],
    scope: tuple[str, ...],
    filters: tuple[str, ...],
    *,
    has_marker: bool,
    has_offset: bool,
) -> sa.Select[Any]:
    query = rows.select(table, columns)
    if more is not None:
        query = query.add_columns(more)
    query = query.where(*_equal(table, "scope", scope), *_equal(table, "filter", filters))
    for name in filters:
        if name in _SORT_COLUMNS:  # It has the index; but it takes no name for an empty one.
            column = table.c.get(_SORT_COLUMNS[name], table.c[name])
            query = query.where(column == sa.bindparam(f"filter_{name}"))
    # SQLite would rather read the whole scope in the list's order than look the name up and sort.
    sorts = dialect == "sqlite" and not _SORT_COLUMNS.keys().isdisjoint(filters)
    query = query.order_by(*[key.order(by_index=not sorts) for key in keys])
    if has_marker:
        query = query.where(_follows(dialect, keys))
    if (has_marker or filters) and dialect in _NEED_HINT:
        index = _index(table, [*scope, *filters, *[key.column.name for key in keys]])
        if index:
            # They would rather read the whole scope by other indexes, and sort it.
            query = query.with_hint(table, f"FORCE INDEX ({index})", dialect)
    query = query.limit(sa.bindparam("at_most", type_=sa.Integer))
    if has_offset:
        query = query.offset(sa.bindparam("skipped", type_=sa.Integer))
    return query


def _equal(table: sa.Table, kind: str, names: tuple[str, ...]) -> list[sa.ColumnElement[bool]]:
    return [table.c[name] == sa.bindparam(f"{kind}_{name}") for name in names]


def _keys(table: sa.Table, sort: Sequence[tuple[str, str]]) -> tuple[_Key, ...]:
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
            return tuple(keys)
    # In the direction of the last key, so that one index gives the whole order.
    return (*keys, _Key(table.c.id, ascending))


def _follows(dialect: str, keys: Sequence[_Key]) -> sa.ColumnElement[bool]:
    """The condition for rows that follow those at the parameters ``after_…`` in the order."""
    after: list[sa.ColumnElement[Any]] = [
        sa.bindparam(f"after_{number}", type_=key.column.type) for number, key in enumerate(keys)
    ]
    same_direction = len({key.ascending for key in keys}) == 1
    # A comparison of rows is a range of the index, but not for MySQL and MariaDB; what it stands
    # for is one for them, but not for the others.
    if same_direction and dialect not in _NEED_HINT:
        columns = sa.tuple_(*[key.column for key in keys])
        if dialect == "postgresql":
            # It would judge the rows by their first columns alone: none is before the first status,
            # so that any index would do. What it can't look into it takes for a third of the list.
            after = [sa.select(value).scalar_subquery() for value in after]
        bound = sa.tuple_(*after)
        return columns > bound if keys[0].ascending else columns < bound
    alternatives = []
    equal: list[sa.ColumnElement[bool]] = []
    for key, value in zip(keys, after, strict=True):
        alternatives.append(sa.and_(*equal, key.after(value)))
        equal.append(key.column == value)
    return sa.or_(*alternatives)


def _index(table: sa.Table, columns: Sequence[str]) -> str | None:
    """The name of the table's index on just these columns, if it has one."""
    for index in table.indexes:
        if [column.name for column in index.columns] == columns:
            return str(index.name)
    return None
