# SPDX-License-Identifier: Apache-2.0
"""What pages and units show of ``cg-lvm``'s command line is what it takes."""

import argparse
import contextlib
import io
import pathlib
import re
import shlex
from collections.abc import Iterator

from oslotest import base

import cg_extension
from cg_extension.cmd.lvm import parser

ROOT = pathlib.Path(cg_extension.__file__).parents[1]
# By files, what of them is looked at, and how a command begins there.
_PLACES = (
    ("docs/cg-lvm*.md", r"(?ms)^```\w*\n(.*?)^```$", r"(?m)^(?:# )?(cg-lvm .*)$"),
    ("docs/man/cg-lvm.rst", r"(?s)(.*)", r"(?m)^   (cg-lvm .*)$"),
    ("etc/systemd/cg-lvm/*", r"(?s)(.*)", r"(?m)^Exec\w+=\S*/(cg-lvm .*)$"),
)
# In a synopsis there are words that may be left out or repeated.
_SYNOPSIS = re.compile(r"\[|…")


def _shown() -> Iterator[tuple[str, str]]:
    """The commands, each with the name of its file."""
    for files, part, line in _PLACES:
        for path in ROOT.glob(files):
            for block in re.findall(part, path.read_text()):
                for command in re.findall(line, block):
                    yield path.name, command.partition(" && ")[0]


class PagesTest(base.BaseTestCase):
    def test_commands_that_are_shown_can_be_called(self) -> None:
        commands = [each for each in _shown() if not _SYNOPSIS.search(each[1])]
        self.assertGreater(len(commands), 40)
        for page, command in commands:
            words = shlex.split(command.replace("%i", "nightly"))[1:]
            complaint = io.StringIO()
            with contextlib.redirect_stderr(complaint):
                try:
                    parser.get_parser().parse_args(words)
                except SystemExit:
                    self.fail(f"{page}: {command}: {complaint.getvalue()}")

    def test_synopses_have_all_options_and_no_others(self) -> None:
        shown: dict[str, set[str]] = {}
        for _page, command in _shown():
            action = command.split()[1]
            shown.setdefault(action, {"--json"}).update(re.findall(r"--[a-z-]+", command))
        (actions,) = (
            action.choices
            for action in parser.get_parser()._actions
            if isinstance(action, argparse._SubParsersAction)
        )
        self.assertEqual(
            {
                name: {word for word in each._option_string_actions if word.startswith("--")}
                - {"--help"}
                for name, each in actions.items()
            },
            shown,
        )
