# SPDX-License-Identifier: Apache-2.0
"""Takes one claimed operation as far as it goes: done, failed for good, or left for another try.

The rules of attempts, errors and fencing are here; what a kind means is in ``executors``.
"""

import itertools
import time
from collections.abc import Callable
from typing import Any

import prometheus_client
import sqlalchemy as sa
from oslo_config import cfg
from oslo_db import exception as db_exception
from oslo_log import log as logging

from cg_extension.contract import context as cg_context
from cg_extension.contract import exceptions, operations
from cg_extension.drivers import base as driver_base
from cg_extension.drivers import exceptions as driver_exceptions
from cg_extension.drivers import steps
from cg_extension.reference import metrics
from cg_extension.reference.db import engine, queue, rows
from cg_extension.reference.manager import executors, leases, notifications
from cg_extension.reference.manager.executors import base, unrunnable

LOG = logging.getLogger(__name__)

# Seconds between two tries to write a result while the database is away.
_DATABASE_RETRY = 0.5
# Further ones would make an operation wait for hours.
_MAX_DOUBLINGS = 8
# Outcomes of an operation, in the metrics.
_DONE, _ERROR = "done", "error"


class Runner:
    """Runs operations of one backend; called from many threads at once."""

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        database: engine.Database,
        owner: str,
        driver: driver_base.Driver,
        notifier: notifications.Notifications,
    ) -> None:
        self._conf = conf
        self._database = database
        self._owner = owner
        self._driver = driver
        self._notifier = notifier
        # At 0 from the start, so that Prometheus sees the first one as an increase.
        for kind, outcome in itertools.product(operations.OperationKind, (_DONE, _ERROR)):
            self._ended(kind, outcome)
        metrics.begin_driver_calls(operations.OperationKind)

    def run(self, operation: queue.Operation, lease: leases.Lease) -> None:
        """Carry out one attempt. Never raises: what can't be written now is tried again later."""
        try:
            context = cg_context.from_dict(operation.context)
            context.update_store()
            with steps.guarded(lease):
                steps.checkpoint("claimed")
                self._attempt(operation, context)
        except steps.OperationLost:
            LOG.warning(
                "Lost the lease on %s of %s; another manager goes on with it",
                operation.kind,
                operation.resource_id,
            )
            self.give_up(operation)
        except Exception:
            LOG.exception("%s of %s was interrupted", operation.kind, operation.resource_id)
            self.give_up(operation)

    def give_up(self, operation: queue.Operation) -> None:
        """Let anyone go on with it, later; where that fails, we do so at the next look."""

        @engine.retry
        def postpone() -> None:
            with self._database.writer() as conn:
                queue.postpone(conn, operation.id, self._owner, self._delay(operation))

        try:
            postpone()
        except Exception as error:
            LOG.warning("Could not give up the claim on %s: %s", operation.resource_id, error)

    def _attempt(self, operation: queue.Operation, context: cg_context.RequestContext) -> None:
        work, obstacle = self._load(operation)
        if work is None:
            LOG.error("%s: there is no %s any more", operation.kind, operation.resource_id)
            self._end(operation, lambda conn: "")
            return
        if operation.attempts == 1:
            self._notifier.start(operation.kind, context, work.resource)
        if obstacle is None and operation.attempts > self._conf.operation_max_attempts:
            obstacle = (
                f"The manager ended in the middle of it {operation.attempts - 1} times; see its log"
            )
        if obstacle is not None:
            self._fail(work, context, obstacle)
            return
        LOG.info(
            "%s of %s begins, attempt %d",
            operation.kind,
            operation.resource_id,
            operation.attempts,
        )
        try:
            with metrics.driver_call(operation.kind):
                result = work.run(self._driver, context)
        except steps.OperationLost:
            raise
        except BaseException as error:  # A library may ask for the end of the process.
            steps.checkpoint("failed")
            self._handle_error(work, context, error)
            return
        steps.checkpoint("carried_out")
        status = self._end(operation, lambda conn: work.succeed(conn, result), work.give_back)
        self._ended(operation.kind, _DONE).inc()
        LOG.info("%s of %s is done", operation.kind, operation.resource_id)
        self._notifier.end(operation.kind, context, work.resource, status)
        steps.checkpoint("ended")

    def _load(self, operation: queue.Operation) -> tuple[base.Executor | None, str | None]:
        """The executor with its records, and why it can't be run, if it can't."""
        kind: type[base.Executor] = unrunnable.Unrunnable
        if operation.arguments_version == queue.ARGUMENTS_VERSION:
            kind = executors.EXECUTORS.get(operation.kind, unrunnable.Unrunnable)
        with self._database.reader() as conn:
            try:
                return kind.load(conn, operation), None
            except exceptions.NotFound as error:
                obstacle = error.msg
            try:
                return unrunnable.Unrunnable.load(conn, operation), obstacle
            except exceptions.NotFound:
                return None, obstacle

    def _handle_error(
        self, work: base.Executor, context: cg_context.RequestContext, error: BaseException
    ) -> None:
        operation = work.operation
        if isinstance(error, driver_exceptions.DriverError):
            reason, retry = rows.storable(str(error)), error.retry
            if isinstance(error, driver_exceptions.HeldTooLong):
                metrics.FREEZES_EXPIRED.inc()
            LOG.error("%s of %s failed: %s", operation.kind, operation.resource_id, reason)
        else:
            reason, retry = rows.storable(f"{type(error).__name__}: {error}"), True
            LOG.exception("%s of %s failed", operation.kind, operation.resource_id)
        if retry and operation.attempts < self._conf.operation_max_attempts:
            delay = self._delay(operation)
            LOG.info("Next attempt in %.1f s", delay)
            self._write(lambda conn: queue.postpone(conn, operation.id, self._owner, delay))
        else:
            self._fail(work, context, reason)

    def _fail(self, work: base.Executor, context: cg_context.RequestContext, reason: str) -> None:
        """Clean the backend, then end the operation with an error status."""
        operation = work.operation
        # A clean-up that ends the process time and again must not keep the user waiting for ever.
        if operation.attempts <= 2 * self._conf.operation_max_attempts:
            try:
                work.clean_up(self._driver, context)
            except steps.OperationLost:
                raise
            except BaseException:
                LOG.exception("Could not clean up after %s", operation.resource_id)
        steps.checkpoint("cleaned_up")
        reason = reason[: rows.REASON_LENGTH]
        status = self._end(operation, lambda conn: work.fail(conn, reason))
        self._ended(operation.kind, _ERROR).inc()
        LOG.error("%s of %s is given up: %s", operation.kind, operation.resource_id, reason)
        self._notifier.error(operation.kind, context, work.resource, status, reason)
        steps.checkpoint("ended")

    def _end(
        self,
        operation: queue.Operation,
        write: Callable[[sa.Connection], str],
        begin: Callable[[sa.Connection], None] = lambda conn: None,
    ) -> str:
        """Remove the operation and write its results, in one transaction or not at all.

        :param begin: what comes before the removal, for the order of locks.
        :raises OperationLost: it is not ours any more; nothing was written.
        """

        def end(conn: sa.Connection) -> str:
            begin(conn)
            if not queue.finish(conn, operation.id, self._owner):
                raise steps.OperationLost(operation.id)
            status = write(conn)
            steps.checkpoint("written")
            return status

        status: str = self._write(end)
        return status

    def _write(self, write: Callable[[sa.Connection], Any]) -> Any:
        """Run a transaction, again and again while the database is away and the lease holds."""

        @engine.retry
        def transaction() -> Any:
            with self._database.writer() as conn:
                return write(conn)

        while True:
            try:
                return transaction()
            except db_exception.DBConnectionError as error:
                LOG.warning("The database is away; the result waits: %s", error)
            steps.checkpoint("database_away")
            time.sleep(_DATABASE_RETRY)

    def _ended(self, kind: str, outcome: str) -> prometheus_client.Counter:
        """The counter of operations that have ended so."""
        return metrics.OPERATIONS_ENDED.labels(self._driver.host, kind, outcome)

    def _delay(self, operation: queue.Operation) -> float:
        """Seconds before the next attempt."""
        doublings = min(operation.attempts - 1, _MAX_DOUBLINGS)
        delay: float = self._conf.operation_retry_delay * 2**doublings
        return delay
