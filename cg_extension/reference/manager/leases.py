# SPDX-License-Identifier: Apache-2.0
"""Keeps this process's claims alive, and lets an operation know when its claim is lost.

Watches the claims of others, too, which it may take over when their leases run out. That they did
is not left to the database's clock alone, which may be set, or be another server's after a
fail-over: a lease counts as run out when it was not renewed for its whole length by the clock here,
either, so that its owner knows by its own clock.
"""

import datetime
import threading
import time
from collections.abc import Collection

from oslo_log import log as logging

from cg_extension.drivers import steps
from cg_extension.reference.db import engine, queue

LOG = logging.getLogger(__name__)

# Seconds that a stop waits for the database.
_PATIENCE = 5.0


def clock() -> float:
    """Seconds; goes on while the process is stopped and while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Lease:
    """The claim on one operation, as far as this process can know: a :class:`steps.Guard`."""

    def __init__(self, operation: queue.Operation, expires: float) -> None:
        self.operation_id = operation.id
        self.kind = operation.kind
        self._expires = expires
        self._lost = False

    def extend(self, expires: float) -> None:
        """It was renewed, and holds until ``expires`` on this process's clock at least."""
        self._expires = expires

    def lose(self) -> None:
        """Another owner has it."""
        self._lost = True

    def check(self) -> None:
        if self._lost or clock() >= self._expires:
            raise steps.OperationLost(self.operation_id)


class LeaseKeeper:
    """Renews the leases of all operations under way, at a third of the lease's length.

    As often it looks at the leases of others on operations of ``hosts``.
    """

    def __init__(
        self, database: engine.Database, owner: str, seconds: float, hosts: Collection[str]
    ) -> None:
        self._database = database
        self.owner = owner
        self._seconds = seconds
        self._hosts = hosts
        self._lock = threading.Lock()
        self._leases: dict[str, Lease] = {}
        # By id the end of another's lease, and since when it has been seen to end then.
        self._others: dict[str, tuple[datetime.datetime, float]] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease-keeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> bool:
        """Stop renewing; what is still under way is lost when its lease runs out.

        False: the database has been asked something, and does not answer.
        """
        self._stopping.set()
        self._thread.join(_PATIENCE)
        return not self._thread.is_alive()

    def claim(self, host: str, limit: int) -> list[tuple[queue.Operation, Lease]]:
        """Claim operations of ``host`` and watch over them until they are dropped."""
        since = clock()
        claimed = self._claim(host, limit)
        found = [(each, Lease(each, since + self._seconds)) for each in claimed]
        with self._lock:
            self._leases.update({lease.operation_id: lease for _, lease in found})
        if not found:
            self._watch()  # What seemed due may be another's.
        return found

    def drop(self, lease: Lease) -> None:
        """The operation ended, or was given up."""
        with self._lock:
            del self._leases[lease.operation_id]

    def held(self) -> set[str]:
        """Ids of the operations that threads of this process are at work on."""
        with self._lock:
            return set(self._leases)

    def not_to_be_claimed(self) -> set[str]:
        """Ids of those held, and of others' whose owners may still be at work."""
        with self._lock:
            return self._leases.keys() | (self._others.keys() - self._overdue().keys())

    def _overdue(self) -> dict[str, datetime.datetime]:
        limit = clock() - self._seconds
        return {each: expires for each, (expires, seen) in self._others.items() if seen <= limit}

    @engine.retry
    def _claim(self, host: str, limit: int) -> list[queue.Operation]:
        with self._lock:
            overdue = self._overdue()
        with self._database.writer() as conn:
            return queue.claim(
                conn,
                host=host,
                owner=self.owner,
                lease_seconds=self._seconds,
                limit=limit,
                # Claims of ours that ran out while the database was away are not to be run twice.
                exclude=self.held(),
                overdue=overdue,
            )

    @engine.retry
    def _renew(self, operation_ids: set[str]) -> tuple[set[str], set[str]]:
        with self._database.writer() as conn:
            return queue.renew(
                conn,
                operation_ids=operation_ids,
                owner=self.owner,
                lease_seconds=self._seconds,
            )

    def _run(self) -> None:
        while True:
            try:
                self._watch()
            except Exception as error:
                LOG.warning("Could not look at the leases of other managers: %s", error)
            if self._stopping.wait(self._seconds / 3):
                return
            operation_ids = self.held()
            if not operation_ids:
                continue
            since = clock()
            try:
                renewed, lost = self._renew(operation_ids)
            except Exception as error:
                LOG.warning("Could not renew the leases of running operations: %s", error)
                continue
            self._note(renewed, lost, since)

    def _note(self, renewed: set[str], lost: set[str], since: float) -> None:
        with self._lock:
            for operation_id in renewed & self._leases.keys():
                self._leases[operation_id].extend(since + self._seconds)
            for operation_id in lost & self._leases.keys():
                self._leases[operation_id].lose()

    def _watch(self) -> None:
        with self._database.reader() as conn:
            found = queue.others(conn, self._hosts, self.owner)
        # From after the query: the owner counts from before its renewal.
        now = clock()
        with self._lock:
            known = self._others
            self._others = {
                each: known[each] if each in known and known[each][0] == expires else (expires, now)
                for each, expires in found.items()
            }
