# SPDX-License-Identifier: Apache-2.0
"""A Galera cluster of private servers on this machine, whose nodes a test kills and cuts off.

Each node has a loopback address of its own, so that all have the same ports. A node that is cut off
is so by Galera's own means for tests (``gmcast.isolate``): it hears nothing of the others and they
nothing of it, while clients reach it as before. That needs no rights and leaves nothing behind. For
a node that does not answer at all there is ``pause``.
"""

import contextlib
import functools
import os
import pathlib
import random
import re
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Sequence

import fixtures
import pymysql
import sqlalchemy as sa

from cg_extension.tests import lasting, waiting
from cg_extension.tests.deployment import processes

SIZE = 3
_PORT, _GROUP_PORT, _IST_PORT, _SST_PORT = 13306, 14567, 14568, 14444
_PROVIDERS = ("/usr/lib/galera/libgalera_smm.so", "/usr/lib64/galera-4/libgalera_smm.so")
# A state transfer by rsync does not work as root; Debian's package has a user for it.
_USER = "mysql" if os.geteuid() == 0 else None
# Short enough that a test sees soon that a node has gone, and long enough for a busy machine.
_TIMEOUTS = "evs.keepalive_period=PT0.5S;evs.suspect_timeout=PT3S;evs.inactive_timeout=PT6S"
_RECOVERED = re.compile(r"Recovered position: ([0-9a-f-]{36}):(-?\d+)")
# Seconds within which a node starts, gets the state of the others and is one of them.
_PATIENCE = 90.0


class Node:
    """One server; ``url`` is its address, without a database."""

    def __init__(self, number: int, addresses: Sequence[str], directory: pathlib.Path) -> None:
        self.name = f"node{number}"
        self._address = addresses[number]
        self.url = sa.make_url(f"mysql+pymysql://root@{self._address}:{_PORT}/")
        self._data = directory / "data"
        self._log = directory / "log"
        self._data.mkdir(parents=True)
        members = ",".join(f"{address}:{_GROUP_PORT}" for address in addresses)
        provider = [
            f"gmcast.listen_addr=tcp://{self._address}:{_GROUP_PORT}",
            f"ist.recv_addr={self._address}:{_IST_PORT}",
            "gcache.size=16M",
            _TIMEOUTS,
        ]
        self._command = [
            "mariadbd",
            "--no-defaults",
            f"--datadir={self._data}",
            f"--socket={directory / 'socket'}",
            f"--pid-file={directory / 'pid'}",
            f"--bind-address={self._address}",
            f"--port={_PORT}",
            "--skip-grant-tables",
            "--skip-networking=0",
            "--max-connections=300",
            "--performance-schema=OFF",
            "--innodb-buffer-pool-size=32M",
            "--innodb-log-file-size=16M",
            # A crash of the server loses nothing; a power cut is not meant here.
            "--innodb-flush-log-at-trx-commit=2",
            "--skip-innodb-doublewrite",
            "--binlog-format=ROW",
            "--innodb-autoinc-lock-mode=2",
            "--wsrep-on=ON",
            f"--wsrep-provider={next(filter(os.path.exists, _PROVIDERS), _PROVIDERS[0])}",
            f"--wsrep-cluster-name={directory.parent.name}",
            f"--wsrep-cluster-address=gcomm://{members}",
            f"--wsrep-node-name={self.name}",
            f"--wsrep-node-address={self._address}",
            "--wsrep-sst-method=rsync",
            f"--wsrep-sst-receive-address={self._address}:{_SST_PORT}",
            f"--wsrep-provider-options={';'.join(provider)}",
        ]
        self._process = self._new_process()

    def install(self) -> None:
        """Make the data of the first node of a new cluster."""
        command = ["mariadb-install-db", "--no-defaults", "--skip-test-db"]
        self._run([*command, f"--datadir={self._data}"])

    def launch(self, *more: str) -> None:
        """Start it, without waiting for anything. ``more``: further arguments."""
        self._process = self._new_process(*more)
        self._process.start()

    def is_running(self) -> bool:
        return self._process.is_running()

    def kill(self) -> None:
        """SIGKILL. The others go on without it once they have noticed."""
        self._process.kill()

    def pause(self) -> None:
        """It stands still, and answers nobody."""
        self._process.pause()

    def resume(self) -> None:
        self._process.resume()

    def cut_off(self) -> None:
        """Cut it off from the other nodes, not from clients."""
        self.execute("SET GLOBAL wsrep_provider_options = 'gmcast.isolate=1'")

    def heal(self) -> None:
        """End what ``cut_off`` did."""
        self.execute("SET GLOBAL wsrep_provider_options = 'gmcast.isolate=0'")

    def status(self) -> dict[str, str]:
        """Galera's variables, such as ``wsrep_cluster_size``; empty if it does not answer."""
        with contextlib.suppress(pymysql.Error):
            return dict(self.execute("SHOW STATUS LIKE 'wsrep%'"))
        return {}

    def is_primary(self) -> bool:
        """Whether it takes part in the cluster, and the cluster has a quorum."""
        return self.status().get("wsrep_cluster_status") == "Primary"

    def is_synced(self, size: int) -> bool:
        """Whether it is one of ``size`` nodes, and has all that they have."""
        status = self.status()
        return (
            status.get("wsrep_ready") == "ON"
            and status.get("wsrep_local_state_comment") == "Synced"
            and status.get("wsrep_cluster_size") == str(size)
        )

    def execute(self, statement: str, database: str | None = None) -> list[tuple[str, ...]]:
        """Run a statement of its own, as far as a node without a quorum takes it."""
        connection = pymysql.connect(
            **{"host": self._address, "port": _PORT, "user": "root", "database": database},
            autocommit=True,
            connect_timeout=5,
            read_timeout=60,
        )
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def recovered_position(self) -> tuple[str, int]:
        """The state's UUID, and the number of the last transaction that it has; it must not run."""
        output = self._run([*self._command, "--wsrep-recover"])
        found = _RECOVERED.findall(output)
        if not found:
            raise RuntimeError(f"{self.name} tells no position:\n{output[-4000:]}")
        state, number = found[-1]
        return state, int(number)

    def allow_bootstrap(self) -> None:
        """Let a new cluster begin with this one's state, though it was not the last to end."""
        path = self._data / "grastate.dat"
        path.write_text(path.read_text().replace("safe_to_bootstrap: 0", "safe_to_bootstrap: 1"))

    def tail(self) -> str:
        """The end of its log."""
        return self._process.tail()

    def _new_process(self, *more: str) -> processes.BoundProcess:
        return processes.BoundProcess(self.name, [*self._command, *more], self._log, _USER)

    @staticmethod
    def _run(command: list[str]) -> str:
        done = subprocess.run(
            command,
            user=_USER,
            group=_USER,
            extra_groups=[] if _USER else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed:\n{done.stdout[-4000:]}")
        return done.stdout


class Cluster(fixtures.Fixture):
    """``nodes`` that run and are one cluster."""

    nodes: list[Node]

    def _setUp(self) -> None:
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="cg_galera_", dir="/var/tmp"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        network = f"127.{random.randint(1, 254)}.{random.randint(1, 254)}"
        addresses = [f"{network}.{number + 1}" for number in range(SIZE)]
        self.nodes = [
            Node(number, addresses, self.directory / f"node{number}") for number in range(SIZE)
        ]
        if _USER:
            for path in (self.directory, *self.directory.rglob("*")):
                shutil.chown(path, _USER)
        self.addCleanup(self._kill)
        self.nodes[0].install()
        self.nodes[0].launch("--wsrep-new-cluster")
        self._wait(self.nodes[:1])
        for node in self.nodes[1:]:
            node.launch()
        self._wait(self.nodes)

    def restore(self) -> None:
        """Make all nodes run, and be one cluster, whatever was done to them."""
        running = [node for node in self.nodes if node.is_running()]
        for node in running:
            node.resume()
        for node in running:
            waiting.eventually(node.status, f"{node.name} answers", _PATIENCE, 0.1)
            node.heal()
        ended = [node for node in self.nodes if node not in running]
        if not running:
            ended = self._bootstrap()
        elif ended and not any(node.is_primary() for node in running):
            # Those that are left know that they are too few, and that nobody else goes on.
            running[0].execute("SET GLOBAL wsrep_provider_options = 'pc.bootstrap=YES'")
        for node in ended:
            self.rejoin(node)
        self._wait(self.nodes)

    def rejoin(self, node: Node) -> None:
        """Start a node that has ended; ``wait_until_synced`` tells when it is back."""
        state, number = node.recovered_position()
        node.launch(f"--wsrep-start-position={state}:{number}")

    def _bootstrap(self) -> list[Node]:
        """Begin anew with the node that has the newest state; gives those that are to rejoin."""
        positions = {node: node.recovered_position() for node in self.nodes}
        first = max(positions, key=lambda node: positions[node][1])
        state, number = positions[first]
        first.allow_bootstrap()
        first.launch("--wsrep-new-cluster", f"--wsrep-start-position={state}:{number}")
        self._wait([first])
        return [node for node in self.nodes if node is not first]

    def wait_until_synced(self, nodes: Sequence[Node] | None = None) -> None:
        """Wait until ``nodes``, all if None, are a cluster.

        :raises TimeoutError: with the end of the log of one that is not.
        """
        self._wait(self.nodes if nodes is None else nodes)

    def new_database(self) -> list[str]:
        """URLs of a new empty database, one a node; it goes with the cluster."""
        name = f"cg_{uuid.uuid4().hex[:12]}"
        self.nodes[0].execute(f"CREATE DATABASE {name}")
        return [
            node.url.set(database=name).render_as_string(hide_password=False) for node in self.nodes
        ]

    def _wait(self, nodes: Sequence[Node]) -> None:
        for node in nodes:
            try:
                waiting.eventually(
                    lambda node=node: node.is_synced(len(nodes)),
                    f"{node.name} is one of {len(nodes)}: {node.status()}",
                    _PATIENCE,
                    0.1,
                )
            except TimeoutError as error:
                raise TimeoutError(f"{error}:\n{node.tail()}") from error

    def _kill(self) -> None:
        for node in self.nodes:
            node.kill()


@functools.cache
def shared() -> Cluster:
    """The cluster of this process, which ends with it. ``restore`` it after breaking it."""
    return lasting.start(Cluster())
