# SPDX-License-Identifier: Apache-2.0
"""What goes wrong: processes die or stand still, servers crash, connections are cut.

Every fault mends itself before the next one of its thread; ``Faults.stop`` leaves all well.
"""

import random
import threading
import time
from collections.abc import Callable
from typing import Protocol

from cg_extension.tests.deployment import deployment, processes, servers
from cg_extension.tests.galera import cluster


class Crashable(Protocol):
    """A server that is there again after ``start``."""

    def crash(self) -> None: ...

    def start(self) -> None: ...

    def cut_connections(self) -> None: ...


class Faults:
    """Two threads, one for our processes and one for the servers that they depend on.

    ``history`` tells what was done: seconds since the start, and what.
    """

    def __init__(
        self,
        seed: int,
        running: deployment.Deployment,
        database: Crashable | cluster.Cluster,
        broker: servers.RabbitMQ,
    ) -> None:
        self.history: list[tuple[float, str]] = []
        self._started = time.monotonic()
        self._stopping = threading.Event()
        self._errors: list[BaseException] = []
        of_processes = _ProcessFaults(random.Random(f"{seed} processes"), running, self._pause)
        rng = random.Random(f"{seed} servers")
        of_servers: _ServerFaults | _ClusterFaults
        if isinstance(database, cluster.Cluster):
            of_servers = _ClusterFaults(rng, database, broker, self._pause)
        else:
            of_servers = _ServerFaults(rng, database, broker, self._pause)
        self._threads = [
            threading.Thread(target=self._run, args=(faults, pauses), daemon=True)
            for faults, pauses in ((of_processes, (0.2, 2.0)), (of_servers, (2.0, 6.0)))
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the faults, and wait until what they broke is mended.

        :raises Exception: a fault could not be mended, which is no fault of the service.
        """
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def _pause(self, seconds: float) -> None:
        self._stopping.wait(seconds)

    def _run(self, faults: "_Chooser", pauses: tuple[float, float]) -> None:
        try:
            while True:
                self._pause(faults.random.uniform(*pauses))
                if self._stopping.is_set():
                    return
                fault = faults.choose()
                self.history.append((time.monotonic() - self._started, fault.__name__))
                fault()
        except BaseException as error:
            self._errors.append(error)


class _Chooser(Protocol):
    random: random.Random

    def choose(self) -> Callable[[], None]: ...


class _ProcessFaults:
    def __init__(
        self,
        rng: random.Random,
        running: deployment.Deployment,
        pause: Callable[[float], None],
    ) -> None:
        self.random = rng
        self._running = running
        self._pause = pause

    def choose(self) -> Callable[[], None]:
        weights = {
            self.kill_manager: 4,
            self.pause_manager: 4,
            self.stop_manager: 1,
            self.kill_api: 1,
            self.pause_api: 1,
            self.kill_api_worker: 2,
        }
        return self.random.choices(list(weights), list(weights.values()))[0]

    def kill_manager(self) -> None:
        self._end(self._manager(), processes.Process.kill)

    def stop_manager(self) -> None:
        self._end(self._manager(), processes.Process.stop)

    def kill_api(self) -> None:
        self._end(self._api(), processes.Process.kill)

    def pause_manager(self) -> None:
        """For less or for more than the lease."""
        lease = self._running.option("operation_lease")
        self._hold(self._manager(), self.random.uniform(0.2, 2 * lease))

    def pause_api(self) -> None:
        self._hold(self._api(), self.random.uniform(0.2, 2))

    def kill_api_worker(self) -> None:
        """One of gunicorn's; its master starts another one."""
        for process in self._running.apis.values():
            process.kill_child(self.random)

    def _manager(self) -> processes.Process:
        return self.random.choice(list(self._running.managers.values()))

    def _api(self) -> processes.Process:
        return self.random.choice(list(self._running.apis.values()))

    def _end(self, process: processes.Process, end: Callable[[processes.Process], None]) -> None:
        end(process)
        self._pause(self.random.uniform(0, 2))
        process.start()

    def _hold(self, process: processes.Process, seconds: float) -> None:
        process.pause()
        self._pause(seconds)
        process.resume()


class _ServerFaults:
    def __init__(
        self,
        rng: random.Random,
        database: Crashable,
        broker: servers.RabbitMQ,
        pause: Callable[[float], None],
    ) -> None:
        self.random = rng
        self._database = database
        self._broker = broker
        self._pause = pause

    def choose(self) -> Callable[[], None]:
        faults = [self.crash_database, self.cut_database, self.crash_broker, self.cut_broker]
        return self.random.choice(faults)

    def crash_database(self) -> None:
        self._crash(self._database)

    def crash_broker(self) -> None:
        self._crash(self._broker)

    def cut_database(self) -> None:
        self._database.cut_connections()

    def cut_broker(self) -> None:
        self._broker.cut_connections()

    def _crash(self, server: Crashable) -> None:
        server.crash()
        self._pause(self.random.uniform(0, 3))
        server.start()


class _ClusterFaults:
    """Nodes of a Galera cluster end, stand still or lose the others, and come back."""

    # Seconds for which there is no quorum, to which those are added that the way back takes.
    _WITHOUT_QUORUM = 20

    def __init__(
        self,
        rng: random.Random,
        database: cluster.Cluster,
        broker: servers.RabbitMQ,
        pause: Callable[[float], None],
    ) -> None:
        self.random = rng
        self._cluster = database
        self._broker = broker
        self._pause = pause
        self._first = True

    def choose(self) -> Callable[[], None]:
        if self._first:  # However short the run.
            self._first = False
            return self.end_quorum
        weights = {
            self.kill_node: 4,
            self.cut_off_node: 4,
            self.pause_node: 2,
            self.end_quorum: 1,
            self.cut_broker: 1,
        }
        return self.random.choices(list(weights), list(weights.values()))[0]

    def kill_node(self) -> None:
        self._break(cluster.Node.kill, 1, self.random.uniform(0, 8))

    def cut_off_node(self) -> None:
        """For less or for more than the others take to notice."""
        self._break(cluster.Node.cut_off, 1, self.random.uniform(0, 8))

    def pause_node(self) -> None:
        self._break(cluster.Node.pause, 1, self.random.uniform(0, 8))

    def end_quorum(self) -> None:
        end = self.random.choice([cluster.Node.kill, cluster.Node.cut_off])
        self._break(end, 2, self._WITHOUT_QUORUM)

    def cut_broker(self) -> None:
        self._broker.cut_connections()

    def _break(self, end: Callable[[cluster.Node], None], count: int, seconds: float) -> None:
        for node in self.random.sample(self._cluster.nodes, count):
            end(node)
        self._pause(seconds)
        self._cluster.restore()
