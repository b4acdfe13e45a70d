# SPDX-License-Identifier: Apache-2.0
"""One backend of this manager: brings its driver up, reports it, and hands it operations."""

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from oslo_config import cfg
from oslo_log import log as logging

from cg_extension.contract import context as cg_context
from cg_extension.drivers import answers
from cg_extension.drivers import base as driver_base
from cg_extension.reference.db import engine, queue, services
from cg_extension.reference.manager import leases, lost_snapshots, runner

LOG = logging.getLogger(__name__)

# Seconds before another look when work is due but another manager is just about to claim it.
_CONTENDED = 0.1


class Backend:
    """Two threads, one for heartbeats and one that claims work, and one for each operation."""

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        database: engine.Database,
        driver: driver_base.Driver,
        run: runner.Runner,
        keeper: leases.LeaseKeeper,
    ) -> None:
        self.driver = driver
        self.host = driver.host
        self._conf = conf
        self._database = database
        self._runner = run
        self._keeper = keeper
        self._workers: int = conf.operation_workers
        self._running = 0
        self._is_closed = False
        self._idle = threading.Condition()
        self._stopping = threading.Event()
        self._ready = threading.Event()
        self._reported = threading.Event()
        self._look = threading.Event()
        self._is_reported_up = False
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Bring the driver up, in a thread of its own; then claim work."""
        self._start_thread(self._heartbeats, "heartbeat")

    def wake(self) -> None:
        """Work was queued: look for it now."""
        self._look.set()

    def is_ready(self) -> bool:
        """Whether the driver is set up."""
        return self._ready.is_set()

    def is_settled(self) -> bool:
        """Whether the driver came up or failed to, and the scheduler knows which."""
        return self._reported.is_set()

    def stop_claiming(self) -> None:
        """Begin no more operations; those under way go on."""
        self._stopping.set()
        self._look.set()

    def wait(self, timeout: float) -> bool:
        """Wait after ``stop_claiming`` for what is under way; False: it took too long.

        After True nothing of this backend is at work, so that the next process can go on.
        """
        deadline = time.monotonic() + timeout

        def left() -> float:
            return max(0.0, deadline - time.monotonic())

        # First those who begin something: a driver's setup, or a claim that is just being made.
        for thread in self._threads:
            thread.join(left())
        with self._idle:
            ended = self._idle.wait_for(lambda: self._running == 0, left())
            self._is_closed = True
        return ended and not any(thread.is_alive() for thread in self._threads)

    def _heartbeats(self) -> None:
        context = cg_context.RequestContext(is_admin=True, overwrite=False)
        while not self._stopping.is_set():
            if not self.is_ready() and self._set_up(context):
                self._ready.set()
            self._report()
            self._reported.set()
            if self.is_ready():
                self._look_for_losses()
            self._stopping.wait(self._conf.report_interval)

    def _start_thread(self, target: Callable[[], None], name: str) -> None:
        """:raises RuntimeError: there is no thread to be had."""
        thread = threading.Thread(target=target, name=f"{name}-{self.host}", daemon=True)
        thread.start()
        self._threads.append(thread)

    def _set_up(self, context: cg_context.RequestContext) -> bool:
        try:
            with self._told_of("its setup"):
                self.driver.do_setup(context)
                self.driver.check_for_setup_error()
            self._start_thread(self._dispatch, "dispatch")
        except BaseException as error:  # A library's SystemExit must not end the thread.
            LOG.error("Backend %s does not come up: %s", self.host, error)
            LOG.debug("Setup of %s failed", self.host, exc_info=True)
            return False
        LOG.info("Backend %s is up", self.host)
        return True

    @contextlib.contextmanager
    def _told_of(self, what: str) -> Iterator[None]:
        """Say in the log what the driver is still at, once its service counts as down."""
        patience = self._conf.service_down_time
        words = "Backend %s is down: its driver has been at %s for %d s, and has not come back"
        timer = threading.Timer(patience, LOG.warning, (words, self.host, what, patience))
        timer.daemon = True
        with contextlib.suppress(RuntimeError):  # No thread to be had: the driver may answer yet.
            timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _report(self) -> None:
        """One heartbeat, with the driver's figures if it can tell them."""
        stats: Mapping[str, Any] | None = None
        if self.is_ready():
            try:
                with self._told_of("its figures"):
                    figures = self.driver.get_volume_stats()
                stats = dataclasses.asdict(answers.volume_stats(figures))
            except BaseException as error:
                LOG.error("Backend %s can't tell its state: %s", self.host, error)
        try:
            self._write_report(stats)
        except Exception as error:
            LOG.warning("Could not report the state of %s: %s", self.host, error)

    def _look_for_losses(self) -> None:
        try:
            with self._told_of("its lost snapshots"):
                lost_snapshots.write(self._database, self.driver.get_lost_snapshots)
        except BaseException as error:
            LOG.warning("Could not look for lost snapshots of %s: %s", self.host, error)

    @engine.retry
    def _write_report(self, stats: Mapping[str, Any] | None) -> None:
        options = self.driver.options
        with self._database.writer() as conn:
            if stats is None and self._is_served_by_another(conn):
                return
            services.report(
                conn,
                host=self.host,
                availability_zone=options.backend_availability_zone
                or self._conf.storage_availability_zone,
                state_ok=stats is not None,
                stats=stats,
            )
        self._is_reported_up = stats is not None

    def _is_served_by_another(self, conn: sa.Connection) -> bool:
        """Whether another manager of the backend, with which we share the row, has it up."""
        fresh = 2 * self._conf.report_interval
        return not self._is_reported_up and any(
            services.is_up(row, now=row.now, down_time=fresh)
            for row in services.find(conn, host=self.host, binary=services.BINARY)
        )

    def _dispatch(self) -> None:
        while True:
            # First, so that a stop from here on is either seen now or ends the wait.
            self._look.clear()
            if self._stopping.is_set():
                return
            pause: float = self._conf.operation_poll_interval
            try:
                pause = min(pause, self._claim_due())
            except Exception as error:
                LOG.warning("Could not look for work of %s: %s", self.host, error)
            self._look.wait(pause)

    def _claim_due(self) -> float:
        """Claim as much as there are workers for; seconds until it is worth to look again."""
        interval: float = self._conf.operation_poll_interval
        free = self._workers - self._running
        if free <= 0:
            return interval  # The next one that ends wakes us.
        with self._database.reader() as conn:
            exclude = self._keeper.not_to_be_claimed()
            due = queue.next_due(conn, self.host, self._keeper.owner, exclude=exclude)
        if due is None:
            return interval
        if due > 0:
            return due
        claimed = self._keeper.claim(self.host, free)
        for operation, lease in claimed:
            with self._idle:
                self._running += 1
            try:
                self._begin(operation, lease)
            except RuntimeError as error:  # No thread to be had, or a stop that took too long.
                LOG.error("Could not begin %s: %s", operation.id, error)
                self._runner.give_up(operation)
                self._ended(lease)
        return 0 if claimed else _CONTENDED

    def _begin(self, operation: queue.Operation, lease: leases.Lease) -> None:
        """Run it in a thread of its own: a pool would count on those that it could not start."""
        if self._is_closed:
            raise RuntimeError("the manager has stopped")
        name = f"operation-{self.host}"
        threading.Thread(target=self._run, args=(operation, lease), name=name, daemon=True).start()

    def _run(self, operation: queue.Operation, lease: leases.Lease) -> None:
        try:
            self._runner.run(operation, lease)
        finally:
            self._ended(lease)
            self._look.set()

    def _ended(self, lease: leases.Lease) -> None:
        self._keeper.drop(lease)
        with self._idle:
            self._running -= 1
            self._idle.notify_all()
