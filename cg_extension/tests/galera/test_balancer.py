# SPDX-License-Identifier: Apache-2.0
"""HAProxy in front of the nodes, as ``etc/haproxy`` has it: others stand in for one of no use."""

import contextlib
import pathlib
import re
import tempfile
import threading
from collections.abc import Callable

import fixtures
import sqlalchemy as sa

from cg_extension.contract import exceptions
from cg_extension.reference.db import engine, services
from cg_extension.reference.service import base as service_base
from cg_extension.tests import databases, waiting
from cg_extension.tests.deployment import processes
from cg_extension.tests.galera import base
from cg_extension.tests.unit.reference.manager.base import FakeManagerClient

_EXAMPLES = pathlib.Path(__file__).parents[3] / "etc" / "haproxy"


class BalancerTest(base.GaleraTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.nodes = self.break_nodes()
        self.port = processes.free_port()
        self.directory = pathlib.Path(
            self.useFixture(fixtures.TempDir(rootdir=tempfile.gettempdir())).path
        )
        conf_file = self.directory / "haproxy.cfg"
        conf_file.write_text(self._adapted())
        haproxy = processes.BoundProcess(
            "haproxy", ["haproxy", "-db", "-f", str(conf_file)], self.directory / "haproxy.log"
        )
        haproxy.start()
        self.addCleanup(haproxy.kill)
        url = sa.make_url(base.urls()[0]).set(host="127.0.0.1", port=self.port)
        conf = databases.configuration(url.render_as_string(hide_password=False))
        conf.set_override("retry_interval", 1, group="database")
        self.database = engine.Database(conf)
        self.addCleanup(self.database.dispose)
        self.part = service_base.Part(conf, self.database, FakeManagerClient())

    def _adapted(self) -> str:
        """The example with the addresses of this test."""
        text = (_EXAMPLES / "galera.cfg").read_text()
        text = text.replace("127.0.0.1:3307", f"127.0.0.1:{self.port}")
        text = text.replace("/etc/haproxy/galera-ready", str(_EXAMPLES / "galera-ready"))
        for number, node in enumerate(self.nodes, start=1):
            text, found = re.subn(
                rf"192\.0\.2\.{number}:3306", f"{node.url.host}:{node.url.port}", text
            )
            self.assertEqual(1, found)
        return text

    def _name(self) -> str:
        """Of the node that a request comes to, which changes something there."""

        def work(transaction: service_base.Transaction) -> str:
            services.report(
                transaction.conn, host="h", availability_zone="z", state_ok=True, stats=None
            )
            found = transaction.conn.exec_driver_sql("SELECT @@wsrep_node_name")
            return str(found.scalar_one())

        name: str = self.part.write(work)
        return name

    def _names(self) -> set[str]:
        """Of the nodes that new connections come to; empty if a request is not carried out."""
        names = set()
        try:
            for _ in range(6):
                self.database.dispose()
                names.add(self._name())
        except exceptions.ServiceUnavailable:
            return set()
        return names

    def _check(self, end: Callable[[], None]) -> None:
        """One process goes on while the node ends that its pooled connections are to."""
        names = {node.name for node in self.nodes}
        self._wait_for(names)
        while self._name() != self.nodes[2].name:
            self.database.dispose()
        end()
        self._go_on()
        self._wait_for(names - {self.nodes[2].name})
        self.cluster.restore()
        self._wait_for(names)

    def _go_on(self) -> None:
        """Wait until a request is carried out by another node, after some that were not."""
        names: list[str] = [self.nodes[2].name]

        def ask() -> None:
            while names[-1] == self.nodes[2].name:
                with contextlib.suppress(exceptions.ServiceUnavailable):
                    names.append(self._name())

        threading.Thread(target=ask, daemon=True).start()
        waiting.eventually(
            lambda: names[-1] != self.nodes[2].name, "another node carries a request out", 60, 0.2
        )

    def _wait_for(self, names: set[str]) -> None:
        waiting.eventually(lambda: self._names() == names, f"{names} are used", 60, 0.2)

    def test_a_node_that_stands_still_is_replaced_by_the_others_until_it_is_back(self) -> None:
        self._check(self.nodes[2].pause)

    def test_a_node_that_is_cut_off_is_replaced_by_the_others_until_it_is_back(self) -> None:
        self._check(self.nodes[2].cut_off)
