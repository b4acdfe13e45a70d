# SPDX-License-Identifier: Apache-2.0
"""How every command begins and ends: what was begun is undone, and a failure is one line.

An error that whoever runs the service can mend is told in one line, on standard error and in the
log; a traceback is shown for faults of ours only. The exit status is the same.
"""

import contextlib
import logging as python_logging
import os
import re
import sys
from collections.abc import Iterator

import oslo_messaging
from oslo_config import cfg
from oslo_db import exception as db_exception
from oslo_log import log as logging

from cg_extension.cmd import FAILED
from cg_extension.conf import errors

LOG = logging.getLogger(__name__)

# Libraries' errors that are about something outside of the program, wherever they come up, and
# where it is configured. An OSError or a StartError names it by itself.
_OUTSIDE: dict[type[Exception], str] = {
    errors.StartError: "",
    cfg.Error: "",
    OSError: "",
    db_exception.DBError: "[database] connection: ",
    oslo_messaging.MessagingException: "transport_url: ",
}
_PASSWORD = re.compile(r"(://[^\s:/@]*):[^\s/@]+@")


class Begun(contextlib.ExitStack):
    """What a command has begun, and how to undo it, in reverse order.

    ``is_stuck``: something does not end. The process then ends without waiting for its threads.
    """

    is_stuck = False


@contextlib.contextmanager
def command(prog: str) -> Iterator[Begun]:
    """The whole of a command; ends the process with status ``FAILED`` if an error leaves it.

    :param prog: its name, with which the line on standard error begins.
    """
    begun = Begun()
    failure: Exception | None = None
    try:
        with begun:
            yield begun
    except Exception as error:
        failure = error
    status = 0
    if failure is not None:  # Not in the handler, where oslo.log would say it twice.
        status = FAILED
        _tell(prog, failure)
    if begun.is_stuck:
        python_logging.shutdown()
        sys.stderr.flush()
        os._exit(status)
    if status:
        sys.exit(status)


def explain(error: Exception) -> str | None:
    """An error in a line for whoever runs the service; None: it is a fault of ours."""
    for kind, prefix in _OUTSIDE.items():
        if isinstance(error, kind):
            return _PASSWORD.sub(r"\1:***@", f"{prefix}{errors.describe(error)}")
    return None


def _tell(prog: str, error: Exception) -> None:
    line = explain(error)
    if line is None:
        LOG.critical("%s can't go on: this is a fault of its own", prog, exc_info=error)
        line = f"{type(error).__name__}: {errors.describe(error)}"
    else:
        LOG.debug("Why %s can't start", prog, exc_info=error)
        if not _logs_to_stderr():
            LOG.critical("%s", line)
    sys.stderr.write(f"{prog}: {line}\n")


def _logs_to_stderr() -> bool:
    handlers = python_logging.getLogger().handlers
    return not handlers or any(getattr(each, "stream", None) is sys.stderr for each in handlers)
