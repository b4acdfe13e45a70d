# SPDX-License-Identifier: Apache-2.0
"""What systemd is told, over a socket like its own."""

import pathlib
import socket

import fixtures
from oslo_utils import uuidutils
from oslotest import base

from cg_extension.cmd import readiness


class ReadinessTest(base.BaseTestCase):
    def listen(self, address: str, variable: str) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(listener.close)
        listener.bind(address)
        listener.settimeout(60)
        self.useFixture(fixtures.EnvironmentVariable("NOTIFY_SOCKET", variable))
        return listener

    def test_it_is_told_that_the_service_is_ready(self) -> None:
        path = str(pathlib.Path(self.useFixture(fixtures.TempDir()).path, "notify"))
        listener = self.listen(path, path)
        readiness.waiting("Waiting")
        readiness.ready("up: one")
        readiness.stopping()
        told = [listener.recv(4096).decode().splitlines() for _ in range(3)]
        self.assertEqual(["STATUS=Waiting"], told[0])
        self.assertEqual(["READY=1", "STATUS=Ready for work: up: one"], told[1])
        self.assertIn("STOPPING=1", told[2])

    def test_an_abstract_socket_will_do(self) -> None:
        name = uuidutils.generate_uuid()
        listener = self.listen(f"\0{name}", f"@{name}")
        readiness.notify("READY=1")
        self.assertEqual(b"READY=1", listener.recv(4096))

    def test_nobody_need_listen(self) -> None:
        for address in (None, "", "/nowhere/notify"):
            self.useFixture(fixtures.EnvironmentVariable("NOTIFY_SOCKET", address))
            readiness.notify("READY=1")
