# SPDX-License-Identifier: Apache-2.0
"""``cg-standalone``: API and manager in one process, with no configuration needed."""

import argparse
import os
from collections.abc import Sequence

from oslo_config import cfg

from cg_extension import conf as cg_conf
from cg_extension.cmd import config, databases, lifecycle, work
from cg_extension.conf import check, errors
from cg_extension.reference import metrics
from cg_extension.reference.manager import instance, operation_metrics, process
from cg_extension.reference.service import ReferenceService, manager_client
from cg_extension.reference.wsgi import pipeline, server

PROG = "cg-standalone"
_BACKEND = "file"


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=PROG,
        description="Serve volumes and consistency groups from one process: API, manager, SQLite "
        "database and a backend of plain files. Options of the configuration files "
        "hold here, too.",
    )
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (default: 8776)")
    parser.add_argument(
        "--state-path",
        type=os.path.abspath,
        help=f"directory of database and volumes (default: {config.default_state_path()})",
    )
    for option in ("--config-file", "--config-dir"):
        parser.add_argument(option, action="append", default=[], help="as of oslo.config")
    parser.add_argument("--debug", action="store_true", help="log more")
    return parser.parse_args(arguments)


def _configure(options: argparse.Namespace) -> cfg.ConfigOpts:
    """Defaults that suit one process, under the configuration files, under the command line."""
    conf = config.new_conf()
    conf.set_default("state_path", config.default_state_path())
    conf.set_default("transport_url", "fake:/")
    conf.set_default("enabled_backends", [_BACKEND])
    cg_conf.register_backend_opts(conf, _BACKEND)
    conf.set_default("volume_driver", "file", group=_BACKEND)
    arguments = ["--debug"] if options.debug else []
    for name in ("config_file", "config_dir"):
        for path in getattr(options, name):
            arguments += [f"--{name.replace('_', '-')}", path]
    config.read(conf, PROG, arguments)
    for argument, name, value in (
        ("--host", "osapi_volume_listen", options.host),
        ("--port", "osapi_volume_listen_port", options.port),
        ("--state-path", "state_path", options.state_path),
    ):
        if value is not None:
            try:
                conf.set_override(name, value)
            except ValueError as error:
                raise errors.StartError(f"{argument} {value}: {error}") from error
    return conf


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT.

    :param arguments: of the command line; None: those of this process.
    """
    options = _parse(arguments)
    with lifecycle.command(PROG) as begun:
        conf = _configure(options)
        stop = work.StopSignal()
        claimant = instance.Instance(conf.state_path, conf.host)
        database = databases.open_database(conf)
        databases.sync(conf, database)
        manager = process.Manager(conf, database, claimant)
        managers = (
            manager.client
            if manager_client.is_local(conf)
            else manager_client.MessagingManagerClient(conf)
        )
        application = pipeline.load(conf, ReferenceService(conf, database, managers))
        check.check(conf)  # The options of the drivers, and of libraries that are set up now, too.
        http = server.Server(conf, application)
        begun.callback(metrics.serve(conf, operation_metrics.OperationCollector(database)))
        work.work(conf, begun, stop, manager=manager, http=http)
