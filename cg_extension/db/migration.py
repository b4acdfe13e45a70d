# SPDX-License-Identifier: Apache-2.0
"""Bring a database's schema to the newest version, with alembic and without its command line."""

import alembic.command
import alembic.config
import alembic.migration
import alembic.script
import sqlalchemy as sa

from cg_extension.db import engine


def _config(conn: sa.Connection | None = None) -> alembic.config.Config:
    config = alembic.config.Config()
    config.set_main_option("script_location", "cg_extension:db/migrations")
    config.attributes["connection"] = conn
    return config


def sync(database: engine.Database, version: str = "head") -> None:
    """Apply the migrations that are missing up to ``version``; harmless when there are none.

    One process at a time (``Database.exclusive``). After one that was killed it goes on: MariaDB
    has no transactions for changes of the schema.
    """
    with database.writer() as conn:
        alembic.command.upgrade(_config(conn), version)


def version(database: engine.Database) -> str | None:
    """The version that the database is at; None for an empty one."""
    with database.reader() as conn:
        return alembic.migration.MigrationContext.configure(conn).get_current_revision()


def newest_version() -> str:
    """The version that this code needs."""
    head = alembic.script.ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None  # noqa: S101 (the package holds at least one migration)
    return head
