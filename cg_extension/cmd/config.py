# SPDX-License-Identifier: Apache-2.0
"""What all commands do first: options, configuration files, logs."""

import collections
import contextlib
import io
import logging as python_logging
import os
import pathlib
import re
import sys
from collections.abc import Iterator, Sequence
from concurrent import futures
from typing import Any

import oslo_messaging
from oslo_config import cfg
from oslo_log import formatters
from oslo_log import log as logging

from cg_extension import conf as cg_conf
from cg_extension.conf import check, errors, unread, version
from cg_extension.contract import context as cg_context
from cg_extension.reference.db import engine

LOG = logging.getLogger(__name__)

PROJECT = "cg_extension"

_WRONG_ARGUMENT = re.compile(r"argument --(\S+): (.*)\n")

# If one of these is malformed, or names what there is not, lines of the log are tracebacks. With
# each what makes a record need it, and nothing whose words have not been looked at by then: those
# that need a context are the last, as the thread that tries them keeps it.
_LOG_FORMATS: dict[str, dict[str, Any]] = {
    "logging_default_format_string": {},
    "logging_debug_format_suffix": {"level": python_logging.DEBUG},
    "logging_exception_prefix": {"exc_info": (ValueError, ValueError("tried"), None)},
    "logging_context_format_string": {"has_context": True},
    "logging_user_identity_format": {"has_context": True},  # What is not there is a dash in it.
}


def new_conf() -> cfg.ConfigOpts:
    """A configuration that knows every option of the service, and has read nothing yet."""
    conf = cfg.ConfigOpts()
    logging.register_options(conf)
    cg_conf.register_opts(conf)
    engine.register_opts(conf)
    oslo_messaging.TransportURL.parse(conf)  # Registers transport_url.
    return conf


def read(
    conf: cfg.ConfigOpts,
    prog: str,
    arguments: Sequence[str] | None = None,
    description: str | None = None,
) -> None:
    """Parse the command line and the configuration files that it names, and set up the logs.

    Without ``--config-file``: ``cg_extension.conf`` and ``PROG.conf`` of the usual places, such
    as ``/etc/cg_extension/``.

    :param arguments: without the program's name; None: those of this process.
    :param description: of the program, for ``--help``.
    :raises errors.StartError: a value can't work, or a file can't be read.
    """
    said = io.StringIO()
    try:
        with errors.blaming("Configuration files"), contextlib.redirect_stderr(said):
            conf(
                arguments,
                project=PROJECT,
                prog=prog,
                version=version.of(prog),
                description=description,
            )
    except errors.StartError as error:
        if isinstance(error.__cause__, UnicodeDecodeError):  # Its text does not name the file.
            where = ", ".join(_undecodable(_files(conf, arguments)))
            raise errors.StartError(f"{where}: It is not in UTF-8: {error.__cause__}") from error
        raise
    except SystemExit:
        # oslo.config's words for what is wrong in a file with an option of the command line.
        if wrong := _WRONG_ARGUMENT.fullmatch(said.getvalue()):
            name, reason = wrong.groups()
            where = ", ".join(_having(name, _files(conf, arguments)))
            raise errors.StartError(f"{name} ({where}): {reason}") from None
        sys.stderr.write(said.getvalue())
        raise
    check.check(conf)
    if not (conf.log_file or conf.log_dir):
        # Standard output is for the result of a command.
        conf.set_default("use_stderr", True)
    for level in conf.default_log_levels:
        _logger, _, name = level.partition("=")
        if not name.isdecimal() and name not in python_logging.getLevelNamesMapping():
            raise errors.StartError(
                f"default_log_levels: {level!r} is not LOGGER=LEVEL, with a level such as INFO"
            )
    for name in _LOG_FORMATS:
        with _blaming_format(conf, name):
            conf[name] % collections.defaultdict(int)
    # In a thread of its own, which keeps the context that is made.
    with futures.ThreadPoolExecutor(1) as thread:
        for name, needs in _LOG_FORMATS.items():
            with _blaming_format(conf, name):
                thread.submit(_format, conf, **needs).result()
    conf.set_default("default_log_levels", [*conf.default_log_levels, "alembic=WARN"])
    with errors.blaming("Options of the log"):
        logging.setup(conf, PROJECT)
    for each in unread.find(conf):
        LOG.warning("Nobody reads %s", each)


@contextlib.contextmanager
def _blaming_format(conf: cfg.ConfigOpts, name: str) -> Iterator[None]:
    try:
        yield
    except KeyError as error:  # Of a record's attributes.
        raise errors.StartError(f"{check.describe(conf, name)}: There is no {error}") from error
    except (ValueError, TypeError) as error:
        raise errors.StartError(f"{check.describe(conf, name)}: {error}") from error


def _format(
    conf: cfg.ConfigOpts,
    level: int = python_logging.INFO,
    exc_info: Any = None,
    has_context: bool = False,
) -> None:
    """Make a line of the log, as ``logging.setup`` will have it made, and write it nowhere."""
    record = python_logging.LogRecord(PROJECT, level, __file__, 0, "tried", (), exc_info)
    if has_context:
        record.context = cg_context.RequestContext(overwrite=False)
    formatters.ContextFormatter(config=conf, project=PROJECT, version="").format(record)


def _files(conf: cfg.ConfigOpts, arguments: Sequence[str] | None) -> list[pathlib.Path]:
    """The configuration files, given or found, where oslo.config gave up reading them."""
    given = sys.argv[1:] if arguments is None else arguments
    defaults = conf.default_config_files or ()
    named = [pathlib.Path(each.rpartition("=")[2]) for each in (*given, *defaults)]
    inside = [file for path in named if path.is_dir() for file in path.glob("*.conf")]
    return [path for path in (*named, *inside) if path.is_file()]


def _undecodable(paths: Sequence[pathlib.Path]) -> Iterator[str]:
    """Those that are not in UTF-8."""
    for path in paths:
        try:
            path.read_text("utf-8")
        except ValueError:
            yield str(path)


def _having(name: str, paths: Sequence[pathlib.Path]) -> Iterator[str]:
    """Those that set an option of ``[DEFAULT]``."""
    for path in paths:
        if name in check.sections(str(path)).get("DEFAULT", {}):
            yield str(path)


def default_state_path() -> str:
    """Where a service without configuration keeps its state.

    As root ``/var/lib/cg_extension``; for others ``cg_extension`` in ``XDG_STATE_HOME``, which is
    ``~/.local/state`` if it is not set (XDG Base Directory Specification).
    """
    if os.geteuid() == 0:
        return f"/var/lib/{PROJECT}"
    base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(base, PROJECT)
