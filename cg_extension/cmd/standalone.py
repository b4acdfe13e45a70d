# SPDX-License-Identifier: Apache-2.0
"""``cg-standalone``: API and manager in one process, with no configuration needed."""

import os
from collections.abc import Sequence

from oslo_config import cfg

from cg_extension import conf as cg_conf
from cg_extension.cmd import config, databases, lifecycle, services, work
from cg_extension.conf import check, errors
from cg_extension.reference import metrics
from cg_extension.reference.manager import database_metrics, instance, process
from cg_extension.reference.service import manager_client
from cg_extension.reference.wsgi import pipeline, server

PROG = "cg-standalone"
_BACKEND = "file"
_DESCRIPTION = (
    "Serve volumes and consistency groups from one process: API, manager, SQLite database and a "
    "backend of plain files. It reads the same configuration files as the other commands."
)
# Arguments, the options that they stand for, and what they are.
_ARGUMENTS = {
    "host": ("osapi_volume_listen", "Address to listen on (default: 127.0.0.1)."),
    "port": ("osapi_volume_listen_port", "Port to listen on (default: 8776)."),
    "state-path": (
        "state_path",
        f"Directory of database and volumes (default: {config.default_state_path()}).",
    ),
}


def _register_arguments(conf: cfg.ConfigOpts) -> None:
    """The short arguments of the command line; oslo.config and oslo.log bring their own."""
    for name, (option, text) in _ARGUMENTS.items():
        # As text: the option that it stands for has better words for what is wrong.
        dest, metavar = f"argument_for_{option}", name.rpartition("-")[2].upper()
        conf.register_cli_opt(cfg.StrOpt(name, dest=dest, metavar=metavar, help=text))


def _configure(arguments: Sequence[str] | None) -> cfg.ConfigOpts:
    """Defaults that suit one process; configuration files and the command line override them."""
    conf = config.new_conf()
    conf.set_default("state_path", config.default_state_path())
    conf.set_default("transport_url", "fake:/")
    conf.set_default("enabled_backends", [_BACKEND])
    cg_conf.register_backend_opts(conf, _BACKEND)
    conf.set_default("volume_driver", "file", group=_BACKEND)
    _register_arguments(conf)
    config.read(conf, PROG, arguments, _DESCRIPTION)
    for name, (option, _text) in _ARGUMENTS.items():
        value = conf[f"argument_for_{option}"]
        if value is not None:
            try:
                path = os.path.abspath(value) if value and "path" in name else value
                conf.set_override(option, path)
            except ValueError as error:
                raise errors.StartError(f"--{name} {value}: {error}") from error
    return conf


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT.

    :param arguments: of the command line; None: those of this process.
    """
    with lifecycle.command(PROG) as begun:
        conf = _configure(arguments)
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
        application = pipeline.load(conf, services.make(conf, database, managers))
        check.check(conf)  # Now with the options of drivers, and of libraries not set up before.
        http = server.Server(conf, application)
        begun.callback(metrics.serve(conf, *database_metrics.collectors(conf, database)))
        work.work(conf, begun, stop, manager=manager, http=http)
