# SPDX-License-Identifier: Apache-2.0
"""What a command makes of its configuration files, or of there being none."""

import contextlib
import io
import os
from importlib import metadata
from unittest import mock

import fixtures
import testtools
from oslotest import base

from cg_extension.cmd import config
from cg_extension.conf import errors


class DefaultStatePathTest(base.BaseTestCase):
    def path(self, user: int, **environment: str) -> str:
        with mock.patch.object(os, "geteuid", return_value=user):
            with mock.patch.dict(os.environ, environment):
                return config.default_state_path()

    def test_root_has_the_systems_place(self) -> None:
        self.assertEqual("/var/lib/cg_extension", self.path(0, XDG_STATE_HOME="/state"))

    def test_a_user_has_a_place_of_their_own(self) -> None:
        self.assertEqual("/state/cg_extension", self.path(1000, XDG_STATE_HOME="/state"))
        self.assertEqual(
            "/home/u/.local/state/cg_extension",
            self.path(1000, XDG_STATE_HOME="", HOME="/home/u"),
        )


class ReadTest(base.BaseTestCase):
    def refused(self, content: bytes, *, directory: bool = False) -> str:
        self.path = os.path.join(self.useFixture(fixtures.TempDir()).path, "cg.conf")
        with open(self.path, "wb") as file:
            file.write(content)
        named = os.path.dirname(self.path) if directory else self.path
        arguments = ["--config-dir" if directory else "--config-file", named]
        error = self.assertRaises(
            errors.StartError, config.read, config.new_conf(), "cg-test", arguments
        )
        return str(error)

    def test_a_command_tells_its_version(self) -> None:
        output = io.StringIO()
        with contextlib.redirect_stdout(output), testtools.ExpectedException(SystemExit):
            config.read(config.new_conf(), "cg-test", ["--version"])
        self.assertEqual(f"cg-test {metadata.version('cg_extension')}\n", output.getvalue())

    def test_a_file_that_is_no_utf8_is_named(self) -> None:
        for content in (b"[DEFAULT]\nhost = \xe9\n", "[DEFAULT]\n".encode("utf-16")):
            for directory in (False, True):
                told = self.refused(content, directory=directory)
                self.assertIn(f"{self.path}: It is not in UTF-8", told)

    def test_a_format_of_the_log_that_names_what_there_is_not_is_named(self) -> None:
        for option in (
            "logging_context_format_string",
            "logging_debug_format_suffix",
            "logging_default_format_string",
            "logging_exception_prefix",
        ):
            for value in ("%(nothing)s", "%(name)q"):
                told = self.refused(f"[DEFAULT]\n{option} = {value}\n".encode())
                self.assertIn(f"{option} = {value} ({self.path}): ", told)
        told = self.refused(b"[DEFAULT]\nlogging_user_identity_format = %(user)q\n")
        self.assertIn("logging_user_identity_format = %(user)q (", told)

    def test_an_option_of_the_command_line_that_is_wrong_in_a_file_is_named_with_it(self) -> None:
        for directory in (False, True):
            told = self.refused(b"[DEFAULT]\ndebug = maybe\n", directory=directory)
            self.assertEqual(f"debug ({self.path}): Invalid Boolean value: maybe", told)

    def test_a_level_of_the_log_that_there_is_not_is_named(self) -> None:
        for level in ("oslo=LOUD", "oslo", "oslo=", "a=b=INFO"):
            told = self.refused(f"[DEFAULT]\ndefault_log_levels = {level}\n".encode())
            self.assertIn("default_log_levels", told)
            self.assertIn(repr(level), told)
