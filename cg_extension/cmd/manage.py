# SPDX-License-Identifier: Apache-2.0
"""``cg-manage``: what an operator does with the database."""

import sys
from collections.abc import Sequence
from typing import Any

from oslo_config import cfg

from cg_extension.cmd import config, databases, lifecycle
from cg_extension.reference.db import engine, migration

PROG = "cg-manage"


def _db_sync(conf: cfg.ConfigOpts, database: engine.Database) -> None:
    databases.sync(conf, database)
    _db_version(conf, database)


def _db_version(_conf: cfg.ConfigOpts, database: engine.Database) -> None:
    sys.stdout.write(f"{migration.version(database) or 'empty'}\n")


def _add_commands(subparsers: Any) -> None:
    subparsers.required = True
    db = subparsers.add_parser("db", help="the database's schema").add_subparsers(
        dest="action", required=True
    )
    sync = db.add_parser(
        "sync", help="bring it to this release's version, and create the default type"
    )
    sync.set_defaults(command=_db_sync)
    version = db.add_parser("version", help="show its version")
    version.set_defaults(command=_db_version)


def main(arguments: Sequence[str] | None = None) -> None:
    """Carry out one command.

    :param arguments: of the command line; None: those of this process.
    """
    with lifecycle.command(PROG):
        conf = config.new_conf()
        conf.register_cli_opt(
            cfg.SubCommandOpt("category", title="commands", handler=_add_commands)
        )
        config.read(conf, PROG, arguments)
        conf.category.command(conf, databases.open_database(conf))
