# SPDX-License-Identifier: Apache-2.0
"""The configured database, opened as a command needs it."""

import os

from oslo_config import cfg

from cg_extension.conf import errors
from cg_extension.reference.db import engine, locks, migration, volume_types


def open_database(conf: cfg.ConfigOpts) -> engine.Database:
    """The database of ``[database] connection``, or else the file in ``state_path``.

    :raises errors.StartError: ``state_path`` can't be made, or the connection is no database's.
    """
    if not conf.database.connection:
        with errors.blaming(f"state_path = {conf.state_path}"):
            os.makedirs(conf.state_path, mode=0o700, exist_ok=True)
    return engine.Database(conf)


def open_migrated_database(conf: cfg.ConfigOpts) -> engine.Database:
    """The same, if its schema is this release's; makes nothing that is not there.

    :raises errors.StartError: it is not; says what to do.
    """
    if not engine.is_there(conf):
        raise migration.no_schema()
    database = open_database(conf)
    migration.check(database)
    return database


def sync(conf: cfg.ConfigOpts, database: engine.Database) -> None:
    """Bring the schema to the newest version, and make sure that the default type exists.

    A process that does it at the same time waits, and finds it done.

    :raises errors.StartError: a newer release has been here.
    """
    with locks.hold(database, "cg_extension.schema"):
        migration.sync(database)
        with database.writer() as conn:
            volume_types.ensure(conn, conf.default_volume_type)
