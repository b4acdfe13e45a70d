# SPDX-License-Identifier: Apache-2.0
"""Removes the rows of backends that are gone for good; what is not gone is refused.

Nothing relies on such a row: a manager that starts meanwhile, or later, makes it anew.
"""

import sqlalchemy as sa
from oslo_db import exception as db_exception

from cg_extension.conf import errors
from cg_extension.reference.db import engine, rows, services, tables

_GROUPS = tables.consistencygroups
_VOLUMES = tables.volumes
# Ids of each kind that a refusal names.
_NAMED = 3


def _on_host() -> dict[str, sa.Select[tuple[str]]]:
    """What may be on a backend, as it is called, in the order in which it can be deleted."""
    host: sa.BindParameter[str] = sa.bindparam("of_host")
    operations, cgsnapshots, snapshots = tables.operations, tables.cgsnapshots, tables.snapshots
    return {
        "queued operation": sa.select(operations.c.id).where(operations.c.host == host),
        "group snapshot": sa.select(cgsnapshots.c.id).join(_GROUPS).where(_GROUPS.c.host == host),
        "snapshot": sa.select(snapshots.c.id).join(_VOLUMES).where(_VOLUMES.c.host == host),
        "group": sa.select(_GROUPS.c.id).where(_GROUPS.c.host == host),
        "volume": sa.select(_VOLUMES.c.id).where(_VOLUMES.c.host == host),
    }


_ON_HOST = _on_host()


@engine.retry
def remove(database: engine.Database, host: str, down_time: float) -> list[str]:
    """Forget the backend ``host``, or all backends of a host; gives their names.

    :param down_time: seconds without a heartbeat after which a manager counts as gone.
    :raises errors.StartError: there is none, or one is alive or has something; says what to do.
        Nothing was removed.
    """
    with database.writer() as conn:
        found = services.find(conn, host=host, binary=services.BINARY)
        if not found:
            known = [row.host for row in services.find(conn, binary=services.BINARY)]
            raise errors.StartError(f"There is no {host}; there are: {', '.join(known) or 'none'}")
        for row in found:
            _check(conn, row, down_time)
            if not services.remove(conn, row):
                raise db_exception.RetryRequest(RuntimeError(f"{row.host} has just reported"))
    return [row.host for row in found]


def _check(conn: sa.Connection, row: rows.Row, down_time: float) -> None:
    silence = services.silence(row, now=row.now)
    if silence <= down_time:
        raise errors.StartError(
            f"{row.host} is alive: it reported {max(0.0, silence):.0f} s ago. Stop its manager, "
            f"and try again when it has been silent for {down_time:g} s (service_down_time)."
        )
    left = [text for name in _ON_HOST if (text := _describe(conn, name, row.host))]
    if left:
        raise errors.StartError(
            f"{row.host} still has {', '.join(left)}. Start a manager with this host and backend "
            "again, which carries out what is queued, and delete the rest; that succeeds also if "
            "its storage is lost and it gets an empty one."
        )


def _describe(conn: sa.Connection, name: str, host: str) -> str:
    """How many there are, with the ids of some; empty if there is none."""
    query = _ON_HOST[name]
    counting = sa.select(sa.func.count()).select_from(query.subquery())
    number: int = conn.execute(counting, {"of_host": host}).scalar_one()
    if number == 0:
        return ""
    ids: list[str] = [row.id for row in conn.execute(query.limit(_NAMED), {"of_host": host})]
    if number > _NAMED:
        ids.append("...")
    return f"{number} {name}{'s' if number > 1 else ''} ({', '.join(ids)})"
