# SPDX-License-Identifier: Apache-2.0
"""How every command begins and ends: what was begun is undone, and a failure is one line.

An error that the operator can mend is told in one line, on standard error and in the log; only a
bug of ours shows a traceback. The exit status is the same.
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

# Errors about something outside of the program, wherever they are raised, and the option that
# names it; no option where the error's own text names it.
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

    ``is_stuck``: something did not end. The process then ends without waiting for its threads.
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
    if failure is not None:  # Outside of the handler, in which oslo.log would log it twice.
        status = FAILED
        _tell(prog, failure)
    if begun.is_stuck:
        python_logging.shutdown()
        sys.stderr.flush()
        os._exit(status)
    if status:
        sys.exit(status)


def explain(error: Exception) -> str | None:
    """An error in a line for the operator; None: it is a bug of ours."""
    for kind, prefix in _OUTSIDE.items():
        if isinstance(error, kind):
            return _PASSWORD.sub(r"\1:***@", f"{prefix}{errors.describe(error)}")
    return None


def _tell(prog: str, error: Exception) -> None:
    line = explain(error)
    if line is None:
        LOG.critical("%s can't go on, because of a bug in it", prog, exc_info=error)
        line = f"{type(error).__name__}: {errors.describe(error)}"
    else:
        LOG.debug("Why %s can't start", prog, exc_info=error)
        if not _logs_to_stderr():
            LOG.critical("%s", line)
    sys.stderr.write(f"{prog}: {line}\n")


def _logs_to_stderr() -> bool:
    handlers = python_logging.getLogger().handlers
    return not handlers or any(getattr(each, "stream", None) is sys.stderr for each in handlers)
