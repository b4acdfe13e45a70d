# SPDX-License-Identifier: Apache-2.0
"""A manager: all backends of ``enabled_backends``, in this process."""

import time

from oslo_config import cfg
from oslo_log import log as logging

from cg_extension import conf as cg_conf
from cg_extension.conf import errors, plugins
from cg_extension.drivers import base as driver_base
from cg_extension.reference.db import engine, queue
from cg_extension.reference.manager import (
    backend,
    instance,
    leases,
    notifications,
    rpc_server,
    runner,
)
from cg_extension.reference.service import manager_client

LOG = logging.getLogger(__name__)


class ConfigurationError(errors.StartError):
    """The configuration does not describe a manager that can run; says what to change."""


class Manager:
    """Puts the parts together, and starts and stops them in order.

    ``client`` reaches this manager from within the process.
    """

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        database: engine.Database,
        claimant: instance.Instance | None = None,
    ) -> None:
        """Load what the configuration names; touch no backend yet, and start no thread.

        :param claimant: the lock on ``state_path``, if the caller took it already.
        :raises ConfigurationError: no backend, or one without a driver that can be made.
        :raises errors.StartError: a driver that can't be loaded, or an option of messaging that
            can't work.
        """
        if not conf.enabled_backends:
            raise ConfigurationError(
                "enabled_backends is empty. Name at least one backend there, and give it a "
                "section of its own with volume_driver."
            )
        self._conf = conf
        self._database = database
        self._drivers = [_load_driver(conf, name) for name in conf.enabled_backends]
        self._notifier = notifications.Notifications(conf, conf.host)
        manager_client.check(conf)
        self._instance = claimant
        self._begun = False
        self._keeper: leases.LeaseKeeper | None = None
        self._server: rpc_server.Server | None = None
        self._backends: dict[str, backend.Backend] = {}
        self._connections = rpc_server.Connections(database, self._backends)
        self.client: manager_client.ManagerClient = rpc_server.LocalManagerClient(
            self._connections, self._backends
        )

    def start(self) -> None:
        """Take over what an earlier run left, then begin to work.

        ``stop`` undoes it, also after an error.

        :raises instance.AlreadyRunning: another manager has the same ``state_path``.
        :raises errors.StartError: ``state_path`` can't be written.
        """
        self._begun = True
        conf, database = self._conf, self._database
        if self._instance is None:
            self._instance = instance.Instance(conf.state_path, conf.host)
        owner = self._instance.owner
        self._take_over(self._instance.predecessor)
        self._instance.succeed()
        hosts = [driver.host for driver in self._drivers]
        keeper = leases.LeaseKeeper(database, owner, conf.operation_lease, hosts)
        for driver in self._drivers:
            run = runner.Runner(conf, database, owner, driver, self._notifier)
            self._backends[driver.host] = backend.Backend(conf, database, driver, run, keeper)
        if not manager_client.is_local(conf):
            self._server = rpc_server.Server(conf, self._connections, self._backends)
        keeper.start()
        self._keeper = keeper
        for served in self._backends.values():
            served.start()
        if self._server is not None:
            self._server.start()

    def is_settled(self) -> bool:
        """Whether every backend came up, or failed to at its first try."""
        return all(served.is_settled() for served in self._backends.values())

    def is_ready(self) -> bool:
        """Whether there is something to work on: all backends are settled, and one is up."""
        ready = any(served.is_ready() for served in self._backends.values())
        return ready and self.is_settled()

    def summary(self) -> str:
        """Which backends are up, and which are not, for the log."""
        up = [host for host, served in self._backends.items() if served.is_ready()]
        down = [host for host in self._backends if host not in up]
        return "; ".join(
            f"{word} {', '.join(hosts)}"
            for word, hosts in (("up:", up), ("not up:", down))
            if hosts
        )

    def stop(self, timeout: float) -> bool:
        """Claim nothing more and wait up to ``timeout`` seconds for what is under way.

        False: something still is, or the database does not answer. It is left for recovery, and
        the process should end: until then it keeps its claims and ``state_path``.
        """
        if not self._begun:
            return True
        deadline = time.monotonic() + timeout
        if self._server is not None:
            self._server.stop()
        for served in self._backends.values():
            served.stop_claiming()
        ended = True
        for served in self._backends.values():
            ended &= served.wait(max(0.0, deadline - time.monotonic()))
        self._notifier.stop()
        if not ended:
            LOG.warning("Operations are still under way; the next start goes on with them")
            return False
        if self._keeper is not None and not self._keeper.stop():
            LOG.warning("The manager stops although the database does not answer")
            return False
        self._begun = False
        if self._instance is not None:
            self._instance.release()
            self._instance = None
        return True

    @engine.retry
    def _take_over(self, predecessor: str | None) -> None:
        if predecessor is None:
            return
        with self._database.writer() as conn:
            released = queue.release_all(conn, predecessor)
        if released:
            LOG.info("Going on with %d operations that an earlier run left", released)


def _load_driver(conf: cfg.ConfigOpts, name: str) -> driver_base.Driver:
    cg_conf.register_backend_opts(conf, name)
    entry_point = conf[name].volume_driver
    if not entry_point:
        raise ConfigurationError(
            f"Backend {name} of enabled_backends has no volume_driver in its section [{name}]."
        )
    option = f"[{name}] volume_driver"
    plugin = plugins.load(plugins.DRIVERS, entry_point, option)
    if not (isinstance(plugin, type) and issubclass(plugin, driver_base.Driver)):
        wanted = f"{driver_base.__name__}.{driver_base.Driver.__name__}"
        raise ConfigurationError(f"{option} = {entry_point}: It is no subclass of {wanted}")
    try:
        cg_conf.register_backend_opts(conf, name, plugin.get_driver_options())
        driver = plugin(conf, name, f"{conf.host}@{name}")
    except errors.StartError:
        raise
    except Exception as error:  # Another vendor's package may raise anything.
        raise ConfigurationError(
            f"{option} = {entry_point}: It can't be made: {errors.describe(error)}"
        ) from error
    return driver
