# SPDX-License-Identifier: Apache-2.0
"""Usage of projects beside their rows, counted one by one: what every audit holds to be equal."""

import collections

import sqlalchemy as sa

from cg_extension.reference.db import quotas, tables

_USAGE = tables.project_quotas


def findings(conn: sa.Connection) -> list[str]:
    """Where the usage of a project is not what its rows are, a sentence each; empty: nowhere."""
    counted: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for row in conn.execute(sa.select(tables.consistencygroups.c.project_id)):
        counted[row.project_id] += collections.Counter(groups=1)
    for row in conn.execute(sa.select(tables.volumes)):
        counted[row.project_id] += collections.Counter(volumes=1, volume_gigabytes=row.size)
    for row in conn.execute(sa.select(tables.snapshots)):
        counted[row.project_id] += collections.Counter(
            snapshots=1, snapshot_gigabytes=row.volume_size
        )
    told = {row.project_id: row for row in conn.execute(sa.select(_USAGE))}
    return [
        f"{name} of {project_id}: {used} in use, {number} counted"
        for project_id in sorted(counted.keys() | told.keys())
        for name in quotas.COUNTERS
        if (used := getattr(told.get(project_id), name, None))
        != (number := counted[project_id][name])
    ]


def findings_at(url: str) -> list[str]:
    """The same of the database there, while nothing is under way."""
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    with engine.connect() as conn:
        return findings(conn)


def recount(conn: sa.Connection) -> None:
    """After a test has changed rows by itself."""
    for project_id in conn.execute(sa.select(_USAGE.c.project_id)).scalars().all():
        quotas.recount(conn, project_id)
