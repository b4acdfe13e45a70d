# SPDX-License-Identifier: Apache-2.0
"""One row for each project: its usage, its own limits, and its lock.

They were counted from the rows, and in the tables ``quotas`` and ``quota_locks``. No service may
run meanwhile: one of the release before takes no note of its work in the new table.
"""

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

from cg_extension.reference.db.migrations.schema import create_table, string

revision = "0003"
down_revision = "0002"

# Projects that are counted by one query, and written by one transaction on MariaDB.
BATCH = 500
LIMITS = ("groups", "volumes", "snapshots", "gigabytes")
LIMIT_COLUMNS = tuple(f"{resource}_limit" for resource in LIMITS)


def _table(name: str, *columns: str) -> sa.TableClause:
    return sa.table(name, sa.column("project_id"), *[sa.column(each) for each in columns])


NEW = _table("project_quotas", *LIMIT_COLUMNS)
OLD = _table("quotas", "resource", "hard_limit")
GROUPS = _table("consistencygroups")
VOLUMES = _table("volumes", "size")
SNAPSHOTS = _table("snapshots", "volume_size")
COUNTED: dict[sa.TableClause, dict[str, sa.ColumnElement[int]]] = {
    GROUPS: {"groups": sa.func.count()},
    VOLUMES: {"volumes": sa.func.count(), "volume_gigabytes": sa.func.sum(VOLUMES.c.size)},
    SNAPSHOTS: {
        "snapshots": sa.func.count(),
        "snapshot_gigabytes": sa.func.sum(SNAPSHOTS.c.volume_size),
    },
}
USAGE = [name for counters in COUNTED.values() for name in counters]


def upgrade() -> None:
    create_table(
        "project_quotas",
        sa.Column("project_id", string(255), nullable=False),
        *[sa.Column(name, sa.BigInteger(), nullable=False) for name in USAGE],
        *[sa.Column(name, sa.Integer()) for name in LIMIT_COLUMNS],
        sa.Column("serial", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", name="pk_project_quotas"),
    )
    conn = op.get_bind()
    # A run that was killed may have dropped it, and has moved the limits then.
    limits = OLD if sa.inspect(conn).has_table(OLD.name) else NEW
    for first, last in _batches(conn, limits):
        _fill(conn, limits, first, last)
        if conn.dialect.name in ("mysql", "mariadb"):
            # Not all of it in one transaction, where the new table has been committed already.
            # Elsewhere the whole migration is one transaction, or nothing.
            conn.exec_driver_sql("COMMIT")
    # The old release accepts nothing without its locks: what they stand for is moved first.
    op.drop_table("quota_locks", if_exists=True)
    op.drop_table(OLD.name, if_exists=True)


def _batches(conn: sa.Connection, limits: sa.TableClause) -> Iterator[tuple[str, str]]:
    """The first and the last of so many projects' ids each time, in order."""
    found: list[str] = [""]
    while True:
        # Each by itself reads no more of an index than it gives.
        parts = [
            sa.select(table.c.project_id)
            .distinct()
            .where(table.c.project_id > found[-1])
            .order_by(table.c.project_id)
            .limit(BATCH)
            .subquery()
            for table in dict.fromkeys([*COUNTED, limits, NEW])
        ]
        ids = sa.union(*[sa.select(part.c.project_id) for part in parts])
        query = ids.order_by("project_id").limit(BATCH)
        found = list(conn.execute(query).scalars())
        if not found:
            return
        yield found[0], found[-1]


def _fill(conn: sa.Connection, limits: sa.TableClause, first: str, last: str) -> None:
    """Write the rows of the projects from ``first`` to ``last``, whatever is there of them."""
    empty = {"serial": 0, **dict.fromkeys(USAGE, 0), **dict.fromkeys(LIMIT_COLUMNS)}
    rows: dict[str, dict[str, object]] = {}

    def row(project_id: str) -> dict[str, object]:
        return rows.setdefault(project_id, {"project_id": project_id, **empty})

    for table, counters in COUNTED.items():
        project = table.c.project_id
        query = sa.select(project, *[each.label(name) for name, each in counters.items()])
        in_range = project.between(first, last)
        for found in conn.execute(query.where(in_range).group_by(project)):
            row(found.project_id).update({name: int(found._mapping[name]) for name in counters})
    for found in conn.execute(sa.select(limits).where(limits.c.project_id.between(first, last))):
        if limits is OLD:
            row(found.project_id)[f"{found.resource}_limit"] = found.hard_limit
        else:
            row(found.project_id).update(found._mapping)
    conn.execute(sa.delete(NEW).where(NEW.c.project_id.between(first, last)))
    # Its columns are those of the rows.
    new = _table(NEW.name, *empty)
    if rows:  # Those of the new table may have lost all that they had since it was filled.
        conn.execute(sa.insert(new), list(rows.values()))
