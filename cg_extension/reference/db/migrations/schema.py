# SPDX-License-Identifier: Apache-2.0
"""Makes tables and indexes that are not there, and drops indexes that are.

On MariaDB a run that was killed leaves some.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from oslo_db.sqlalchemy import utils
from sqlalchemy.dialects import postgresql


def string(length: int) -> sa.types.TypeEngine[str]:
    """Text that is compared and sorted by code point, in a table that ``create_table`` makes."""
    return sa.String(length).with_variant(postgresql.VARCHAR(length, collation="C"), "postgresql")


def create_table(name: str, *items: sa.schema.SchemaItem) -> None:
    """Create a table unless it is there.

    On MySQL and MariaDB with text that differs when its code points do: their ``utf8mb4_bin`` takes
    no note of blanks at the end.
    """
    dialect = op.get_bind().dialect
    options = {}
    if dialect.name in ("mysql", "mariadb"):
        no_pad = (
            "utf8mb4_nopad_bin" if getattr(dialect, "is_mariadb", False) else "utf8mb4_0900_bin"
        )
        options = {"engine": "InnoDB", "charset": "utf8mb4", "collate": no_pad}
    prefixed: dict[str, Any] = {f"{dialect.name}_{key}": value for key, value in options.items()}
    op.create_table(name, *items, if_not_exists=True, **prefixed)


def create_index(name: str, table: str, columns: list[str]) -> None:
    """Create an index unless it is there."""
    if not utils.index_exists(op.get_bind(), table, name):
        op.create_index(name, table, columns, if_not_exists=_looks_again())


def drop_index(name: str, table: str) -> None:
    """Drop an index if it is there."""
    if utils.index_exists(op.get_bind(), table, name):
        op.drop_index(name, table, if_exists=_looks_again())


def _looks_again() -> bool:
    """Whether the server can look itself for an index when a statement's turn comes.

    MariaDB goes on with a statement whose client was killed, and what follows waits for that; MySQL
    can't look.
    """
    dialect = op.get_bind().dialect
    return dialect.name != "mysql" or getattr(dialect, "is_mariadb", False)
