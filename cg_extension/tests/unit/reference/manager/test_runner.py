# SPDX-License-Identifier: Apache-2.0
"""One operation at a time: attempts, errors, fencing, and what each kind leaves behind."""

import datetime
import functools
from typing import Any
from unittest import mock

import sqlalchemy as sa
import testscenarios
from oslo_context import context as oslo_context
from oslo_db import exception as db_exception

from cg_extension.contract import records
from cg_extension.drivers import exceptions as driver_exceptions
from cg_extension.drivers import steps
from cg_extension.reference import metrics
from cg_extension.reference.db import engine, migration, tables
from cg_extension.tests import databases, usage
from cg_extension.tests.unit.reference.manager import base


def fail(error: BaseException) -> Any:
    def raise_it() -> None:
        raise error

    return raise_it


class ReasonTest(testscenarios.WithScenarios, base.ManagerTestCase):
    scenarios = databases.SCENARIOS

    def test_whatever_characters_a_driver_says_why_with_it_is_kept(self) -> None:
        error = driver_exceptions.DriverRefusal("no\0room in \udcff\U0001f600")
        self.driver.behaviour["create_volume"] = fail(error)
        row_id = self.create_volume()
        self.run_queue()
        row = self.row(tables.volumes, row_id)
        self.assertEqual(("error", "no?room in ?\U0001f600"), (row.status, row.status_reason))


class RunnerTest(base.ManagerTestCase):
    def status(self, table: sa.Table, row_id: str) -> str:
        return str(self.row(table, row_id).status)

    def test_success_is_written_with_what_the_driver_remembers(self) -> None:
        volume = self.create_volume()
        self.run_queue()
        row = self.row(tables.volumes, volume)
        self.assertEqual(("available", "here"), (row.status, row.provider_location))
        self.assertEqual([], self.queue())

    def test_an_error_is_tried_again_until_it_works(self) -> None:
        errors = [driver_exceptions.DriverError("busy"), RuntimeError("bug")]
        self.driver.behaviour["create_volume"] = lambda: fail(errors.pop())() if errors else None
        volume = self.create_volume()
        self.run_queue()
        self.assertEqual("available", self.status(tables.volumes, volume))
        self.assertEqual(["create_volume"] * 3, self.driver.calls)

    def test_attempts_are_bounded_and_the_backend_is_cleaned(self) -> None:
        self.driver.behaviour["create_volume"] = fail(driver_exceptions.DriverError("broken"))
        volume = self.create_volume()
        self.run_queue()
        row = self.row(tables.volumes, volume)
        self.assertEqual(("error", "broken"), (row.status, row.status_reason))
        self.assertEqual([*["create_volume"] * 3, "delete_volume"], self.driver.calls)
        self.assertEqual([], self.queue())

    def test_what_is_no_answer_of_a_driver_is_told_as_the_reason(self) -> None:
        for answer, said in (
            ("here", "An update is 'here'; it must be a mapping, {} if there is nothing to note"),
            ({"provider_location": {}}, "provider_location is {}; it must be"),
            ({"provider_location": "x" * 256}, "it must be None or up to 255 printable"),
        ):
            self.driver.behaviour["create_volume"] = functools.partial(lambda given: given, answer)
            volume = self.create_volume()
            self.run_queue()
            row = self.row(tables.volumes, volume)
            self.assertEqual("error", row.status)
            self.assertIn(said, row.status_reason)

    def test_a_refusal_is_not_tried_again(self) -> None:
        self.driver.behaviour["create_volume"] = fail(driver_exceptions.DriverRefusal("no"))
        volume = self.create_volume()
        self.run_queue()
        self.assertEqual("error", self.status(tables.volumes, volume))
        self.assertEqual(["create_volume", "delete_volume"], self.driver.calls)

    def test_ends_are_counted_by_what_came_of_them(self) -> None:
        def counts() -> list[float]:
            ended = [
                registry.get_sample_value(
                    "cg_operations_ended_total",
                    {"backend": self.driver.host, "kind": "volume.create", "outcome": outcome},
                )
                for outcome in ("done", "error")
            ]
            return [*map(float, ended), registry.get_sample_value("cg_freezes_expired_total")]

        registry = metrics.prometheus_client.REGISTRY
        done, error, expired = counts()
        self.create_volume()
        self.run_queue()
        self.driver.behaviour["create_volume"] = fail(driver_exceptions.HeldTooLong("2 s"))
        self.create_volume()
        self.run_queue()
        self.assertEqual([done + 1, error + 1, expired + 3], counts())

    def test_a_failing_clean_up_does_not_keep_the_user_waiting(self) -> None:
        for name in ("create_volume", "delete_volume"):
            self.driver.behaviour[name] = fail(driver_exceptions.DriverRefusal("no"))
        volume = self.create_volume()
        self.run_queue()
        self.assertEqual("error", self.status(tables.volumes, volume))

    def test_a_driver_that_would_end_the_process_has_failed(self) -> None:
        for name in ("create_volume", "delete_volume"):
            self.driver.behaviour[name] = fail(SystemExit("fatal"))
        volume = self.create_volume()
        self.run_queue()
        row = self.row(tables.volumes, volume)
        self.assertEqual(("error", "SystemExit: fatal"), (row.status, row.status_reason))
        self.assertEqual([*["create_volume"] * 3, "delete_volume"], self.driver.calls)

    def test_later_attempts_wait_longer(self) -> None:
        self.conf.set_override("operation_retry_delay", 100.0)
        self.driver.behaviour["create_volume"] = fail(driver_exceptions.DriverError("busy"))
        self.create_volume()
        delays = []
        for _ in range(2):
            self.run_queue(1)
            with self.database.writer() as conn:
                (queued,) = self.queue()
                delays.append((queued.run_after - engine.now(conn)).total_seconds())
                conn.execute(sa.update(tables.operations).values(run_after=engine.utcnow()))
        self.assertEqual([100, 200], [round(delay, -1) for delay in delays])

    def test_a_process_that_dies_every_time_ends_in_an_error(self) -> None:
        volume = self.create_volume()
        for _ in range(self.conf.operation_max_attempts):  # Claimed, and never heard of again.
            (claimed,) = self.keeper.claim(self.driver.host, 1)
            self.keeper.drop(claimed[1])
            with self.database.writer() as conn:
                conn.execute(sa.update(tables.operations).values(owner=None))
        self.run_queue()
        row = self.row(tables.volumes, volume)
        self.assertEqual("error", row.status)
        self.assertIn("3 times", row.status_reason)
        self.assertEqual(["delete_volume"], self.driver.calls)

    def test_who_lost_the_lease_while_the_driver_worked_writes_nothing(self) -> None:
        def lose() -> None:
            with self.database.writer() as conn:
                conn.execute(sa.update(tables.operations).values(owner="another"))

        self.driver.behaviour["create_volume"] = lose
        volume = self.create_volume()
        self.run_queue(1)
        self.assertEqual("creating", self.status(tables.volumes, volume))
        self.assertEqual(["another"], [row.owner for row in self.queue()])
        self.assertEqual(["create_volume"], self.driver.calls)

    def test_a_driver_whose_lease_is_lost_stops_at_its_next_step(self) -> None:
        volume = self.create_volume()
        ((operation, lease),) = self.keeper.claim(self.driver.host, 1)
        cleaned: list[str] = []

        def work() -> None:
            lease.lose()
            try:
                steps.checkpoint("somewhere")
            except Exception:
                cleaned.append("must not happen: the new owner's work would be undone")

        self.driver.behaviour["create_volume"] = work
        self.runner.run(operation, lease)
        self.assertEqual([], cleaned)
        self.assertEqual(["create_volume"], self.driver.calls)
        self.assertEqual("creating", self.status(tables.volumes, volume))

    def test_the_result_waits_for_a_database_that_is_away(self) -> None:
        volume = self.create_volume()
        writer, away = self.database.writer, 2

        def sometimes() -> Any:
            nonlocal away
            if self.driver.calls and away:
                away -= 1
                raise db_exception.DBConnectionError()
            return writer()

        with mock.patch.object(self.database, "writer", sometimes):
            self.run_queue()
        self.assertEqual("available", self.status(tables.volumes, volume))
        self.assertEqual(["create_volume"], self.driver.calls)

    def test_a_kind_of_a_newer_release_ends_with_a_clear_error(self) -> None:
        volume = self.create_volume()
        with self.database.writer() as conn:
            conn.execute(sa.update(tables.operations).values(kind="volume.levitate"))
        self.run_queue()
        row = self.row(tables.volumes, volume)
        self.assertEqual("error", row.status)
        self.assertIn("volume.levitate", row.status_reason)

    def test_arguments_of_a_newer_release_end_with_a_clear_error(self) -> None:
        group = self.create_group()
        self.service.delete_group(self.context, group)
        with self.database.writer() as conn:
            arguments = '{"version": 2, "values": {}}'
            conn.execute(sa.update(tables.operations).values(arguments=arguments))
        self.run_queue()
        row = self.row(tables.consistencygroups, group)
        self.assertEqual("error_deleting", row.status)
        self.assertIn("version 2", row.status_reason)

    def test_what_can_not_be_run_leaves_a_member_to_its_own_operation(self) -> None:
        group, free = self.create_group(), self.create_volume()
        self.run_queue()
        member = self.create_volume(consistencygroup_id=group)
        self.service.update_group(self.context, group, add_volumes=[free])
        with self.database.writer() as conn:
            of_group = tables.operations.c.resource_id == group
            conn.execute(sa.update(tables.operations).where(of_group).values(kind="group.levitate"))
        for operation, lease in self.keeper.claim(self.driver.host, 2):
            if operation.resource_id == group:
                self.runner.run(operation, lease)
        self.assertEqual("error", self.status(tables.consistencygroups, group))
        self.assertEqual("creating", self.status(tables.volumes, member))

    def test_a_source_that_is_gone_ends_in_an_error_for_group_and_volumes(self) -> None:
        source = self.create_volume()
        self.run_queue()
        group = self.create_group([source])
        made = self.service.create_group_from_src(
            self.context, name=None, description=None, source_cgid=group
        )
        with self.database.writer() as conn:
            conn.execute(sa.delete(tables.volumes).where(tables.volumes.c.id == source))
            usage.recount(conn)
        self.run_queue()
        row = self.row(tables.consistencygroups, made.id)
        self.assertEqual("error", row.status)
        self.assertIn(source, row.status_reason)
        with self.database.reader() as conn:
            query = sa.select(tables.volumes.c.status)
            self.assertEqual(["error"], conn.execute(query).scalars().all())

    def test_what_somebody_else_has_given_back_is_not_given_back_again(self) -> None:
        volumes = [self.create_volume(), self.create_volume()]
        self.run_queue()
        group = self.create_group(volumes)

        def remove_one() -> None:
            with self.database.writer() as conn:
                conn.execute(sa.delete(tables.volumes).where(tables.volumes.c.id == volumes[0]))
                usage.recount(conn)

        self.driver.behaviour["delete_consistencygroup"] = remove_one
        self.service.delete_group(self.context, group, force=True)
        self.run_queue()
        self.assertEqual([], self.queue())

    def test_a_deletion_locks_the_project_before_all_else_as_requests_do(self) -> None:
        volume = self.create_volume()
        self.run_queue()
        self.service.delete_volume(self.context, volume)
        ((operation, lease),) = self.keeper.claim(self.driver.host, 1)
        written: list[str] = []

        def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            written.append(statement)

        writer, _reader = self.database.engines
        sa.event.listen(writer, "before_cursor_execute", note)
        self.runner.run(operation, lease)
        sa.event.remove(writer, "before_cursor_execute", note)
        order = ("BEGIN", "UPDATE project_quotas", "DELETE FROM operations", "DELETE FROM volumes")
        self.assertEqual(len(order), len(written), written)
        for beginning, statement in zip(order, written, strict=True):
            self.assertEqual(beginning, statement[: len(beginning)])

    def test_an_operation_whose_resource_is_gone_is_dropped(self) -> None:
        volume = self.create_volume()
        with self.database.writer() as conn:
            conn.execute(sa.delete(tables.volumes).where(tables.volumes.c.id == volume))
            usage.recount(conn)
        self.run_queue()
        self.assertEqual([], self.queue())

    def test_the_driver_works_under_the_requests_id(self) -> None:
        seen = []
        self.driver.behaviour["create_volume"] = lambda: seen.append(
            oslo_context.get_current().request_id
        )
        self.create_volume()
        self.run_queue()
        self.assertEqual([self.context.request_id], seen)

    def test_start_and_end_are_notified(self) -> None:
        volume = self.create_volume()
        self.run_queue()
        sent = [
            (event, request_id, p["status"]) for event, request_id, p in self.notifications.sent
        ]
        self.assertEqual(
            [
                ("volume.create.start", self.context.request_id, "creating"),
                ("volume.create.end", self.context.request_id, "available"),
            ],
            sent,
        )
        self.assertEqual(volume, self.notifications.sent[0][2]["volume_id"])

    def test_an_error_is_notified_once_with_its_reason(self) -> None:
        self.driver.behaviour["create_volume"] = fail(driver_exceptions.DriverError("broken"))
        self.create_volume()
        self.run_queue()
        self.assertEqual(
            ["volume.create.start", "volume.create.error"],
            [event for event, _, _ in self.notifications.sent],
        )
        self.assertEqual("broken", self.notifications.sent[-1][2]["reason"])


class FailureTest(base.ManagerTestCase):
    """What each kind leaves behind when it is given up."""

    def refuse(self, name: str) -> None:
        self.driver.behaviour[name] = fail(driver_exceptions.DriverRefusal("no"))

    def statuses(self, table: sa.Table) -> list[tuple[str, str | None]]:
        with self.database.reader() as conn:
            query = sa.select(table.c.status, table.c.status_reason).order_by(table.c.created_at)
            return [tuple(row) for row in conn.execute(query)]

    def available_volume(self) -> str:
        volume = self.create_volume()
        self.run_queue()
        return volume

    def test_a_group_is_in_error(self) -> None:
        self.refuse("create_consistencygroup")
        self.create_group()
        self.assertEqual([("error", "no")], self.statuses(tables.consistencygroups))
        self.assertEqual("delete_consistencygroup", self.driver.calls[-1])

    def test_a_group_from_source_and_its_volumes_are_in_error_and_the_backend_clean(self) -> None:
        group = self.create_group([self.available_volume()])
        self.refuse("create_consistencygroup_from_src")
        self.service.create_group_from_src(
            self.context, name=None, description=None, source_cgid=group
        )
        self.run_queue()
        expected = [("available", None), ("error", "no")]
        self.assertEqual(expected, self.statuses(tables.consistencygroups))
        self.assertEqual(expected, self.statuses(tables.volumes))
        self.assertEqual("delete_consistencygroup", self.driver.calls[-1])

    def test_a_failed_update_gives_added_volumes_back_and_keeps_removed_ones(self) -> None:
        old, new = self.available_volume(), self.available_volume()
        group = self.create_group([old])
        self.refuse("update_consistencygroup")
        self.service.update_group(self.context, group, add_volumes=[new], remove_volumes=[old])
        self.run_queue()
        self.assertEqual([("error", "no")], self.statuses(tables.consistencygroups))
        self.assertEqual(group, self.row(tables.volumes, old).consistencygroup_id)
        self.assertIsNone(self.row(tables.volumes, new).consistencygroup_id)

    def test_a_failed_delete_can_be_deleted_again(self) -> None:
        group = self.create_group([self.available_volume()])
        self.refuse("delete_consistencygroup")
        self.service.delete_group(self.context, group, force=True)
        self.run_queue()
        self.assertEqual([("error_deleting", "no")], self.statuses(tables.consistencygroups))
        self.assertEqual([("error_deleting", "no")], self.statuses(tables.volumes))
        self.driver.behaviour.clear()
        self.service.delete_group(self.context, group, force=True)
        self.run_queue()
        self.assertEqual([], self.statuses(tables.consistencygroups))
        self.assertEqual([], self.statuses(tables.volumes))

    def test_a_group_snapshot_fails_as_a_whole_and_leaves_nothing(self) -> None:
        group = self.create_group([self.available_volume(), self.available_volume()])
        self.refuse("create_cgsnapshot")
        self.service.create_cgsnapshot(self.context, group_id=group, name=None, description=None)
        self.run_queue()
        self.assertEqual([("error", "no")], self.statuses(tables.cgsnapshots))
        self.assertEqual([("error", "no")] * 2, self.statuses(tables.snapshots))
        self.assertEqual("delete_cgsnapshot", self.driver.calls[-1])
        self.assertEqual([("available", None)], self.statuses(tables.consistencygroups))

    def test_the_receipt_of_a_group_snapshot_is_kept_as_long_as_it(self) -> None:
        self.driver.receipt = records.Receipt(
            instant=datetime.datetime(2026, 11, 27, 2, 34, 36, 961880), held_seconds=0.001234
        )
        group = self.create_group([self.available_volume()])
        make = functools.partial(self.service.create_cgsnapshot, self.context, group_id=group)
        made = make(name=None, description=None)
        self.assertEqual({}, self.service.get_receipts(self.context, [made.id]))
        self.run_queue()
        kept = self.service.get_receipts(self.context, [made.id, group])
        self.assertEqual({made.id: self.driver.receipt}, kept)
        self.service.delete_cgsnapshot(self.context, made.id)
        self.run_queue()
        self.assertEqual({}, self.service.get_receipts(self.context, [made.id]))

    def test_a_group_snapshot_of_which_the_driver_tells_nothing_has_no_receipt(self) -> None:
        group = self.create_group([self.available_volume()])
        made = self.service.create_cgsnapshot(
            self.context, group_id=group, name=None, description=None
        )
        self.run_queue()
        self.assertEqual([("available", None)], self.statuses(tables.cgsnapshots))
        self.assertEqual({}, self.service.get_receipts(self.context, [made.id]))

    def test_a_group_snapshot_whose_delete_fails_can_be_deleted_again(self) -> None:
        group = self.create_group([self.available_volume()])
        made = self.service.create_cgsnapshot(
            self.context, group_id=group, name=None, description=None
        )
        self.run_queue()
        self.refuse("delete_cgsnapshot")
        self.service.delete_cgsnapshot(self.context, made.id)
        self.run_queue()
        self.assertEqual([("error_deleting", "no")], self.statuses(tables.cgsnapshots))
        self.assertEqual([("error_deleting", "no")], self.statuses(tables.snapshots))
        self.driver.behaviour.clear()
        self.service.delete_cgsnapshot(self.context, made.id)
        self.run_queue()
        self.assertEqual([], self.statuses(tables.snapshots))

    def test_a_replica_that_lags_behind_misleads_no_manager(self) -> None:
        group = self.create_group()
        late = databases.new("sqlite")
        conf = databases.configuration(self.conf.database.connection)
        conf.set_override("slave_connection", late, group="database")
        conf.set_override("synchronous_reader", False, group="database")
        empty = engine.Database(databases.configuration(late))
        migration.sync(empty)
        empty.dispose()
        self.database = engine.Database(conf)
        self.addCleanup(self.database.dispose)
        self.runner = self.new_runner(base.OWNER)
        self.service.delete_group(self.context, group)
        ((operation, lease),) = self.keeper.claim(self.driver.host, 1)
        self.runner.run(operation, lease)
        with self.database.writer() as conn:
            self.assertEqual([], conn.execute(tables.consistencygroups.select()).all())
