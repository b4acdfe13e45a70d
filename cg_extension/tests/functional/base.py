# SPDX-License-Identifier: Apache-2.0
"""Starts ``cg-standalone`` as a real process with a state of its own, and talks HTTP to it."""

import configparser
import os
import pathlib
import re
import signal
import subprocess
import tempfile
from collections.abc import Mapping

import fixtures
from oslotest import base
from testtools import content

from cg_extension.tests import http_client, waiting
from cg_extension.tests.deployment import keystone, warm

_PROGRAM = "cg_extension.cmd.standalone:main"
_SERVING = re.compile(r"Serving the API on ([^\s:]+):(\d+).*Ready for work", re.DOTALL)

# What may last longer than a test must not be in the directory that oslotest makes for one.
TEMPORARY = tempfile.gettempdir()


class Standalone(fixtures.Fixture):
    """A running service. It can be killed and started again on the same state.

    ``url`` changes with every start: the port is a free one.
    """

    def __init__(
        self,
        config: Mapping[str, Mapping[str, object]] | None = None,
        environment: Mapping[str, str] | None = None,
        arguments: tuple[str, ...] = (),
    ) -> None:
        """Prepare.

        :param config: options by section, written to a configuration file. Without a section
            ``api`` answers that are not as documented get 500.
        :param environment: variables besides those of this process.
        :param arguments: further ones of the command line.
        """
        super().__init__()
        self._config = {"api": {"response_validation": "error"}, **(config or {})}
        self._environment = {**os.environ, **(environment or {})}
        self._arguments = arguments
        self._process: warm.Program | subprocess.Popen[bytes] | None = None

    @classmethod
    def with_keystone(
        cls, identity: keystone.Keystone, **options: Mapping[str, object]
    ) -> "Standalone":
        """One that has tokens checked by ``identity``; ``options`` by section go over that."""
        authtoken = {**identity.middleware_options(), **options.get(keystone.SECTION, {})}
        strategy = {"DEFAULT": {"auth_strategy": "keystone"}}
        return cls({**strategy, **options, keystone.SECTION: authtoken})

    def _setUp(self) -> None:
        root = pathlib.Path(self.useFixture(fixtures.TempDir(TEMPORARY)).path)
        self.state_path = root / "state"
        self.log_file = root / "log"
        self._config_file = root / "cg_extension.conf"
        parser = configparser.RawConfigParser()
        parser.read_dict(self._config)
        with self._config_file.open("w") as file:
            parser.write(file)
        self.addCleanup(self.stop)
        self.addDetail("log", content.Content(content.UTF8_TEXT, lambda: [self._log_bytes()]))
        self.start()

    @property
    def log(self) -> str:
        """Everything that all runs wrote to standard error."""
        return self._log_bytes().decode()

    def start(self) -> None:
        """Start it and wait until it is ready for work.

        :raises AssertionError: it ended instead; with its log.
        """
        seen = self.log_file.stat().st_size if self.log_file.exists() else 0
        with self.log_file.open("ab") as log:
            self._process = warm.start(
                _PROGRAM,
                [
                    *("--config-file", str(self._config_file)),
                    *("--state-path", str(self.state_path), "--port", "0"),
                    *self._arguments,
                ],
                environment=self._environment,
                stdout=log,
                stderr=log,
            )
        process = self._process

        def look() -> re.Match[str] | None:
            found = _SERVING.search(self._log_bytes()[seen:].decode())
            if found is None and process.poll() is not None:
                raise AssertionError(f"cg-standalone did not come up:\n{self.log}")
            return found

        found = waiting.eventually(look, "cg-standalone ready for work")
        self.url = f"http://{found[1]}:{found[2]}"

    def stop(self) -> int:
        """Stop it cleanly, if it runs; gives its exit code."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(waiting.PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"cg-standalone did not stop:\n{self.log}") from None

    def kill(self) -> None:
        """Let it die at once, without any chance to tidy up."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def wait_until_dead(self) -> int:
        """Wait for an end that something else causes; gives the exit code."""
        assert self._process is not None
        return self._process.wait(waiting.PATIENCE)

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        assert self._process is not None
        self._process.send_signal(number)

    def client(
        self, project: str = "demo", user: str = "tester", roles: str = ""
    ) -> http_client.Client:
        """A client with a ``noauth`` token; an administrator unless ``roles`` are given."""
        token = ":".join(filter(None, [user, project, roles]))
        return http_client.Client(lambda: self.url, project, token)

    def _log_bytes(self) -> bytes:
        return self.log_file.read_bytes() if self.log_file.exists() else b""


class FunctionalTest(base.BaseTestCase):
    """Tests against a process of their own."""
