# SPDX-License-Identifier: Apache-2.0
"""The argument parsers of this project's commands, for their manual pages and completions.

``parsers.cg_lvm()`` gives that of ``cg-lvm``, and so on for every console script. It is taken from
the command itself, when this is about to read its command line; files and directories among the
arguments are marked for shtab.
"""

import argparse
import os
import sys
from collections.abc import Callable
from importlib import metadata
from typing import Any, NoReturn
from unittest import mock

import shtab
from oslo_config import cfg
from oslo_log import log

_COMPLETIONS = {"PATH": shtab.FILE, "DIR": shtab.DIRECTORY, "LOG_DIR": shtab.DIRECTORY}


class _Taken(BaseException):
    """Ends the command, whose handlers of errors it passes by; holds the parser."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        super().__init__()
        self.parser = parser


def _take(parser: argparse.ArgumentParser, *_arguments: Any) -> NoReturn:
    raise _Taken(parser)


def _read_as_cinder() -> None:
    """What cg-cinder-status does first: Cinder, which a build need not have, brings the options."""
    conf = cfg.ConfigOpts()
    log.register_options(conf)
    conf.register_cli_opt(
        cfg.StrOpt("state_path", help="Top-level directory for maintaining Cinder's state")
    )
    conf(sys.argv[1:], project="cinder")


def parser(command: str) -> argparse.ArgumentParser:
    """The parser of a console script.

    :raises KeyError: there is no such command.
    """
    script = metadata.entry_points(group="console_scripts")[command]
    main = _read_as_cinder if script.module.startswith("cg_extension.cinder") else script.load()
    # Where defaults depend on the user, those of any user.
    home = mock.patch.dict(os.environ, {"XDG_STATE_HOME": "~/.local/state"})
    user = mock.patch("os.geteuid", return_value=65534)
    program = mock.patch("sys.argv", [command])
    parse = mock.patch.object(argparse.ArgumentParser, "parse_args", _take)
    try:
        with home, user, program, parse:
            main()
    except _Taken as taken:
        for action in taken.parser._actions:
            if completion := _COMPLETIONS.get(str(action.metavar)):
                action.complete = completion  # type: ignore[attr-defined]
        for group in taken.parser._action_groups:
            group.title = group.title or "subcommands"  # sphinx-argparse 0.5 needs one
        return taken.parser
    raise AssertionError(f"{command} did not read its command line")


def __getattr__(name: str) -> Callable[[], argparse.ArgumentParser]:
    if name.startswith("cg_"):
        return lambda: parser(name.replace("_", "-"))
    raise AttributeError(name)
