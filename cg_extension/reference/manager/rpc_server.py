# SPDX-License-Identifier: Apache-2.0
"""The managers' end of ``manager_client``: by messages, or by plain calls in one process."""

import threading
from collections.abc import Callable, Mapping
from typing import TypeVar

import oslo_messaging
from oslo_config import cfg
from oslo_log import log as logging

from cg_extension.contract import context as cg_context
from cg_extension.contract import exceptions, records
from cg_extension.drivers import answers
from cg_extension.drivers import exceptions as driver_exceptions
from cg_extension.reference.db import engine
from cg_extension.reference.manager import backend, load
from cg_extension.reference.service import manager_client

LOG = logging.getLogger(__name__)

Context = cg_context.RequestContext


class Connections:
    """Makes and ends connections to volumes of this manager's backends."""

    def __init__(self, database: engine.Database, backends: Mapping[str, backend.Backend]) -> None:
        self._database = database
        self._backends = backends

    def initialize(
        self, host: str, context: Context, volume_id: str, connector: records.Connector
    ) -> records.Connection:
        """:raises ServiceUnavailable: the backend is not up, or failed."""
        driver = self._backend(host).driver
        with self._database.reader() as conn:
            volume = load.volume(conn, volume_id)
        try:
            return answers.connection(driver.initialize_connection(context, volume, connector))
        except BaseException as error:  # A library may ask for the end of the process.
            raise _unavailable("reach", volume_id, error) from error

    def terminate(
        self, host: str, context: Context, volume_id: str, connector: records.Connector
    ) -> None:
        """:raises ServiceUnavailable: the backend is not up, or failed."""
        driver = self._backend(host).driver
        with self._database.reader() as conn:
            volume = load.volume(conn, volume_id)
        try:
            driver.terminate_connection(context, volume, connector)
        except BaseException as error:
            raise _unavailable("let go of", volume_id, error) from error

    def _backend(self, host: str) -> backend.Backend:
        found = self._backends.get(host)
        if found is None or not found.is_ready():
            raise exceptions.ServiceUnavailable(reason=f"The backend {host} is not up.")
        return found


def _unavailable(verb: str, volume_id: str, error: BaseException) -> exceptions.ServiceUnavailable:
    is_bug = not isinstance(error, driver_exceptions.DriverError)
    LOG.error("Could not %s volume %s: %s", verb, volume_id, error, exc_info=is_bug)
    return exceptions.ServiceUnavailable(
        reason=f"The backend could not {verb} volume {volume_id}; try again later."
    )


class LocalManagerClient(manager_client.ManagerClient):
    """Reaches the manager in this process, with no message in between."""

    def __init__(self, connections: Connections, backends: Mapping[str, backend.Backend]) -> None:
        self._connections = connections
        self._backends = backends

    def wake(self, host: str) -> None:
        if host in self._backends:
            self._backends[host].wake()

    def initialize_connection(
        self, host: str, context: Context, volume_id: str, connector: records.Connector
    ) -> records.Connection:
        return self._connections.initialize(host, context, volume_id, connector)

    def terminate_connection(
        self, host: str, context: Context, volume_id: str, connector: records.Connector
    ) -> None:
        self._connections.terminate(host, context, volume_id, connector)


# The exceptions that cross the broker as what they are, and are no fault of this process.
_Call = TypeVar("_Call", bound=Callable[..., object])
_tells_refusals: Callable[[_Call], _Call] = oslo_messaging.expected_exceptions(
    exceptions.CGExtensionError
)


class _Endpoint:
    """What one backend's queue accepts."""

    def __init__(self, served: backend.Backend, connections: Connections) -> None:
        self._backend = served
        self._connections = connections

    def wake(self, context: Mapping[str, object]) -> None:
        self._backend.wake()

    @_tells_refusals
    def initialize_connection(
        self, context: Mapping[str, object], volume_id: str, connector: records.Connector
    ) -> records.Connection:
        restored = cg_context.from_dict(context)
        return self._connections.initialize(self._backend.host, restored, volume_id, connector)

    @_tells_refusals
    def terminate_connection(
        self, context: Mapping[str, object], volume_id: str, connector: records.Connector
    ) -> None:
        restored = cg_context.from_dict(context)
        self._connections.terminate(self._backend.host, restored, volume_id, connector)


class Server:
    """Listens for every backend of this manager, as soon as and as long as the broker is there."""

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        connections: Connections,
        backends: Mapping[str, backend.Backend],
    ) -> None:
        self._transport = manager_client.transport(conf)
        self._servers = [
            oslo_messaging.get_rpc_server(
                self._transport,
                # A stable name: the broker keeps the queue of a server that is gone.
                oslo_messaging.Target(
                    exchange=manager_client.EXCHANGE,
                    topic=manager_client.topic(served.host),
                    server=conf.host,
                ),
                [_Endpoint(served, connections)],
                executor="threading",
            )
            for served in backends.values()
        ]

    def start(self) -> None:
        """Begin to listen; without a broker that takes as long as it stays away."""
        # In threads: oslo.messaging's start() waits for the broker.
        for server in self._servers:
            threading.Thread(target=server.start, name="rpc-start", daemon=True).start()

    def stop(self) -> None:
        """Stop listening. Does not wait for a broker that is away."""
        stopper = threading.Thread(target=self._stop, name="rpc-stop", daemon=True)
        stopper.start()
        stopper.join(timeout=5)

    def _stop(self) -> None:
        for server in self._servers:
            if server.listener is not None:
                server.stop()
                server.wait()
        self._transport.cleanup()
