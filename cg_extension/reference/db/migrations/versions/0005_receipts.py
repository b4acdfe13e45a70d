# SPDX-License-Identifier: Apache-2.0
"""The receipts of group snapshots.

A table of its own, so that services of the release before may go on meanwhile: they neither read
nor fill it, and what they delete takes its row along.
"""

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from cg_extension.reference.db.migrations.schema import create_table, string

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    create_table(
        "cgsnapshot_receipts",
        sa.Column("cgsnapshot_id", string(36), nullable=False),
        sa.Column(
            "instant",
            sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb"),
            nullable=False,
        ),
        sa.Column("held_seconds", sa.Double(), nullable=False),
        sa.Column("consistency", string(255), nullable=False),
        sa.ForeignKeyConstraint(
            ["cgsnapshot_id"],
            ["cgsnapshots.id"],
            name="fk_cgsnapshot_receipts_cgsnapshot_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("cgsnapshot_id", name="pk_cgsnapshot_receipts"),
    )
