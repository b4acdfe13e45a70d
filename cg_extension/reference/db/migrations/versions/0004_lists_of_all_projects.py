# SPDX-License-Identifier: Apache-2.0
"""Indexes for an administrator's lists of all projects: filtered by status, in the default order.

They were for an order by status or availability zone, which nobody pages through; a filter by
status had to sort all that was found.
"""

from cg_extension.reference.db.migrations.schema import create_index, drop_index

revision = "0004"
down_revision = "0003"


TABLES = ("consistencygroups", "cgsnapshots", "volumes", "snapshots")


def upgrade() -> None:
    for table in TABLES:
        create_index(f"ix_{table}_status_created_at", table, ["status", "created_at", "id"])
    # Last: on PostgreSQL, nobody can read the table from then on until all of it is committed.
    for table in TABLES:
        drop_index(f"ix_{table}_status", table)
    drop_index("ix_consistencygroups_availability_zone", "consistencygroups")
