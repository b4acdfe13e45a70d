# SPDX-License-Identifier: Apache-2.0
"""``cg-manage``: what an operator does with the database."""

import sys
from collections.abc import Sequence
from typing import Any

from oslo_config import cfg

from cg_extension.cmd import config, databases, lifecycle
from cg_extension.reference.db import engine, migration, quota_check, service_removal
from cg_extension.reference.service import scheduler

PROG = "cg-manage"
_SERVICE = "{:<12} {:<36} {:<16} {:<10} {:<5} {}\n"


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


def _service_list(conf: cfg.ConfigOpts, database: engine.Database) -> None:
    """As ``cinder-manage service list``."""
    migration.check(database)
    with database.reader() as conn:
        found = scheduler.list_services(conn, conf)
    sys.stdout.write(_SERVICE.format("Binary", "Host", "Zone", "Status", "State", "Updated At"))
    for service in found:
        updated_at = service.updated_at
        sys.stdout.write(
            _SERVICE.format(
                service.binary,
                service.host,
                service.availability_zone,
                "disabled" if service.disabled else "enabled",
                "up" if service.is_up else "down",
                updated_at.isoformat(timespec="seconds") if updated_at else "-",
            )
        )


def _service_remove(conf: cfg.ConfigOpts, database: engine.Database) -> None:
    migration.check(database)
    for host in service_removal.remove(database, conf.category.gone, conf.service_down_time):
        sys.stdout.write(f"{host}: removed\n")


def _add_commands(subparsers: Any) -> None:
    subparsers.required = True
    db = _subject(subparsers, "db", "the database's schema")
    sync = db.add_parser(
        "sync", help="bring it to this release's version, and create the default type"
    )
    sync.set_defaults(command=_db_sync)
    version = db.add_parser("version", help="show its version")
    version.set_defaults(command=_db_version)
    quota = _subject(subparsers, "quota", "the usage of projects")
    check = quota.add_parser(
        "check",
        help="compare it with what there is; the exit status is 1 if they differ",
        description="Compare the usage of projects with the groups, volumes and snapshots that "
        "there are; services may run. The exit status is 1 if they differ and are left so.",
    )
    check.add_argument("--fix", action="store_true", help="count anew where they differ")
    check.add_argument("--project", metavar="ID", help="look at this project only")
    check.set_defaults(command=_quota_check)
    service = _subject(subparsers, "service", "the backends of managers")
    service.add_parser("list", help="show all of them").set_defaults(command=_service_list)
    remove = service.add_parser(
        "remove",
        help="forget one that is gone for good",
        description="Forget a backend that is gone for good. One whose manager is alive, or that "
        "still has something, is refused. If a manager serves it later, it is there again.",
    )
    # By its own name it would be the option ``host``.
    remove.add_argument("gone", metavar="HOST", help="HOST@BACKEND; HOST alone: all its backends")
    remove.set_defaults(command=_service_remove)


def _subject(subparsers: Any, name: str, text: str) -> Any:
    """What commands on a subject are added to."""
    return subparsers.add_parser(name, help=text).add_subparsers(dest="action", required=True)


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
