# SPDX-License-Identifier: Apache-2.0
"""``cg-manage``: what an operator does with the database."""

import sys
from collections.abc import Sequence
from typing import Any

from oslo_config import cfg

from cg_extension.cmd import config, databases, lifecycle
from cg_extension.reference.db import engine, migration, quota_check

PROG = "cg-manage"


def _db_sync(conf: cfg.ConfigOpts, database: engine.Database) -> None:
    databases.sync(conf, database)
    _db_version(conf, database)


def _db_version(_conf: cfg.ConfigOpts, database: engine.Database) -> None:
    sys.stdout.write(f"{migration.version(database) or 'empty'}\n")


def _quota_check(conf: cfg.ConfigOpts, database: engine.Database) -> int:
    """A line for each difference; 1 if there are some and they were not mended."""
    migration.check(database)
    projects = wrong = 0
    for compared, differences in quota_check.differences(database, conf.category.project):
        projects += compared
        wrong += len(differences)
        for each in differences:
            sys.stdout.write(
                f"project {each.project_id}: {each.counter}: {each.told} in use, "
                f"{each.counted} counted\n"
            )
        if conf.category.fix:
            for project_id in sorted({each.project_id for each in differences}):
                quota_check.mend(database, project_id)
                sys.stdout.write(f"project {project_id}: counted anew\n")
    sys.stdout.write(f"projects: {projects}, differences: {wrong}\n")
    return 1 if wrong and not conf.category.fix else 0


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
    quota = subparsers.add_parser("quota", help="the usage of projects").add_subparsers(
        dest="action", required=True
    )
    check = quota.add_parser(
        "check",
        help="compare it with what there is; the exit status is 1 if they differ",
        description="Compare the usage of projects with the groups, volumes and snapshots that "
        "there are; services may run. The exit status is 1 if they differ and are left so.",
    )
    check.add_argument("--fix", action="store_true", help="count anew where they differ")
    check.add_argument("--project", metavar="ID", help="look at this project only")
    check.set_defaults(command=_quota_check)


def main(arguments: Sequence[str] | None = None) -> None:
    """Carry out one command; ends the process if its status is not 0.

    :param arguments: of the command line; None: those of this process.
    """
    with lifecycle.command(PROG):
        conf = config.new_conf()
        conf.register_cli_opt(
            cfg.SubCommandOpt("category", title="commands", handler=_add_commands)
        )
        config.read(conf, PROG, arguments)
        status = conf.category.command(conf, databases.open_database(conf))
    if status:
        sys.exit(status)
