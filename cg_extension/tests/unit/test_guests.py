# SPDX-License-Identifier: Apache-2.0
"""How the host speaks with a QEMU guest over its boots; in place of the guests is a socket."""

import contextlib
import json
import socket
import threading
from typing import Any
from unittest import mock

from cg_extension.tests.unit import test_long_runs


class _Boot:
    """One boot of a guest, in place of the process of QEMU."""

    pid = 0

    def __init__(self, path: str, has_agent: bool) -> None:
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(path)
        self._listening.listen()
        self._has_agent = has_agent
        self._connection: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        #: Commands that were asked for, and whether they are answered.
        self.commands: list[list[str]] = []
        self.asked = threading.Event()
        self.answers = True

    def _serve(self) -> None:
        self._connection, _address = self._listening.accept()
        with self._connection, self._listening, contextlib.suppress(OSError):
            if self._has_agent:
                self._connection.sendall(b'{"setup": 0, "output": ""}\n')
                for line in self._connection.makefile():
                    request = json.loads(line)
                    self.commands.append(request["command"])
                    if self.answers:
                        answer = {"id": request["id"], "status": 0}
                        self._connection.sendall(json.dumps(answer).encode() + b"\n")
                    self.asked.set()

    def poll(self) -> None:
        """It runs."""

    def end(self) -> None:
        """The power goes."""
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()


class BootsTest(test_long_runs.ToolsTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.qemu = self.load("guest.qemu")
        self.boots: list[_Boot] = []
        self.have_agents = [True, True]
        self.guest = self.qemu.Guest("trixie")
        self.enterContext(mock.patch.object(self.guest, "_write_shared"))
        self.enterContext(mock.patch.object(self.guest, "_start", self._start))
        self.enterContext(mock.patch.object(self.guest, "kill", lambda: self.boots[-1].end()))

    def _start(self, _resources: object) -> None:
        has_agent = self.have_agents[len(self.boots)]
        self.boots.append(_Boot(f"{self.guest._work}/socket", has_agent))
        self.guest._process = self.boots[-1]

    def test_a_reset_cuts_off_what_runs_and_the_next_boot_takes_commands(self) -> None:
        found: list[Any] = []

        def run() -> None:
            try:
                found.append(self.guest.run(["first"]))
            except self.qemu.GuestDied as died:
                found.append(died)

        with self.guest:
            self.boots[0].answers = False
            running = threading.Thread(target=run)
            running.start()
            self.boots[0].asked.wait(60)
            self.guest.reset()
            self.guest.wait_for_boot()
            self.assertEqual((0, ""), self.guest.run(["second"]))
            running.join()
        self.assertIsInstance(found[0], self.qemu.GuestDied)
        self.assertEqual([[["first"]], [["second"]]], [boot.commands for boot in self.boots])

    def test_a_guest_that_dies_as_it_boots_is_booted_again(self) -> None:
        self.have_agents[0] = False
        with self.guest:
            self.assertEqual((0, ""), self.guest.run(["only"]))
        self.assertEqual([[], [["only"]]], [boot.commands for boot in self.boots])
