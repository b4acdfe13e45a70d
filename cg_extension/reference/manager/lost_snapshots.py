# SPDX-License-Identifier: Apache-2.0
"""Shows snapshots whose content the backend has lost, and their group snapshots, as ``error``.

What is lost is for the driver to say; this writes it down.
"""

from collections.abc import Callable, Collection, Mapping

import sqlalchemy as sa
from oslo_log import log as logging

from cg_extension.contract import statuses
from cg_extension.drivers import answers
from cg_extension.reference.db import engine, rows, tables

LOG = logging.getLogger(__name__)

_SNAPSHOTS = tables.snapshots
_LOSE = statuses.SNAPSHOT.changes["lose"]


def write(database: engine.Database, report: Callable[[], Mapping[str, str]]) -> None:
    """Give the snapshots that are lost the status ``error``, each if it is ``available``.

    A group snapshot goes with the first of its snapshots: without one of them it is none. Those
    in another status, and those that no row is about, are left alone.

    :param report: the driver's ``get_lost_snapshots``.
    """
    news = _available(database, answers.lost_snapshots(report()))
    if not news:
        return
    # One that was half-made when the driver looked may have become available since: what counts is
    # what the driver tells of it from then on.
    reasons = answers.lost_snapshots(report())
    for snapshot_id, cgsnapshot_id in news.items():
        if snapshot_id in reasons:
            _write(database, snapshot_id, cgsnapshot_id, reasons[snapshot_id])


def _available(database: engine.Database, snapshot_ids: Collection[str]) -> dict[str, str | None]:
    """Of the snapshots told, those not yet marked as lost, and their group snapshots."""
    if not snapshot_ids:
        return {}
    query = (
        sa.select(_SNAPSHOTS.c.id, _SNAPSHOTS.c.cgsnapshot_id)
        .where(_SNAPSHOTS.c.id.in_(list(snapshot_ids)))
        .where(_SNAPSHOTS.c.status.in_(_LOSE.sources))
    )
    with database.reader() as conn:
        return {row.id: row.cgsnapshot_id for row in conn.execute(query)}


@engine.retry
def _write(
    database: engine.Database, snapshot_id: str, cgsnapshot_id: str | None, reason: str
) -> None:
    with database.writer() as conn:
        if not rows.change_status(conn, _SNAPSHOTS, [snapshot_id], _LOSE, reason=reason):
            return
        if cgsnapshot_id is not None:
            rows.change_status(
                conn,
                tables.cgsnapshots,
                [cgsnapshot_id],
                statuses.CGSNAPSHOT.changes["lose"],
                reason=f"Snapshot {snapshot_id} is lost: {reason}",
            )
    LOG.error("Snapshot %s is lost: %s", snapshot_id, reason)
