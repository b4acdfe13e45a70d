# SPDX-License-Identifier: Apache-2.0
"""Starts many processes of our commands at little cost, for tests of starts that fail.

One process imports the commands, and forks another for each start, so that this takes a fraction
of a second. A fork ends as any interpreter does, so after its threads that are no daemons.
"""

import dataclasses
import gc
import importlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any

import fixtures

from cg_extension.tests import waiting

# What a start would otherwise load, each time.
_MODULES = (
    "cg_extension.cmd.api",
    "cg_extension.cmd.manage",
    "cg_extension.cmd.manager",
    "cg_extension.cmd.standalone",
    "cg_extension.cmd.status",
    "cg_extension.drivers.lvm.driver",
    "cg_extension.reference.wsgi.app",
    "cg_extension.reference.wsgi.auth",
)


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a command ended; ``status`` is None if it did not, and was killed."""

    status: int | None
    output: str

    @property
    def last_line(self) -> str:
        return (self.output.strip().splitlines() or [""])[-1]


class Starter(fixtures.Fixture):
    """Runs commands with the configuration that a test gives, in a directory of their own."""

    def _setUp(self) -> None:
        self.directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(self._process.communicate)

    def write(self, name: str, content: str | bytes) -> str:
        """A file in the directory; gives its path."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    def configure(self, text: str = "", **options: object) -> str:
        """A configuration file with options of ``[DEFAULT]``, then ``text``; gives its path."""
        defaults: dict[str, object] = {
            "state_path": self.directory / "state",
            "osapi_volume_listen_port": 0,
            "transport_url": "fake:/",
            "enabled_backends": "one",
            **options,
        }
        lines = [f"{name} = {value}" for name, value in defaults.items()]
        one = "" if "[one]" in text else "[one]\nvolume_driver = file\n"
        return self.write("cg.conf", "\n".join(["[DEFAULT]", *lines, one, text]))

    def run(self, command: str, *arguments: str) -> Ended:
        """Run a command to its end.

        :param command: a module of ``cg_extension.cmd``; ``wsgi`` only gets a configuration file.
        """
        request = {
            "command": command,
            "arguments": arguments,
            "directory": str(self.directory),
        }
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return Ended(**json.loads(self._process.stdout.readline()))


def _serve() -> None:
    for module in _MODULES:
        importlib.import_module(module)
    # So that no child goes through all of it at its end.
    gc.freeze()
    for line in sys.stdin:
        request = json.loads(line)
        with tempfile.TemporaryFile() as output:
            child = os.fork()
            if child == 0:
                _be(request, output.fileno())
            status = _wait(child)
            output.seek(0)
            answer = {"status": status, "output": output.read().decode(errors="replace")}
        print(json.dumps(answer), flush=True)


def _be(request: dict[str, Any], output: int) -> None:
    """Become the command; ends the process."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(request["directory"])
    if request["command"] == "wsgi":  # It has no command line.
        os.environ["OS_CG_EXTENSION_CONFIG_FILE"] = request["arguments"][1]
    module = importlib.import_module(f"cg_extension.cmd.{request['command']}")
    # That of the WSGI server has no function: it is imported.
    sys.exit(module.main(request["arguments"]) if hasattr(module, "main") else None)


def _wait(child: int) -> int | None:
    deadline = time.monotonic() + waiting.PATIENCE
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


if __name__ == "__main__":
    _serve()
