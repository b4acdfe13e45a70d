# SPDX-License-Identifier: Apache-2.0
"""Indexes that migrations make: a run that was killed, on MariaDB, may have made some of them."""

from alembic import op
from oslo_db.sqlalchemy import utils


def create_index(name: str, table: str, columns: list[str]) -> None:
    """Create an index unless it is there."""
    # MySQL has no IF NOT EXISTS for it.
    if not utils.index_exists(op.get_bind(), table, name):
        op.create_index(name, table, columns)
