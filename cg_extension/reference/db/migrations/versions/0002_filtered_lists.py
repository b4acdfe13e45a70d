# SPDX-License-Identifier: Apache-2.0
"""Indexes for lists of one project that are filtered, in the default order."""

from cg_extension.reference.db.migrations.schema import create_index

revision = "0002"
down_revision = "0001"

FILTERS = (
    ("consistencygroups", "status"),
    ("consistencygroups", "availability_zone"),
    ("cgsnapshots", "status"),
    ("volumes", "status"),
    ("snapshots", "status"),
)


def upgrade() -> None:
    for table, column in FILTERS:
        create_index(
            f"ix_{table}_project_{column}_created_at",
            table,
            ["project_id", column, "created_at", "id"],
        )
