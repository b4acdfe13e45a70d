# SPDX-License-Identifier: Apache-2.0
"""Wake-ups and connections, within the process, by messages, and without a broker."""

import socket
import threading
import time
from typing import Any
from unittest import mock

from oslo_db import exception as db_exception

from cg_extension.contract import exceptions
from cg_extension.drivers import exceptions as driver_exceptions
from cg_extension.reference.manager import backend, load, rpc_server
from cg_extension.reference.service import ReferenceService, manager_client
from cg_extension.tests import waiting
from cg_extension.tests.unit.reference.manager import base

# Nobody listens there: discard is not served by any machine that runs tests.
NO_BROKER = "rabbit://nobody:nothing@127.0.0.1:9/"
CONNECTOR = {"host": "h"}


class Backend(backend.Backend):
    """Counts its wake-ups, and is up without being started."""

    woken = 0

    def wake(self) -> None:
        self.woken += 1

    def is_ready(self) -> bool:
        return True


class RPCTestCase(base.ManagerTestCase):
    transport_url: str

    def setUp(self) -> None:
        super().setUp()
        manager_client.is_local(self.conf)  # Registers the option.
        self.conf.set_override("transport_url", self.transport_url)
        self.backend = Backend(self.conf, self.database, self.driver, self.runner, self.keeper)
        self.backends: dict[str, backend.Backend] = {self.driver.host: self.backend}
        self.connections = rpc_server.Connections(self.database, self.backends)

    def initialize(
        self, client: manager_client.ManagerClient, volume: str, host: str | None = None
    ) -> Any:
        return client.initialize_connection(
            host or self.driver.host, self.context, volume, CONNECTOR
        )


class SharedRules:
    """What holds for both ways to reach a manager."""

    client: manager_client.ManagerClient

    def test_a_wake_up_reaches_the_backend(self: Any) -> None:
        self.client.wake(self.driver.host)
        waiting.eventually(lambda: self.backend.woken, "woken")

    def test_waking_an_unknown_backend_is_harmless(self: Any) -> None:
        self.client.wake("nobody@nowhere")

    def test_the_driver_says_how_to_connect(self: Any) -> None:
        volume = self.create_volume()
        connection = self.initialize(self.client, volume)
        self.assertEqual(
            {"driver_volume_type": "local", "data": {"device_path": volume}}, connection
        )
        self.client.terminate_connection(self.driver.host, self.context, volume, CONNECTOR)
        self.assertEqual(["initialize_connection", "terminate_connection"], self.driver.calls)

    def test_a_driver_that_fails_is_unavailable_and_tells_nothing_of_its_inside(
        self: Any,
    ) -> None:
        def fail() -> None:
            raise driver_exceptions.DriverError("/secret/path")

        self.driver.behaviour["initialize_connection"] = fail
        volume = self.create_volume()
        error = self.assertRaises(
            exceptions.ServiceUnavailable, self.initialize, self.client, volume
        )
        self.assertNotIn("secret", error.msg)

    def test_a_driver_that_would_end_the_process_or_gives_nonsense_is_unavailable(
        self: Any,
    ) -> None:
        def end() -> None:
            raise SystemExit(1)

        volume = self.create_volume()
        call = (self.driver.host, self.context, volume, CONNECTOR)
        for behaviour in (end, {}.popitem, lambda: {"driver_volume_type": "local"}, lambda: {1}):
            self.driver.behaviour["initialize_connection"] = behaviour
            with self.subTest(behaviour):
                self.assertRaises(
                    exceptions.ServiceUnavailable, self.client.initialize_connection, *call
                )
        self.driver.behaviour["terminate_connection"] = end
        self.assertRaises(exceptions.ServiceUnavailable, self.client.terminate_connection, *call)


class LocalTest(SharedRules, RPCTestCase):
    transport_url = "fake:/"

    def setUp(self) -> None:
        super().setUp()
        self.client = rpc_server.LocalManagerClient(self.connections, self.backends)

    def test_a_database_that_the_manager_loses_is_unavailable(self) -> None:
        service = ReferenceService(self.conf, self.database, self.client)
        call = (self.context, self.create_volume(), CONNECTOR)
        self.run_queue()
        away = db_exception.DBConnectionError()
        with mock.patch.object(load, "volume", side_effect=away):
            for method in (service.initialize_connection, service.terminate_connection):
                self.assertRaises(exceptions.ServiceUnavailable, method, *call)

    def test_an_unknown_backend_is_unavailable(self) -> None:
        volume = self.create_volume()
        self.assertRaises(
            exceptions.ServiceUnavailable, self.initialize, self.client, volume, "no@where"
        )


class MessagingTest(SharedRules, RPCTestCase):
    transport_url = "fake:/"

    def setUp(self) -> None:
        super().setUp()
        server = rpc_server.Server(self.conf, self.connections, self.backends)
        server.start()
        self.addCleanup(server.stop)
        self.client = manager_client.MessagingManagerClient(self.conf)
        self.addCleanup(self.client.close)

    def test_wake_ups_in_a_burst_are_merged_and_the_last_is_not_lost(self) -> None:
        for _ in range(100):
            self.client.wake(self.driver.host)
        waiting.eventually(lambda: self.backend.woken, "woken")
        self.assertLess(self.backend.woken, 100)

    def test_without_a_thread_nothing_fails_that_was_accepted(self) -> None:
        volume = self.create_volume()
        refusal = RuntimeError("can't start new thread")
        with mock.patch.object(threading.Thread, "start", side_effect=refusal):
            self.client.wake(self.driver.host)
            self.assertRaises(exceptions.ServiceUnavailable, self.initialize, self.client, volume)
        self.assertEqual(0, self.backend.woken)
        self.client.wake(self.driver.host)
        waiting.eventually(lambda: self.backend.woken, "woken")


class NoBrokerTest(RPCTestCase):
    transport_url = NO_BROKER

    def setUp(self) -> None:
        super().setUp()
        self.client = manager_client.MessagingManagerClient(self.conf)
        self.addCleanup(self.client.close)

    def test_it_is_not_reachable(self) -> None:
        self.assertFalse(self.client.is_reachable())

    def test_one_of_several_brokers_is_enough(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as broker:
            url = f"rabbit://127.0.0.1:9,127.0.0.1:{broker.getsockname()[1]}/"
            self.conf.set_override("transport_url", url)
            self.assertTrue(self.client.is_reachable())

    def test_a_wake_up_neither_fails_nor_waits(self) -> None:
        begin = time.monotonic()
        for _ in range(50):
            self.client.wake(self.driver.host)
        # The broker's library takes a second for each try to reach it.
        self.assertLess(time.monotonic() - begin, 10)

    def test_a_connection_is_unavailable_soon(self) -> None:
        self.patch(manager_client, "_CALL_TIMEOUT", 1.0)
        volume = self.create_volume()
        begin = time.monotonic()
        self.assertRaises(exceptions.ServiceUnavailable, self.initialize, self.client, volume)
        self.assertLess(time.monotonic() - begin, 30)

    def test_a_manager_starts_and_stops_without_it(self) -> None:
        server = rpc_server.Server(self.conf, self.connections, self.backends)
        begin = time.monotonic()
        server.start()
        server.stop()
        self.assertLess(time.monotonic() - begin, 30)
