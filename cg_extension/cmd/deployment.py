# SPDX-License-Identifier: Apache-2.0
"""Steps that several commands share: the schema, a manager that stops on a signal."""

import logging as python_logging
import os
import signal
import socket
from collections.abc import Callable

from oslo_config import cfg
from oslo_log import log as logging

from cg_extension.db import engine, migration, volume_types
from cg_extension.manager import service as manager_service

LOG = logging.getLogger(__name__)


def open_database(conf: cfg.ConfigOpts) -> engine.Database:
    """The database of ``[database] connection``, or else the file in ``state_path``.

    :raises OSError: ``state_path`` can't be made.
    :raises oslo_db.exception.DBError: it can't be opened.
    """
    if not conf.database.connection:
        os.makedirs(conf.state_path, mode=0o700, exist_ok=True)
    return engine.Database(conf)


def sync(conf: cfg.ConfigOpts, database: engine.Database) -> None:
    """Bring the schema to the newest version, and make sure that the default type exists.

    A process that does it at the same time waits, and finds it done.
    """
    with database.exclusive("cg_extension.schema"):
        migration.sync(database)
        with database.writer() as conn:
            volume_types.ensure(conn, conf.default_volume_type)


def run(
    conf: cfg.ConfigOpts, manager: manager_service.ManagerService, serve: Callable[[], None]
) -> None:
    """Start the manager, serve until ``serve`` returns, and stop cleanly.

    What is still under way after ``shutdown_timeout`` is left for the next start: the process
    then ends without waiting for its threads.
    """
    manager.start()
    try:
        serve()
    finally:
        if not manager.stop(conf.shutdown_timeout):
            python_logging.shutdown()
            os._exit(0)
    LOG.info("Stopped")


class StopSignal:
    """SIGTERM or SIGINT, which end nothing by themselves from here on. For the main thread."""

    def __init__(self) -> None:
        # Not an Event: a thread in its ``wait`` need not notice a signal that the kernel gave to
        # another thread.
        self._arrived, notify = socket.socketpair()
        notify.setblocking(False)
        self._notify = notify
        signal.set_wakeup_fd(notify.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: None)

    def wait(self) -> None:
        """Return when there was one."""
        while not {signal.SIGTERM, signal.SIGINT}.intersection(self._arrived.recv(64)):
            pass
