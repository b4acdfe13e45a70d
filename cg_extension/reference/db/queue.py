# SPDX-License-Identifier: Apache-2.0
"""The queue of durable operations: enqueue, claim, renew, postpone, finish.

A claim locks free operations and sets their owner and the end of a lease. All times are the
database's, so that the clocks of managers don't matter. That one may be set, so another's lease
that ran out by it is taken only if the caller says so. Whoever calls decides what to run and how
often; each function is one step of the caller's transaction.
"""

import dataclasses
import datetime
import json
from collections.abc import Collection, Mapping
from typing import Any, Protocol

import sqlalchemy as sa
from oslo_db import exception as db_exception
from oslo_utils import uuidutils

from cg_extension.reference.db import engine, tables

# Version of the form of every kind's arguments, kept with them.
ARGUMENTS_VERSION = 1

_TABLE = tables.operations
_COLUMNS = _TABLE.c

# Built once: every operation needs them.
_OF_HOST = sa.and_(
    _COLUMNS.host == sa.bindparam("of_host"),
    _COLUMNS.id.not_in(sa.bindparam("excluded", expanding=True)),
)
# What was never tried is due, whatever the clock says that it was queued by: that may have been set
# back since, or be another node's.
_IS_NEW = _COLUMNS.attempts == 0
_IS_DUE = _COLUMNS.run_after <= engine.utcnow()
_IS_FREE = sa.or_(
    _COLUMNS.owner.is_(None),
    _COLUMNS.owner == sa.bindparam("new_owner"),
    sa.and_(
        _COLUMNS.id.in_(sa.bindparam("overdue", expanding=True)),
        _COLUMNS.lease_expires_at <= engine.utcnow(),
    ),
)
_NEXT_UNCLAIMED = (
    sa.select(_COLUMNS.run_after, engine.utcnow())
    .where(_OF_HOST, _COLUMNS.owner.is_(None))
    .order_by(_COLUMNS.run_after)
    .limit(1)
)
_NEXT_DUE = sa.select(
    # A lease always ends after run_after: the operation was claimed when that had passed.
    sa.func.min(
        sa.case(
            (_IS_NEW, engine.utcnow()),
            (_COLUMNS.owner == sa.bindparam("new_owner"), _COLUMNS.run_after),
            else_=sa.func.coalesce(_COLUMNS.lease_expires_at, _COLUMNS.run_after),
        )
    ),
    engine.utcnow(),
).where(_OF_HOST)
# Those due are the first of the index, however many wait for another attempt; else all must be
# looked at for new ones.
_LOCK_FREE = [
    sa.select(_TABLE, engine.utcnow().label("now"))
    .where(_OF_HOST, is_wanted, _IS_FREE)
    .order_by(_COLUMNS.run_after, _COLUMNS.id)
    .limit(sa.bindparam("at_most", type_=sa.Integer))
    # Other claimers pass over these instead of waiting for them. SQLite has one writer only.
    .with_for_update(skip_locked=True)
    for is_wanted in (_IS_DUE, _IS_NEW)
]
_CLAIM = (
    sa.update(_TABLE)
    .where(_COLUMNS.id.in_(sa.bindparam("ids", expanding=True)), sa.or_(_IS_NEW, _IS_DUE), _IS_FREE)
    .values(
        owner=sa.bindparam("new_owner"),
        lease_expires_at=sa.bindparam("expires"),
        attempts=_COLUMNS.attempts + 1,
    )
)
_OTHERS = sa.select(_COLUMNS.id, _COLUMNS.lease_expires_at).where(
    _COLUMNS.host.in_(sa.bindparam("hosts", expanding=True)),
    _COLUMNS.owner != sa.bindparam("not_of"),
)
_FINISH = sa.delete(_TABLE).where(
    _COLUMNS.id == sa.bindparam("operation_id"), _COLUMNS.owner == sa.bindparam("held_by")
)
_INSERT = sa.insert(_TABLE).values(run_after=engine.utcnow(), created_at=engine.utcnow())


class Context(Protocol):
    """What a request context must offer to be kept with an operation: no secret among it."""

    def to_dict(self) -> dict[str, Any]: ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A claimed row. ``attempts`` counts this claim, too."""

    id: str
    kind: str
    resource_id: str
    project_id: str
    host: str
    arguments_version: int
    arguments: Mapping[str, Any]
    context: dict[str, Any]
    attempts: int
    created_at: datetime.datetime


def enqueue(
    conn: sa.Connection,
    *,
    kind: str,
    resource_id: str,
    project_id: str,
    host: str,
    arguments: Mapping[str, Any],
    context: Context,
) -> str:
    """Add an operation, in the transaction that changes the resource's status; gives its id.

    :param host: ``host@backend`` of the managers that may carry it out.
    :param arguments: JSON values; what the rows tell need not be repeated here.
    :raises oslo_db.exception.DBDuplicateEntry: the resource has an operation already.
    """
    operation_id = uuidutils.generate_uuid()
    values = {
        "id": operation_id,
        "kind": kind,
        "resource_id": resource_id,
        "project_id": project_id,
        "host": host,
        "arguments": json.dumps({"version": ARGUMENTS_VERSION, "values": dict(arguments)}),
        "context": json.dumps(context.to_dict()),
        "attempts": 0,
    }
    conn.execute(_INSERT, values)
    return operation_id


def is_under_way(conn: sa.Connection, resource_id: str) -> bool:
    """Whether an operation on the resource has been accepted and has not ended."""
    query = sa.select(_COLUMNS.id).where(_COLUMNS.resource_id == resource_id)
    return conn.execute(query).first() is not None


def next_due(
    conn: sa.Connection, host: str, owner: str, *, exclude: Collection[str] = ()
) -> float | None:
    """Seconds until ``owner`` can claim one of ``host``, 0 or less: now; None: there is none.

    Those in ``exclude`` don't count. What ``owner`` has claimed besides, it may claim again: the
    answer to its COMMIT was lost, or it could not give it up.
    """
    parameters = {"of_host": host, "excluded": list(exclude), "new_owner": owner}
    # Those due are the first of the index, however many there are; else all must be looked at.
    found = conn.execute(_NEXT_UNCLAIMED, parameters).one_or_none()
    if found is None or found[0] > found[1]:
        found = conn.execute(_NEXT_DUE, parameters).one()
    earliest, now = found
    return None if earliest is None else float((earliest - now).total_seconds())


def others(conn: sa.Connection, hosts: Collection[str], owner: str) -> dict[str, datetime.datetime]:
    """When the leases of others than ``owner`` end, of operations of ``hosts``, by id."""
    found = conn.execute(_OTHERS, {"hosts": list(hosts), "not_of": owner})
    return {row.id: row.lease_expires_at for row in found}


def claim(
    conn: sa.Connection,
    *,
    host: str,
    owner: str,
    lease_seconds: float,
    limit: int,
    exclude: Collection[str] = (),
    overdue: Mapping[str, datetime.datetime] | None = None,
) -> list[Operation]:
    """Claim up to ``limit`` operations of ``host`` that are due and that nobody else holds.

    The oldest come first; those in ``exclude`` are left alone. Two claimers never get the same
    one: it is locked until the end of the first one's transaction, and not free from then on.

    :param overdue: operations of others that may be claimed, if their leases ran out and still
        end when it says.
    :raises oslo_db.exception.RetryRequest: one was claimed in spite of the lock.
    """
    overdue = overdue or {}
    parameters = {
        "of_host": host,
        "excluded": list(exclude),
        "new_owner": owner,
        "overdue": list(overdue),
        "at_most": limit,
    }
    for query in _LOCK_FREE:
        free = [
            row
            for row in conn.execute(query, parameters)
            if row.owner in (None, owner) or row.lease_expires_at == overdue[row.id]
        ]
        if free:
            break
    else:
        return []
    expires = free[0].now + datetime.timedelta(seconds=lease_seconds)
    ids = [row.id for row in free]
    result = conn.execute(_CLAIM, {**parameters, "ids": ids, "expires": expires})
    if result.rowcount != len(ids):
        raise db_exception.RetryRequest(RuntimeError("an operation was claimed by two"))
    return [_operation(row, attempts=row.attempts + 1) for row in free]


def renew(
    conn: sa.Connection, *, operation_ids: Collection[str], owner: str, lease_seconds: float
) -> tuple[set[str], set[str]]:
    """Extend the leases of those operations that ``owner`` still holds.

    A lease that ran out is renewed, too, as long as nobody else claimed the operation. One whose
    row is locked, as its result is being written, is passed over: the others must not wait for it.

    :returns: ids of those renewed, and of those that ``owner`` has lost.
    """
    is_held = sa.and_(_COLUMNS.id.in_(operation_ids), _COLUMNS.owner == owner)
    ids = sa.select(_COLUMNS.id).where(is_held)
    renewed = set(conn.execute(ids.with_for_update(skip_locked=True)).scalars())
    expires = engine.now(conn) + datetime.timedelta(seconds=lease_seconds)
    conn.execute(sa.update(_TABLE).where(_COLUMNS.id.in_(renewed)).values(lease_expires_at=expires))
    return renewed, set(operation_ids).difference(conn.execute(ids).scalars())


def finish(conn: sa.Connection, operation_id: str, owner: str) -> bool:
    """Remove an operation that ``owner`` holds; its results belong in the same transaction.

    False: the lease was lost, and the caller must write nothing, and roll back. Call it before the
    writes, after the project's lock: it locks the row, so that nobody can claim it until the end of
    the transaction.
    """
    result = conn.execute(_FINISH, {"operation_id": operation_id, "held_by": owner})
    return result.rowcount == 1


def postpone(conn: sa.Connection, operation_id: str, owner: str, delay: float) -> bool:
    """Give up a claim; anyone may try again after ``delay`` seconds. False: it was lost."""
    run_after = engine.now(conn) + datetime.timedelta(seconds=delay)
    result = conn.execute(
        sa.update(_TABLE)
        .where(_COLUMNS.id == operation_id, _COLUMNS.owner == owner)
        .values(owner=None, lease_expires_at=None, run_after=run_after)
    )
    return result.rowcount == 1


# Those of operations that have not ended.
STATES = ("waiting", "running", "overdue")


@dataclasses.dataclass(frozen=True, slots=True)
class Summary:
    """How many operations of a kind are in one state, and the age of the oldest in seconds."""

    kind: str
    state: str
    count: int
    oldest: float


def summary(conn: sa.Connection) -> list[Summary]:
    """The queue in figures, by kind and by those of ``STATES``."""
    now = engine.now(conn)
    state = sa.case(
        (_COLUMNS.owner.is_(None), "waiting"),
        (_COLUMNS.lease_expires_at > now, "running"),
        else_="overdue",
    ).label("state")
    query = sa.select(
        _COLUMNS.kind, state, sa.func.count().label("count"), sa.func.min(_COLUMNS.created_at)
    )
    return [
        Summary(kind, name, count, (now - oldest).total_seconds())
        for kind, name, count, oldest in conn.execute(query.group_by(_COLUMNS.kind, "state"))
    ]


def release_all(conn: sa.Connection, owner: str) -> int:
    """Free everything that ``owner`` holds, at once: ``owner`` is known to be dead. How many."""
    result = conn.execute(
        sa.update(_TABLE).where(_COLUMNS.owner == owner).values(owner=None, lease_expires_at=None)
    )
    return result.rowcount


def _operation(row: sa.Row[Any], *, attempts: int) -> Operation:
    arguments = json.loads(row.arguments)
    return Operation(
        id=row.id,
        kind=row.kind,
        resource_id=row.resource_id,
        project_id=row.project_id,
        host=row.host,
        arguments_version=arguments["version"],
        arguments=arguments["values"],
        context=json.loads(row.context),
        attempts=attempts,
        created_at=row.created_at,
    )
