# SPDX-License-Identifier: Apache-2.0
"""``cg-api``: the API of the reference host in a process of its own.

Managers run elsewhere (``cg-manager``) and are reached through the database and the broker.
"""

import gc
from collections.abc import Sequence
from typing import TYPE_CHECKING

from oslo_config import cfg

from cg_extension.cmd import config, databases, lifecycle, services, work
from cg_extension.conf import check
from cg_extension.reference import metrics
from cg_extension.reference.db import engine
from cg_extension.reference.manager import database_metrics
from cg_extension.reference.service import manager_client
from cg_extension.reference.wsgi import pipeline, server

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

PROG = "cg-api"


def build_application(conf: cfg.ConfigOpts, database: engine.Database) -> "WSGIApplication":
    """The API over a database and the configured broker, with every option checked."""
    managers = manager_client.MessagingManagerClient(conf)
    application = pipeline.load(conf, services.make(conf, database, managers))
    check.check(conf)  # Now with the options of libraries that were not set up before.
    # What is there by now stays: a full collection would look through it for 60 ms, with all
    # requests waiting.
    gc.freeze()
    return application


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT.

    :param arguments: of the command line; None: those of this process.
    """
    with lifecycle.command(PROG) as begun:
        conf = config.new_conf()
        config.read(conf, PROG, arguments)
        server.check_listener(conf)
        stop = work.StopSignal()
        database = databases.open_migrated_database(conf)
        http = server.Server(conf, build_application(conf, database))
        begun.callback(metrics.serve(conf, *database_metrics.collectors(conf, database)))
        work.work(conf, begun, stop, http=http)
