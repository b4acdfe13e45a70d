# SPDX-License-Identifier: Apache-2.0
"""How the service reaches a backend's managers: wake-ups and connections to volumes.

A wake-up only says "look into the queue"; nothing depends on its arrival, since managers poll,
too. The managers' end of the same calls is ``manager.rpc_server``.
"""

import abc
import contextlib
import importlib
import socket
import threading
import time
from concurrent import futures
from typing import Any

import oslo_messaging
from oslo_config import cfg
from oslo_log import log as logging

from cg_extension.conf import errors
from cg_extension.contract import context as cg_context
from cg_extension.contract import exceptions, records

LOG = logging.getLogger(__name__)

Context = cg_context.RequestContext

EXCHANGE = "cg_extension"
# The modules whose exceptions cross the broker as what they are.
REMOTE_EXCEPTIONS = (exceptions.__name__,)

# Option groups that oslo.messaging registers on the global configuration only, and their modules,
# which also hold the lists. Its releases from 18 on read them of every transport's configuration.
_GLOBAL_OPTIONS = {
    "oslo_messaging_metrics": "oslo_messaging._metrics.client",
    "oslo_messaging_tracing": "oslo_messaging._tracing.client",
}

# Seconds that a request waits for a manager's answer.
_CALL_TIMEOUT = 10.0

# Seconds; a wake-up costs the broker and both ends as much as a small request.
_WAKE_INTERVAL = 0.02

# RabbitMQ's, for URLs without one; and seconds to wait for each of its hosts.
_BROKER_PORT = 5672
_CONNECT_TIMEOUT = 1.0


def topic(host: str) -> str:
    """Where the managers of ``host`` (``host@backend``) listen."""
    return f"cg-manager.{host}"


def transport(conf: cfg.ConfigOpts) -> Any:
    """oslo.messaging's transport for calls, as ``transport_url`` says; connects when used."""
    for group, module in _GLOBAL_OPTIONS.items():
        with contextlib.suppress(ImportError, AttributeError):  # An older release.
            conf.register_opts(getattr(importlib.import_module(module), group), group=group)
    return oslo_messaging.get_rpc_transport(conf, allowed_remote_exmods=list(REMOTE_EXCEPTIONS))


def check(conf: cfg.ConfigOpts) -> None:
    """Find out whether there can be a transport, without a broker and without keeping it.

    :raises errors.StartError: not with this ``transport_url``.
    """
    if not is_local(conf):
        with errors.blaming("transport_url"):
            transport(conf).cleanup()


def is_local(conf: cfg.ConfigOpts) -> bool:
    """Whether ``transport_url`` reaches this process only, so that no broker is needed.

    :raises errors.StartError: it is not a URL of that kind.
    """
    with errors.blaming("transport_url"):
        return bool(oslo_messaging.TransportURL.parse(conf).transport == "fake")


class ManagerClient(abc.ABC):
    """What the service needs of a backend's managers."""

    @abc.abstractmethod
    def wake(self, host: str) -> None:
        """Tell the managers of ``host`` that work was queued. Never fails, never waits."""

    @abc.abstractmethod
    def initialize_connection(
        self, host: str, context: Context, volume_id: str, connector: records.Connector
    ) -> records.Connection:
        """The driver's ``{"driver_volume_type": …, "data": {…}}`` for a volume.

        :raises ServiceUnavailable: no manager of ``host`` answers.
        """

    @abc.abstractmethod
    def terminate_connection(
        self, host: str, context: Context, volume_id: str, connector: records.Connector
    ) -> None:
        """Undo ``initialize_connection``.

        :raises ServiceUnavailable: no manager of ``host`` answers.
        """

    def is_reachable(self) -> bool:
        """Whether what carries the calls is there at all; finds out within seconds."""
        return True

    def close(self) -> None:  # noqa: B027 - not every client holds something
        """Let go of connections; wake-ups that were not sent yet are dropped."""


class MessagingManagerClient(ManagerClient):
    """Reaches managers in other processes through the broker of ``transport_url``.

    A broker that is down costs a request nothing: casts are made by a thread of their own. It
    makes one of all wake-ups for a host that come within ``_WAKE_INTERVAL``, the first of which
    goes out at once. The thread and the connection come into being with the first use, so after a
    server's fork.
    """

    # All threads are daemons: oslo.messaging may wait in them for a broker that stays away, and
    # the process must be able to end.

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """:raises errors.StartError: ``transport_url`` can't work."""
        check(conf)
        self._conf = conf
        self._changed = threading.Condition()
        self._pending: set[str] = set()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._client: Any = None

    def wake(self, host: str) -> None:
        with self._changed:
            self._pending.add(host)
            self._changed.notify()
            if self._thread is None:
                thread = threading.Thread(target=self._cast, name="manager-client", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:  # What was accepted must not fail for it.
                    LOG.warning("Could not wake %s yet: %s", host, error)
                else:
                    self._thread = thread

    def _cast(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending or self._closed)
                if self._closed:
                    return
                # Before the cast: work that is queued from now on needs a wake-up of its own.
                hosts, self._pending = self._pending, set()
            for host in hosts:
                try:
                    # To all managers of the backend: one of them may be busy or paused.
                    self._prepare(host, fanout=True).cast({}, "wake")
                except Exception as error:
                    LOG.warning(
                        "Could not wake %s, which will find its work by polling: %s", host, error
                    )
            time.sleep(_WAKE_INTERVAL)

    def initialize_connection(
        self, host: str, context: Context, volume_id: str, connector: records.Connector
    ) -> records.Connection:
        connection: records.Connection = self._call(
            host, context, "initialize_connection", volume_id, connector
        )
        return connection

    def terminate_connection(
        self, host: str, context: Context, volume_id: str, connector: records.Connector
    ) -> None:
        self._call(host, context, "terminate_connection", volume_id, connector)

    def is_reachable(self) -> bool:
        hosts = oslo_messaging.TransportURL.parse(self._conf).hosts
        for host in hosts or [oslo_messaging.TransportHost()]:
            address = (host.hostname or "localhost", host.port or _BROKER_PORT)
            with contextlib.suppress(OSError):
                socket.create_connection(address, _CONNECT_TIMEOUT).close()
                return True
        return False

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()
            if self._client is not None:
                cleanup = self._client.transport.cleanup
                threading.Thread(target=cleanup, name="manager-client-cleanup", daemon=True).start()

    def _call(
        self,
        host: str,
        context: Context,
        method: str,
        volume_id: str,
        connector: records.Connector,
    ) -> Any:
        answer: futures.Future[Any] = futures.Future()

        def call() -> None:
            try:
                client = self._prepare(host, timeout=_CALL_TIMEOUT)
                arguments = {"volume_id": volume_id, "connector": dict(connector)}
                answer.set_result(client.call(context.to_dict(), method, **arguments))
            except Exception as error:
                answer.set_exception(error)

        thread = threading.Thread(target=call, name=method, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # There is none to be had.
            raise exceptions.ServiceUnavailable(
                reason="The service is too busy now; try again later."
            ) from error
        try:
            return answer.result(timeout=_CALL_TIMEOUT)
        except (oslo_messaging.MessagingException, futures.TimeoutError) as error:
            LOG.error("%s on %s failed: %s", method, host, error or "no answer")
            raise exceptions.ServiceUnavailable(
                reason=f"The backend {host} does not answer; try again later."
            ) from error

    def _prepare(self, host: str, **options: Any) -> Any:
        with self._changed:
            if self._client is None:
                self._client = oslo_messaging.get_rpc_client(
                    transport(self._conf), oslo_messaging.Target(exchange=EXCHANGE)
                )
            client = self._client
        # Not 0, by which the driver of RabbitMQ means "for ever" while it connects.
        return client.prepare(topic=topic(host), retry=1, **options)
