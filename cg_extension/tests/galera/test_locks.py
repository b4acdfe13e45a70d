# SPDX-License-Identifier: Apache-2.0
"""Who excludes whom over two nodes, where locks of rows and by name are each node's own."""

import collections
import configparser
import datetime
import pathlib
import tempfile
import threading
from typing import Any
from unittest import mock

import fixtures
import sqlalchemy as sa

from cg_extension.contract import context as cg_context
from cg_extension.reference.db import engine, locks, queue, services, tables
from cg_extension.reference.manager import leases
from cg_extension.tests import databases, long, races
from cg_extension.tests.deployment import warm
from cg_extension.tests.galera import base, cluster

HOST = "host@one"


class QueueTest(base.GaleraTestCase):
    """Two managers of one backend, each at a node of its own."""

    def setUp(self) -> None:
        super().setUp()
        self.keepers = [
            leases.LeaseKeeper(database, owner, 30.0, [HOST])
            for owner, database in zip("ab", self.databases, strict=False)
        ]

    def _enqueue(self, database: engine.Database, resource_id: str) -> None:
        @engine.retry
        def enqueue() -> None:
            with database.writer() as conn:
                queue.enqueue(
                    conn,
                    kind="volume.create",
                    resource_id=resource_id,
                    project_id="p",
                    host=HOST,
                    arguments={},
                    context=cg_context.RequestContext(),
                )

        enqueue()

    def test_an_operation_is_claimed_by_one_of_them(self) -> None:
        for number in range(40):
            self._enqueue(self.databases[2], str(number))
        claimed: list[str] = []

        def claim(keeper: leases.LeaseKeeper) -> None:
            while found := keeper.claim(HOST, 2):
                claimed.extend(operation.resource_id for operation, _lease in found)

        answers = races.at_once(*[lambda k=each: claim(k) for each in self.keepers])
        self.assertEqual([None, None], answers)
        self.assertEqual(sorted(map(str, range(40))), sorted(claimed))

    def test_an_end_and_a_takeover_at_once_are_one_of_them(self) -> None:
        ends: collections.Counter[tuple[bool, bool]] = collections.Counter()
        for number in range(20):
            self._enqueue(self.databases[0], str(number))
            [(operation, _lease)] = self.keepers[0].claim(HOST, 1)
            databases.let_leases_run_out(self.databases[2])
            with self.databases[1].reader() as conn:
                overdue = queue.others(conn, [HOST], "b")

            @engine.retry
            def finish(identity: str = operation.id) -> bool:
                with self.databases[0].writer() as conn:
                    return queue.finish(conn, identity, "a")

            @engine.retry
            def take_over(overdue: dict[str, datetime.datetime] = overdue) -> bool:
                with self.databases[1].writer() as conn:
                    found = queue.claim(
                        conn,
                        host=HOST,
                        owner="b",
                        lease_seconds=30,
                        limit=1,
                        overdue=overdue,
                    )
                    return bool(found)

            ends[tuple(races.at_once(finish, take_over))] += 1
            with self.databases[1].writer() as conn:
                queue.finish(conn, operation.id, "b")
        self.assertEqual(20, ends[True, False] + ends[False, True], ends)

    def test_a_resource_has_one_operation(self) -> None:
        for number in range(20):
            answers = races.at_once(
                *[lambda d=each, n=number: self._enqueue(d, str(n)) for each in self.databases[:2]]
            )
            self.assertEqual(1, answers.count(None), answers)


class ServicesTest(base.GaleraTestCase):
    def test_managers_of_one_backend_that_start_at_once_share_a_row(self) -> None:
        def report(database: engine.Database, host: str) -> None:
            @engine.retry
            def transaction() -> None:
                with database.writer() as conn:
                    services.report(
                        conn, host=host, availability_zone="nova", state_ok=True, stats=None
                    )

            transaction()

        for number in range(20):
            host = f"host{number}@one"
            answers = races.at_once(
                *[lambda d=each, h=host: report(d, h) for each in self.databases[:2]]
            )
            self.assertEqual([None, None], answers)
            with self.databases[2].reader() as conn:
                self.assertEqual(1, len(services.find(conn, host=host)))


class LocksTest(base.GaleraTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.useFixture(fixtures.MockPatchObject(locks, "_PAUSE", 0.05))
        self.useFixture(fixtures.MockPatchObject(locks, "_PATIENCE", 10))

    def test_one_process_at_a_time_is_inside_whatever_its_node(self) -> None:
        inside: list[str] = []
        seen: list[list[str]] = []
        pause = threading.Event()

        def work(database: engine.Database, name: str) -> None:
            for _ in range(5):
                with locks.hold(database, "test"):
                    inside.append(name)
                    pause.wait(0.1)
                    seen.append(list(inside))
                    inside.remove(name)

        names = ("a", "b", "c")
        answers = races.at_once(
            *[
                lambda d=each, n=name: work(d, n)
                for each, name in zip(self.databases, names, strict=True)
            ]
        )
        self.assertEqual([None] * 3, answers)
        self.assertEqual([1] * 15, [len(each) for each in seen])

    def test_the_lock_of_a_process_that_died_is_taken_over(self) -> None:
        with mock.patch.object(locks, "_keep"), mock.patch.object(locks, "_drop"):
            with locks.hold(self.databases[0], "test"):
                pass
        with locks.hold(self.databases[1], "test"):
            pass

    def test_of_two_at_one_node_who_wait_for_a_dead_one_one_takes_over(self) -> None:
        node = self.databases[0]
        with mock.patch.object(locks, "_keep"), mock.patch.object(locks, "_drop"):
            with locks.hold(node, "test"):
                pass
        dead = locks._take(node, "test", "looks", None)
        both = threading.Barrier(2)
        change = locks._change

        def change_at_once(*arguments: Any) -> bool:
            both.wait(30)
            return change(*arguments)

        with mock.patch.object(locks, "_change", change_at_once):
            answers = races.at_once(
                *[lambda n=name: locks._take(node, "test", n, dead) for name in ("a", "b")]
            )
        self.assertEqual([None], [each for each in answers if each is None])
        for name in ("a", "b"):
            locks._drop(node, "test", name)


class MigrationTest(base.GaleraTestCase):
    def test_a_migration_on_two_nodes_at_once_is_made_once(self) -> None:
        directory = pathlib.Path(
            self.useFixture(fixtures.TempDir(rootdir=tempfile.gettempdir())).path
        )
        for number in range(5 if long.WANTED else 1):
            urls = cluster.shared().new_database()[:2]

            def sync(name: str, url: str) -> tuple[int, str]:
                parser = configparser.RawConfigParser()
                parser["DEFAULT"] = {"state_path": str(directory)}
                parser["database"] = {"connection": url}
                path = directory / f"{name}.conf"
                with path.open("w") as output:
                    parser.write(output)
                command = ["--config-file", str(path), "db", "sync"]
                done = warm.run("cg_extension.cmd.manage:main", command)
                return done.returncode, done.stderr

            calls = [
                lambda n=node, u=url, r=number: sync(f"{r}-{n}", u) for node, url in enumerate(urls)
            ]
            answers = races.at_once(*calls)
            self.assertEqual([0, 0], [code for code, _said in answers], answers)
            database = engine.Database(databases.configuration(urls[1]))
            self.addCleanup(database.dispose)
            with database.reader() as conn:
                types = conn.execute(sa.select(tables.volume_types.c.name)).scalars().all()
            self.assertEqual(1, len(types))
