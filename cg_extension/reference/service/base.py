# SPDX-License-Identifier: Apache-2.0
"""What the parts of the reference service share: transactions, visibility, pages.

A part's method is one transaction. A writer takes its project's lock first (``Transaction.lock``),
so that what it checks stays true until it commits; statuses still change by compare and swap,
since managers don't take that lock. Wake-ups are sent after the commit.
"""

import contextlib
import dataclasses
import datetime
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, TypeVar

import sqlalchemy as sa
from oslo_config import cfg
from oslo_db import exception as db_exception
from oslo_log import log as logging
from oslo_utils import timeutils, uuidutils

from cg_extension.contract import context as cg_context
from cg_extension.contract import exceptions, records, statuses
from cg_extension.contract.operations import OperationKind
from cg_extension.reference.db import engine, paging, queue, quotas, rows
from cg_extension.reference.service import manager_client

LOG = logging.getLogger(__name__)

Context = cg_context.RequestContext
# No server, no end of deadlocks, no free connection: all of them pass.
_UNAVAILABLE = (db_exception.DBConnectionError, db_exception.DBDeadlock, sa.exc.TimeoutError)
T = TypeVar("T")


class Transaction:
    """One writer transaction: its connection, its time, and what it queues."""

    def __init__(self, conn: sa.Connection) -> None:
        self.conn = conn
        self.now: datetime.datetime = timeutils.utcnow()
        self.hosts_to_wake: set[str] = set()

    def lock(self, *project_ids: str) -> None:
        """Lock projects until the commit."""
        for project_id in sorted(set(project_ids)):
            quotas.lock(self.conn, project_id)

    def new_row(
        self, context: Context, machine: statuses.Machine, *, project_id: str, **values: Any
    ) -> dict[str, Any]:
        """Columns of a resource that the caller creates from now on."""
        return {
            "id": uuidutils.generate_uuid(),
            "project_id": project_id,
            "user_id": context.user_id,
            "status": machine.work["create"].begin.target,
            "created_at": self.now,
            **values,
        }

    def change(
        self,
        table: sa.Table,
        row_ids: Collection[str],
        values: Mapping[str, Any],
        *,
        statuses: Collection[str] | None = None,
    ) -> None:
        """Compare and swap; ``statuses`` are those that were just checked.

        :raises oslo_db.exception.RetryRequest: a manager was faster; the checks must be made
            again, in a new transaction.
        """
        values = {**values, "updated_at": self.now}
        if not rows.change(self.conn, table, row_ids, values, statuses=statuses):
            raise _too_late()

    def change_status(
        self, table: sa.Table, row_ids: Collection[str], transition: statuses.Transition
    ) -> None:
        """Compare and swap; that the rows are in one of the sources was just checked.

        :raises oslo_db.exception.RetryRequest: as ``change`` does.
        """
        if rows.change_status(self.conn, table, row_ids, transition) != len(row_ids):
            raise _too_late()

    def enqueue(
        self,
        kind: OperationKind,
        context: Context,
        *,
        resource_id: str,
        project_id: str,
        host: str,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        """Queue the operation that will carry out what the transaction accepts.

        :raises InvalidState: there is one for the resource already, whatever its status says.
        """
        try:
            queue.enqueue(
                self.conn,
                kind=kind,
                resource_id=resource_id,
                project_id=project_id,
                host=host,
                arguments=arguments or {},
                context=context,
            )
        except db_exception.DBDuplicateEntry:
            raise _under_way(resource_id) from None
        self.hosts_to_wake.add(host)


def _too_late() -> db_exception.RetryRequest:
    error = exceptions.InvalidState(reason="The resource was changed at the same time.")
    return db_exception.RetryRequest(error)


class Part:
    """One subject of the service; ``ReferenceService`` is all of them together."""

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        database: engine.Database,
        managers: manager_client.ManagerClient,
    ) -> None:
        self.conf = conf
        self.database = database
        self.managers = managers

    @contextlib.contextmanager
    def read(
        self, context: Context | None = None, *, single: bool = False
    ) -> Iterator[sa.Connection]:
        """A transaction that answers a question.

        It may be late only if the call that asks changes nothing, which its ``context`` says.

        :param single: by one statement, see ``engine.Database.reader``.
        :raises ServiceUnavailable: the database can't be reached.
        """
        late = context is not None and context.may_read_late
        reader = self.database.replica_reader if late else self.database.reader
        with database_errors(), reader(single=single) as conn:
            yield conn

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Run ``work`` in a writer transaction, again if it lost a race; then wake managers.

        :raises ServiceUnavailable: the database can't be reached, or is too busy.
        """

        @engine.retry
        def run() -> tuple[T, set[str]]:
            with self.database.writer() as conn:
                transaction = Transaction(conn)
                return work(transaction), transaction.hosts_to_wake

        with database_errors():
            result, hosts = run()
        for host in hosts:
            self.managers.wake(host)
        return result


@contextlib.contextmanager
def database_errors() -> Iterator[None]:
    """:raises ServiceUnavailable: the database can't be reached in the block, or is too busy."""
    try:
        yield
    except _UNAVAILABLE as error:
        LOG.warning("Database error: %s", error)
        reason = "The database can't be reached or is too busy now; try again later."
        raise exceptions.ServiceUnavailable(reason=reason) from error


def is_visible(context: Context, row: Any) -> bool:
    """Whether the caller may know of the row."""
    return bool(context.is_admin) or row.project_id == context.project_id


def project_of(context: Context) -> str:
    """The project that new resources belong to.

    :raises Forbidden: the caller's token has no project.
    """
    if not context.project_id:
        raise exceptions.Forbidden(action="a request without a project")
    return str(context.project_id)


def get_visible(
    conn: sa.Connection,
    context: Context,
    table: sa.Table,
    row_id: str,
    not_found: type[exceptions.NotFound],
) -> rows.Row:
    """The row, if the caller may know of it.

    :raises NotFound: of the kind ``not_found``.
    """
    row = rows.get(conn, table, row_id)
    if row is None or not is_visible(context, row):
        raise not_found(id=row_id)
    return row


def get_locked(
    transaction: Transaction,
    context: Context,
    table: sa.Table,
    row_id: str,
    not_found: type[exceptions.NotFound],
) -> rows.Row:
    """The row under the lock of its project.

    :raises NotFound: of the kind ``not_found``.
    """
    project_id = context.project_id
    if context.is_admin:
        project_id = get_visible(transaction.conn, context, table, row_id, not_found).project_id
    if not project_id:
        raise not_found(id=row_id)
    transaction.lock(project_id)
    return get_visible(transaction.conn, context, table, row_id, not_found)


def reset_status(
    transaction: Transaction,
    context: Context,
    table: sa.Table,
    machine: statuses.Machine,
    row_id: str,
    not_found: type[exceptions.NotFound],
    status: str,
) -> None:
    """Set a row's status by hand, whatever it is now, unless a manager has work to do on it.

    :raises NotFound: of the kind ``not_found``.
    :raises InvalidState: an operation on it is under way.
    """
    row = get_locked(transaction, context, table, row_id, not_found)
    if queue.is_under_way(transaction.conn, row_id):
        raise _under_way(row_id)
    transaction.change_status(table, [row_id], machine.reset(row.status, status))
    LOG.info("Status of %s was %s and is set to %s by hand", row_id, row.status, status)


def _under_way(resource_id: str) -> exceptions.InvalidState:
    return exceptions.InvalidState(
        reason=f"Work on {resource_id} is under way; try again when it has ended."
    )


def is_single(query: records.ListQuery) -> bool:
    """Whether a page takes one statement; where its marker stands takes another."""
    return query.marker is None


def page(
    conn: sa.Connection,
    context: Context,
    table: sa.Table,
    query: records.ListQuery,
    filters: Collection[str],
    columns: tuple[str, ...] = (),
    more: sa.Label[Any] | None = None,
) -> tuple[list[rows.Row], bool]:
    """One page of the caller's rows of a table, and whether more follow.

    :param filters: columns that the list can be filtered by.
    :param columns: which columns to read; all if empty.
    :param more: something else to read of each row, as its last column.
    :raises InvalidInput: an unknown filter, sort key or marker.
    """
    unknown = sorted(set(query.filters).difference(filters))
    if unknown:
        raise exceptions.InvalidInput(reason=f"unknown filter {unknown[0]}")
    if query.all_tenants and context.is_admin:
        # As the scope it has the indexes of a project's own list.
        asked = dict(query.filters)
        scope = {"project_id": asked.pop("project_id")} if "project_id" in asked else {}
        query = dataclasses.replace(query, filters=asked)
    else:
        scope = {"project_id": context.project_id}
    return checked_page(conn, table, query, scope, columns, more)


def checked_page(
    conn: sa.Connection,
    table: sa.Table,
    query: records.ListQuery,
    scope: Mapping[str, Any],
    columns: tuple[str, ...] = (),
    more: sa.Label[Any] | None = None,
) -> tuple[list[rows.Row], bool]:
    """One page of the rows with the columns in ``scope``, and whether more follow.

    :raises InvalidInput: an unknown sort key or marker.
    """
    try:
        return paging.page(
            conn,
            table,
            scope=scope,
            filters=query.filters,
            sort=query.sort,
            marker=query.marker,
            limit=query.limit,
            offset=query.offset,
            columns=columns,
            more=more,
        )
    except paging.MarkerNotFound:
        raise exceptions.InvalidInput(
            reason=f"marker {query.marker} is not in this list; use the id of one of its items"
        ) from None
    except paging.UnknownSortKey as error:
        raise exceptions.InvalidInput(reason=f"unknown sort key {error}") from None


def names_page(
    conn: sa.Connection,
    context: Context,
    table: sa.Table,
    query: records.ListQuery,
    filters: Collection[str],
) -> records.Page[records.Name]:
    """The same page as ``page``, with ids and names only."""
    found, has_more = page(conn, context, table, query, filters, ("id", "name"))
    return records.Page(tuple(map(records.Name._make, found)), has_more)
