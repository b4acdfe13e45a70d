# SPDX-License-Identifier: Apache-2.0
"""Backends that are gone for good, and those that are not, on every database."""

import datetime
import threading
from typing import Any
from unittest import mock

import sqlalchemy as sa

from cg_extension.conf import errors
from cg_extension.reference.db import engine, queue, service_removal, services, tables
from cg_extension.tests import databases
from cg_extension.tests.unit.reference.service import base

DOWN_TIME = 60.0


class ServiceRemovalTestCase(base.ServiceTestCase):
    def silence(self, host: str, *, state_ok: bool = True, seconds: float = DOWN_TIME + 1) -> None:
        """A backend whose last heartbeat was so long ago."""
        self.report(host)
        with self.database.writer() as conn:
            past = engine.now(conn) - datetime.timedelta(seconds=seconds)
            values = {"heartbeat_at": past, "state_ok": state_ok}
            services.update(conn, host=host, binary=services.BINARY, values=values)

    def remove(self, host: str = base.HOST) -> list[str]:
        return service_removal.remove(self.database, host, DOWN_TIME)

    def hosts(self) -> list[str]:
        with self.database.reader() as conn:
            return [row.host for row in services.find(conn)]

    def assert_refused(self, reason: str, host: str = base.HOST) -> None:
        before = self.hosts()
        self.refused(reason, errors.StartError, self.remove, host)
        self.assertEqual(before, self.hosts())


class ServiceRemovalTest(ServiceRemovalTestCase):
    def test_a_backend_that_is_silent_is_forgotten_and_no_other(self) -> None:
        for host in ("host@two", "HOST@one", "host2@one"):
            self.silence(host)
        self.silence(base.HOST)
        self.assertEqual([base.HOST], self.remove())
        self.assertCountEqual(["host@two", "HOST@one", "host2@one"], self.hosts())

    def test_one_that_never_reported_is_forgotten(self) -> None:
        with self.database.writer() as conn:
            conn.execute(sa.update(tables.services).values(heartbeat_at=None))
        self.assertEqual([base.HOST], self.remove())

    def test_a_host_stands_for_all_of_its_backends_or_none(self) -> None:
        self.silence(base.HOST)
        self.report("host@two")
        self.assert_refused("host@two is alive", "host")
        self.silence("host@two")
        self.assertEqual([base.HOST, "host@two"], self.remove("host"))
        self.assertEqual([], self.hosts())

    def test_one_that_is_not_there_is_told_with_those_that_are(self) -> None:
        self.report("host@two")
        self.assert_refused("There is no host@three; there are: host@one, host@two", "host@three")

    def test_one_whose_manager_is_alive_is_refused_even_if_its_driver_is_not_up(self) -> None:
        self.silence(base.HOST, state_ok=False, seconds=DOWN_TIME - 20)
        self.assert_refused("host@one is alive: it reported 40 s ago. Stop its manager")

    def test_what_is_still_there_is_told(self) -> None:
        group = self.group()
        volumes = [self.volume(group) for _ in range(4)]
        cgsnapshot = self.cgsnapshot(group)
        self.service.delete_cgsnapshot(self.member, cgsnapshot.id)
        with self.database.reader() as conn:
            operation = conn.execute(sa.select(tables.operations.c.id)).scalar_one()
        self.silence(base.HOST)
        error = str(self.assertRaises(errors.StartError, self.remove))
        for told in (
            f"host@one still has 1 queued operation ({operation}), ",
            f", 1 group snapshot ({cgsnapshot.id}), ",
            ", 4 snapshots (",
            f", 1 group ({group.id}), ",
            ", 4 volumes (",
        ):
            self.assertIn(told, error)
        named = [volume.id for volume in volumes if volume.id in error]
        self.assertEqual(3, len(named), error)
        self.silence("host@two")
        self.assertEqual(["host@two"], self.remove("host@two"))

    def test_a_group_a_volume_or_an_operation_alone_keeps_it(self) -> None:
        self.silence(base.HOST)
        self.operation()
        self.assert_refused("host@one still has 1 queued operation (")
        self.settle()
        self.report()
        self.group()
        self.silence(base.HOST)
        self.assert_refused("host@one still has 1 group (")
        self.report("host@two")
        self.volume()
        self.silence("host@two")
        self.assert_refused("host@two still has 1 volume (", "host@two")

    def operation(self) -> None:
        """One whose resource is gone."""
        with self.database.writer() as conn:
            queue.enqueue(
                conn,
                kind="volume.delete",
                resource_id=base.MISSING,
                project_id="p",
                host=base.HOST,
                arguments={},
                context=self.member,
            )

    def test_a_manager_that_reports_while_it_is_removed_is_there_again(self) -> None:
        self.silence(base.HOST)
        remove = services.remove
        reporting = threading.Thread(target=engine.retry(self.report))

        def remove_and_wait(*arguments: Any) -> bool:
            removed = remove(*arguments)
            reporting.start()
            reporting.join(0.3)
            self.assertTrue(reporting.is_alive())
            return removed

        with mock.patch.object(services, "remove", remove_and_wait):
            self.assertEqual([base.HOST], self.remove())
        reporting.join()
        self.assertEqual([base.HOST], self.hosts())


class ConcurrentServiceRemovalTest(ServiceRemovalTestCase):
    # SQLite's writers wait for each other.
    scenarios = databases.on(*databases.SERVERS)

    def test_one_that_reports_after_the_look_at_it_is_refused(self) -> None:
        self.silence(base.HOST)
        check = service_removal._check
        checked: list[str] = []

        def check_and_report(conn: Any, row: Any, down_time: float) -> None:
            check(conn, row, down_time)
            checked.append(row.host)
            self.report()

        with mock.patch.object(service_removal, "_check", check_and_report):
            self.assert_refused("host@one is alive")
        self.assertEqual([base.HOST], checked)
