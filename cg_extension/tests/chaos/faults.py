# SPDX-License-Identifier: Apache-2.0
"""What goes wrong: processes die or stand still, servers crash, connections are cut.

Every fault mends itself before the next one of its thread; ``Faults.stop`` leaves all well.
"""

import random
import threading
import time
from collections.abc import Callable

from cg_extension.tests.deployment import deployment, processes, servers


class Faults:
    """Two threads, one for our processes and one for the servers that they depend on.

    ``history`` tells what was done: seconds since the start, and what.
    """

    def __init__(
        self,
        seed: int,
        running: deployment.Deployment,
        database: servers.DatabaseServer,
        broker: servers.RabbitMQ,
    ) -> None:
        self.history: list[tuple[float, str]] = []
        self._started = time.monotonic()
        self._stopping = threading.Event()
        self._errors: list[BaseException] = []
        of_processes = _ProcessFaults(random.Random(f"{seed} processes"), running, self._pause)
        of_servers = _ServerFaults(random.Random(f"{seed} servers"), database, broker, self._pause)
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

    def _run(self, faults: "_ProcessFaults | _ServerFaults", pauses: tuple[float, float]) -> None:
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
        database: servers.DatabaseServer,
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

    def _crash(self, server: servers.Server) -> None:
        server.crash()
        self._pause(self.random.uniform(0, 3))
        server.start()
