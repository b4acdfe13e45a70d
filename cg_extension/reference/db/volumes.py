# SPDX-License-Identifier: Apache-2.0
"""Queries on volumes, where they come from, and their attachments."""

import datetime
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from cg_extension.reference.db import rows, tables

TABLE = tables.volumes
METADATA = tables.volume_metadata
ATTACHMENTS = tables.volume_attachments


def of_group(conn: sa.Connection, group_id: str) -> dict[str, rows.Row]:
    """The members of a group by id, in the order of ids."""
    query = rows.select(TABLE).where(TABLE.c.consistencygroup_id == group_id).order_by(TABLE.c.id)
    return {row.id: row for row in conn.execute(query)}


def made_from_volumes(conn: sa.Connection, volume_ids: Collection[str], *, status: str) -> set[str]:
    """Those of ``volume_ids`` that volumes in ``status`` are cloned from."""
    return _sources(conn, TABLE.c.source_volid, volume_ids, status)


def made_from_snapshots(
    conn: sa.Connection, snapshot_ids: Collection[str], *, status: str
) -> set[str]:
    """Those of ``snapshot_ids`` that volumes in ``status`` are made from."""
    return _sources(conn, TABLE.c.snapshot_id, snapshot_ids, status)


def _sources(
    conn: sa.Connection, column: sa.Column[Any], ids: Collection[str], status: str
) -> set[str]:
    if not ids:
        return set()
    query = sa.select(column).distinct().where(column.in_(list(ids)), TABLE.c.status == status)
    return set(conn.execute(query).scalars())


def attachments(conn: sa.Connection, volume_ids: Collection[str]) -> dict[str, list[rows.Row]]:
    """The attachments of each of the volumes, the oldest first. One query."""
    found: dict[str, list[rows.Row]] = {volume_id: [] for volume_id in volume_ids}
    if found:
        query = (
            sa.select(ATTACHMENTS)
            .where(ATTACHMENTS.c.volume_id.in_(list(found)))
            .order_by(ATTACHMENTS.c.attached_at, ATTACHMENTS.c.id)
        )
        for row in conn.execute(query):
            found[row.volume_id].append(row)
    return found


def attach(
    conn: sa.Connection,
    *,
    attachment_id: str,
    volume_id: str,
    instance_uuid: str | None,
    attached_host: str | None,
    mountpoint: str | None,
    mode: str,
    attached_at: datetime.datetime,
) -> None:
    """Insert an attachment; the volume's status is the caller's."""
    conn.execute(
        sa.insert(ATTACHMENTS),
        {
            "id": attachment_id,
            "volume_id": volume_id,
            "instance_uuid": instance_uuid,
            "attached_host": attached_host,
            "mountpoint": mountpoint,
            "mode": mode,
            "attached_at": attached_at,
        },
    )


def detach(conn: sa.Connection, attachment_ids: Collection[str]) -> None:
    """Remove attachments; the volume's status is the caller's."""
    conn.execute(sa.delete(ATTACHMENTS).where(ATTACHMENTS.c.id.in_(list(attachment_ids))))
