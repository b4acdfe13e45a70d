# SPDX-License-Identifier: Apache-2.0
"""``cg-api``: the API of the reference host in a process of its own.

Managers run elsewhere (``cg-manager``) and are reached through the database and the broker.
"""

from collections.abc import Sequence

from oslo_config import cfg

from cg_extension import metrics
from cg_extension.cmd import config, deployment
from cg_extension.db import engine
from cg_extension.host import extensions, pipeline, server
from cg_extension.service import reference, rpc

PROG = "cg-api"


def build_service(conf: cfg.ConfigOpts) -> reference.ReferenceService:
    """The service over the configured database and broker."""
    return reference.ReferenceService(conf, engine.Database(conf), rpc.MessagingWaker(conf))


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT.

    :param arguments: of the command line; None: those of this process.
    """
    conf = config.new_conf()
    expected = (extensions.RequiredExtensionMissing, server.UnsafeListener)
    with config.friendly_errors(PROG, *expected):
        config.read(conf, PROG, arguments)
        server.check_listener(conf)
        metrics.serve(conf)
        http = server.Server(conf, pipeline.load(conf, build_service(conf)))
        stop = deployment.StopSignal()
        http.start()
        stop.wait()
        http.stop()
