# SPDX-License-Identifier: Apache-2.0
"""``cg-manager``: carries out operations on the backends of ``enabled_backends``."""

from collections.abc import Sequence

from cg_extension.cmd import config, databases, lifecycle, work
from cg_extension.conf import check
from cg_extension.reference import metrics
from cg_extension.reference.manager import database_metrics, process

PROG = "cg-manager"


def main(arguments: Sequence[str] | None = None) -> None:
    """Work until SIGTERM or SIGINT.

    :param arguments: of the command line; None: those of this process.
    """
    with lifecycle.command(PROG) as begun:
        conf = config.new_conf()
        config.read(conf, PROG, arguments)
        stop = work.StopSignal()
        database = databases.open_migrated_database(conf)
        manager = process.Manager(conf, database)
        check.check(conf)  # Now with the options of drivers, and of libraries not set up before.
        begun.callback(metrics.serve(conf, *database_metrics.collectors(conf, database)))
        work.work(conf, begun, stop, manager=manager)
