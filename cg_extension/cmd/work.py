# SPDX-License-Identifier: Apache-2.0
"""What a command that serves does between its beginning and its end: work until a signal."""

import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from oslo_config import cfg
from oslo_log import log as logging

from cg_extension.cmd import lifecycle, readiness
from cg_extension.reference.manager import process
from cg_extension.reference.wsgi import server

LOG = logging.getLogger(__name__)

# Seconds between two checks of backends that are still coming up, and seconds after which the API
# answers without them.
_LOOK_INTERVAL = 0.1
_SETUP_PATIENCE = 60.0
_ENDING = frozenset({signal.SIGTERM, signal.SIGINT})
# Seconds that a start has to end on a signal.
_END_PATIENCE = 2.0


def work(
    conf: cfg.ConfigOpts,
    begun: lifecycle.Begun,
    stop: "StopSignal",
    *,
    manager: process.Manager | None = None,
    http: server.Server | None = None,
) -> None:
    """Start what is given and return on ``stop``, after which ``begun`` ends it cleanly.

    The manager comes first, and the API does not answer until its backends have come up, or have
    failed to: its first requests need them. The log says when all is ready for work.
    """
    stop.await_it()
    LOG.info("Starting %s", conf.version)
    if manager is not None:
        begun.callback(_stop_manager, conf, begun, manager)
        manager.start()
        readiness.waiting("Waiting for backends")
        if stop.wait(_SETUP_PATIENCE, until=manager.is_settled):
            return
    if http is not None:
        begun.callback(_stop_http, begun, http)
        http.start()
    begun.callback(readiness.stopping)
    if manager is not None and stop.wait(until=manager.is_ready):
        return
    readiness.ready(manager.summary() if manager is not None else "")
    stop.wait()


def _stop_manager(conf: cfg.ConfigOpts, begun: lifecycle.Begun, manager: process.Manager) -> None:
    # What is still under way after the timeout is left for the next start.
    begun.is_stuck |= not manager.stop(conf.shutdown_timeout)
    LOG.info("Stopped")


def _stop_http(begun: lifecycle.Begun, http: server.Server) -> None:
    begun.is_stuck |= not http.stop()


class StopSignal:
    """SIGTERM or SIGINT. For the main thread.

    Until somebody waits for it, it ends the process at once: a start may itself wait, for a
    database that does not answer, and has begun nothing that a kill would not find to mend.
    """

    def __init__(self) -> None:
        self._is_awaited = False
        # Not an Event: a thread in its ``wait`` need not notice a signal that the kernel gave to
        # another thread.
        self._arrived, notify = socket.socketpair()
        notify.setblocking(False)
        self._notify = notify
        self._came = False
        signal.set_wakeup_fd(notify.fileno(), warn_on_full_buffer=False)
        for number in _ENDING:
            signal.signal(number, self._handle)
        threading.Thread(target=self._end_what_is_stuck, name="stop", daemon=True).start()

    def _end_what_is_stuck(self) -> None:
        """Python's handlers don't run while libpq waits for a server, which may be for minutes."""
        while not _ENDING.intersection(self._arrived.recv(64, socket.MSG_PEEK)):
            time.sleep(_END_PATIENCE)
        time.sleep(_END_PATIENCE)
        if not self._is_awaited:
            os._exit(0)

    def _handle(self, _number: int, _frame: Any) -> None:
        if not self._is_awaited:
            sys.exit()

    def await_it(self) -> None:
        """From here on it ends nothing by itself; see ``wait``."""
        self._is_awaited = True

    def wait(self, timeout: float | None = None, until: Callable[[], bool] | None = None) -> bool:
        """Wait for a signal, at most ``timeout`` seconds or until a condition holds.

        Tells whether one came.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._came and not (until and until()):
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                break
            pause = left if until is None else min(_LOOK_INTERVAL, left or _LOOK_INTERVAL)
            if select.select([self._arrived], [], [], pause)[0]:
                self._came = bool(_ENDING.intersection(self._arrived.recv(64)))
        return self._came
