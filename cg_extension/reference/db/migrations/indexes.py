# SPDX-License-Identifier: Apache-2.0
"""Indexes that migrations make: a run that was killed, on MariaDB, may have made some of them."""

import sqlalchemy as sa
from alembic import op


def create_index(name: str, table: str, columns: list[str]) -> None:
    """Create an index unless it is there."""
    # MySQL has no IF NOT EXISTS for it.
    if name not in [index["name"] for index in sa.inspect(op.get_bind()).get_indexes(table)]:
        op.create_index(name, table, columns)
