# SPDX-License-Identifier: Apache-2.0
"""One backend: setup that fails and comes back, heartbeats, and how much runs at a time."""

import json
import logging
import threading
import time
from typing import Any
from unittest import mock

import fixtures
from oslo_db import exception as db_exception

from cg_extension.drivers import exceptions as driver_exceptions
from cg_extension.reference.db import services
from cg_extension.reference.manager import backend
from cg_extension.tests import waiting
from cg_extension.tests.unit.reference.manager import base


class BackendTest(base.ManagerTestCase):
    def start(self) -> backend.Backend:
        started = backend.Backend(self.conf, self.database, self.driver, self.runner, self.keeper)
        started.start()
        self.addCleanup(started.wait, 10)
        self.addCleanup(started.stop_claiming)
        return started

    def report(self) -> Any:
        with self.database.reader() as conn:
            (row,) = services.find(conn, host=self.driver.host)
        return row

    def test_queued_work_is_done(self) -> None:
        self.start()
        self.create_volume()
        waiting.eventually(lambda: not self.queue(), "done")

    def test_a_wake_up_is_faster_than_polling(self) -> None:
        self.conf.set_override("operation_poll_interval", 3600.0)
        started = self.start()
        waiting.eventually(started.is_ready, "ready")
        self.create_volume()
        started.wake()
        waiting.eventually(lambda: not self.queue(), "done")

    def test_a_backend_that_does_not_come_up_says_so_and_keeps_trying(self) -> None:
        self.driver.behaviour["do_setup"] = self.refuse
        self.create_volume()
        started = self.start()
        waiting.eventually(lambda: self.driver.calls.count("do_setup") > 1, "tried again")
        waiting.eventually(lambda: not self.report().state_ok, "down")
        self.assertFalse(started.is_ready())
        self.assertEqual(1, len(self.queue()))
        self.driver.behaviour.clear()
        waiting.eventually(lambda: not self.queue(), "done")
        waiting.eventually(lambda: self.report().state_ok, "up")

    def test_one_that_does_not_come_up_hides_no_other_manager_of_the_backend(self) -> None:
        self.conf.set_override("report_interval", 0.5)
        self.start()
        waiting.eventually(lambda: "test" in self.report().stats, "up")
        other = base.Driver(self.conf, base.BACKEND, self.driver.host)
        other.behaviour["do_setup"] = self.refuse
        self.driver = other
        states = []

        def tried() -> bool:
            states.append(self.report().state_ok)
            return other.calls.count("do_setup") > 3

        self.start()
        waiting.eventually(tried, "tried")
        self.assertEqual({True}, set(states))

    def test_the_log_says_at_what_a_driver_does_not_come_back(self) -> None:
        log = self.useFixture(fixtures.FakeLogger(level=logging.WARNING))
        self.conf.set_override("report_interval", 0.1)
        self.conf.set_override("service_down_time", 0.2)
        for name, what in (
            ("do_setup", "its setup"),
            ("get_volume_stats", "its figures"),
            ("get_lost_snapshots", "its lost snapshots"),
        ):
            told = f"Backend {self.driver.host} is down: its driver has been at {what}"
            hangs = threading.Event()
            self.addCleanup(hangs.set)
            self.driver.behaviour[name] = hangs.wait
            self.start()
            waiting.eventually(lambda told=told: told in log.output, told)
            hangs.set()

    def test_a_backend_is_up_although_there_is_no_thread_to_tell_of_its_driver_in(self) -> None:
        none = mock.patch.object(threading.Timer, "start", side_effect=RuntimeError("no thread"))
        with none as start:
            self.start()
            waiting.eventually(lambda: "test" in self.report().stats, "reported")
        self.assertTrue(self.report().state_ok)
        self.assertLess(1, start.call_count)

    def refuse(self) -> None:
        raise driver_exceptions.DriverSetupError("no disk")

    def test_a_heartbeat_carries_the_drivers_figures(self) -> None:
        self.start()
        waiting.eventually(lambda: "test" in self.report().stats, "reported")
        self.assertEqual(100.0, json.loads(self.report().stats)["free_capacity_gb"])

    def test_a_driver_that_can_not_tell_its_state_is_down(self) -> None:
        def fail() -> None:
            raise SystemExit("gone")

        self.driver.behaviour["get_volume_stats"] = fail
        self.start()
        waiting.eventually(lambda: not self.report().state_ok, "down")
        self.driver.behaviour.clear()
        waiting.eventually(lambda: self.report().state_ok, "up again")

    def test_no_more_than_the_configured_number_runs_at_a_time(self) -> None:
        self.conf.set_override("operation_workers", 2)
        running, most = 0, 0
        lock, go_on = threading.Lock(), threading.Event()

        def work() -> None:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            go_on.wait(60)
            with lock:
                running -= 1

        self.driver.behaviour["create_volume"] = work
        for _ in range(6):
            self.create_volume()
        self.start()
        waiting.eventually(lambda: running == 2, "two at work")
        go_on.set()
        waiting.eventually(lambda: not self.queue(), "done")
        self.assertEqual(2, most)

    def test_a_stop_waits_for_what_is_under_way_and_begins_nothing_new(self) -> None:
        self.conf.set_override("operation_workers", 1)
        go_on = threading.Event()
        self.driver.behaviour["create_volume"] = lambda: go_on.wait(60) and None
        for _ in range(2):
            self.create_volume()
        started = self.start()
        waiting.eventually(lambda: self.driver.calls.count("create_volume") == 1, "begun")
        started.stop_claiming()
        self.assertFalse(started.wait(0.05))
        go_on.set()
        self.assertTrue(started.wait(60))
        self.assertEqual(1, self.driver.calls.count("create_volume"))
        self.assertEqual(1, len(self.queue()))

    def test_a_stop_waits_for_a_claim_that_is_just_being_made(self) -> None:
        self.create_volume()
        claiming, go_on = threading.Event(), threading.Event()
        claim = self.keeper.claim

        def slow(host: str, limit: int) -> Any:
            claiming.set()
            go_on.wait(60)
            return claim(host, limit)

        self.keeper.claim = slow  # type: ignore[method-assign]
        started = self.start()
        self.assertTrue(claiming.wait(60))
        started.stop_claiming()
        self.assertFalse(started.wait(0.05))
        go_on.set()
        self.assertTrue(started.wait(60))
        self.assertEqual(set(), self.keeper.held())

    def test_a_claim_whose_answer_was_lost_is_made_again_at_the_next_look(self) -> None:
        dialect = self.database.engines[0].dialect
        claim, commit = self.keeper.claim, dialect.do_commit

        def commit_unheard(connection: Any) -> None:
            commit(connection)
            raise db_exception.DBConnectionError

        def claim_unheard(host: str, limit: int) -> Any:
            self.keeper.claim = claim  # type: ignore[method-assign]
            with mock.patch.object(dialect, "do_commit", commit_unheard):
                return claim(host, limit)

        self.keeper.claim = claim_unheard  # type: ignore[method-assign]
        self.create_volume()
        self.start()
        waiting.eventually(lambda: not self.queue(), "done", base.LEASE / 2)
        self.assertIsNot(claim_unheard, self.keeper.claim)

    def test_a_stop_waits_for_a_driver_that_is_being_set_up(self) -> None:
        go_on = threading.Event()
        self.driver.behaviour["do_setup"] = lambda: go_on.wait(60) and None
        started = self.start()
        waiting.eventually(lambda: self.driver.calls, "begun")
        started.stop_claiming()
        self.assertFalse(started.wait(0.05))
        go_on.set()
        self.assertTrue(started.wait(60))

    def _without_threads(self, times: int, *names: str) -> mock.Mock:
        """Let the system refuse so many threads of these names, or of operations."""
        start, refused = threading.Thread.start, mock.Mock()

        def limited(thread: threading.Thread) -> None:
            known = next((n for n in ("heartbeat", "dispatch") if thread.name.startswith(n)), "")
            is_timer = isinstance(thread, threading.Timer)
            if not is_timer and known in (names or [""]) and refused.call_count < times:
                refused()
                raise RuntimeError("can't start new thread")
            start(thread)

        patch = mock.patch.object(threading.Thread, "start", limited)
        patch.start()
        self.addCleanup(patch.stop)
        return refused

    def test_what_finds_no_thread_to_run_in_is_left_to_others(self) -> None:
        self.conf.set_override("operation_retry_delay", 3600.0)
        for _ in range(2):
            self.create_volume()
        refused = self._without_threads(100)
        started = self.start()
        waiting.eventually(lambda: refused.call_count == 2, "tried")
        waiting.eventually(lambda: not self.keeper.held(), "dropped")
        time.sleep(0.5)  # Several looks.
        self.assertEqual([(1, None)] * 2, [(row.attempts, row.owner) for row in self.queue()])
        self.assertEqual(2, refused.call_count)
        started.stop_claiming()
        self.assertTrue(started.wait(60))

    def test_it_goes_on_when_there_are_threads_again(self) -> None:
        self.conf.set_override("operation_workers", 2)
        self.conf.set_override("operation_max_attempts", 10)
        self._without_threads(2)
        self.create_volume()
        self.start()
        waiting.eventually(lambda: not self.queue(), "done")

    def test_it_comes_up_when_there_is_a_thread_to_look_for_work_in(self) -> None:
        self._without_threads(2, "dispatch")
        self.create_volume()
        started = self.start()
        waiting.eventually(lambda: not self.queue(), "done")
        started.stop_claiming()
        self.assertTrue(started.wait(60))
