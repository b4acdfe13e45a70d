# SPDX-License-Identifier: Apache-2.0
"""The tests' own means to start servers."""

import socket

from oslotest import base

from cg_extension.tests.deployment import processes


class FreePortTest(base.BaseTestCase):
    def test_a_port_goes_to_the_server_that_it_was_asked_for_and_to_nobody_by_chance(self) -> None:
        address = ("127.0.0.1", processes.free_port())
        for _ in range(2):  # As of a server that is started again.
            self.assertRaises(ConnectionRefusedError, socket.create_connection, address)
            with socket.socket() as other:  # As whoever asks for any port.
                self.assertRaises(OSError, other.bind, address)
            with socket.create_server(address) as server:
                socket.create_connection(address).close()
                server.accept()[0].close()
