# SPDX-License-Identifier: Apache-2.0
"""Bring a database's schema to the newest version, with alembic and without its command line."""

import alembic.command
import alembic.config
import alembic.migration
import alembic.script
import sqlalchemy as sa

from cg_extension.conf import errors
from cg_extension.reference.db import engine, tables


class WrongSchema(errors.StartError):
    """The database's schema is not the one that this release works with; says what to do."""


def _config(conn: sa.Connection | None = None) -> alembic.config.Config:
    config = alembic.config.Config()
    config.set_main_option("script_location", "cg_extension:reference/db/migrations")
    config.attributes["connection"] = conn
    return config


def sync(database: engine.Database, target: str = "head") -> None:
    """Apply the migrations that are missing up to ``target``; harmless when there are none.

    One process at a time (``db.locks``). After one that was killed it goes on: MariaDB
    has no transactions for changes of the schema.

    :raises WrongSchema: a newer release has been here, or another service is.
    """
    found = version(database)
    _check_known(found)
    with database.writer() as conn:
        if found is None:
            _check_own(conn)
        alembic.command.upgrade(_config(conn), target)


def version(database: engine.Database) -> str | None:
    """The version that the database is at; None for an empty one.

    :raises errors.StartError: the database does not tell.
    """
    with errors.blaming("[database] connection"), database.reader() as conn:
        return alembic.migration.MigrationContext.configure(conn).get_current_revision()


def no_schema() -> WrongSchema:
    """What to raise for a database that ``sync`` has never seen."""
    return WrongSchema("The database has no schema yet: run cg-manage db sync")


def check(database: engine.Database) -> None:
    """See to it that the database is at the version that this code needs.

    :raises WrongSchema: it is not; says what to do.
    """
    found, newest = version(database), newest_version()
    _check_known(found)
    if found is None:
        raise no_schema()
    if found != newest:
        raise WrongSchema(
            f"The database's schema is at {found}, this release needs {newest}: run cg-manage db "
            "sync"
        )


def newest_version() -> str:
    """The version that this code needs."""
    head = _scripts().get_current_head()
    assert head is not None  # noqa: S101 (the package holds at least one migration)
    return head


def _scripts() -> alembic.script.ScriptDirectory:
    return alembic.script.ScriptDirectory.from_config(_config())


def _check_known(found: str | None) -> None:
    known = {script.revision for script in _scripts().walk_revisions()}
    if found is not None and found not in known:
        raise WrongSchema(
            f"The database is newer than this release, or another service's: its schema is at "
            f"{found!r}, and this release knows those up to {newest_version()}. Install the "
            "release that it is of, or a later one"
        )


def _check_own(conn: sa.Connection) -> None:
    """See to it that tables with names of ours are ours, left by a first run that was killed.

    Those may be of another release, and have more columns than this one's or fewer, but not both.
    """
    inspector = sa.inspect(conn)
    for name in sorted(set(inspector.get_table_names()) & set(tables.metadata.tables)):
        there = {column["name"] for column in inspector.get_columns(name)}
        ours = set(tables.metadata.tables[name].columns.keys())
        if there - ours and ours - there:
            raise WrongSchema(
                f"[database] connection: The table {name} that is there is another service's. "
                "cg_extension needs a database of its own"
            )
