# SPDX-License-Identifier: Apache-2.0
"""Usage is what the rows are, after each step of any sequence of requests, failures and ends."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import sqlalchemy as sa
import testscenarios
from hypothesis import HealthCheck, settings, stateful
from hypothesis import strategies as st
from oslo_db import exception as db_exception

from cg_extension.contract import context as cg_context
from cg_extension.contract import exceptions
from cg_extension.drivers import exceptions as driver_exceptions
from cg_extension.drivers import steps
from cg_extension.reference.db import queue, quota_check, tables
from cg_extension.tests import databases, long, usage
from cg_extension.tests.unit.reference.manager import base

_GROUPS, _CGSNAPSHOTS = tables.consistencygroups, tables.cgsnapshots
_VOLUMES, _SNAPSHOTS = tables.volumes, tables.snapshots
# What stays from one sequence to the next.
_KEPT = (tables.services, tables.volume_types, tables.volume_type_extra_specs)
# The service refuses: nothing may have come of it.
_REFUSALS = (
    exceptions.InvalidInput,
    exceptions.InvalidState,
    exceptions.NotFound,
    exceptions.QuotaExceeded,
)
_DRIVER_CALLS = (
    "create_volume",
    "delete_volume",
    "create_snapshot",
    "delete_snapshot",
    "create_volume_from_snapshot",
    "create_cloned_volume",
    "create_consistencygroup",
    "delete_consistencygroup",
    "update_consistencygroup",
    "create_consistencygroup_from_src",
    "create_cgsnapshot",
    "delete_cgsnapshot",
)
_VOLUME_ARGUMENTS = (
    "name",
    "description",
    "volume_type",
    "availability_zone",
    "metadata",
    "consistencygroup_id",
    "snapshot_id",
    "source_volid",
)
# Which of the rows that there are, from the oldest on; which of the projects.
_ONE = st.integers(0, 7)
_WHO = st.sampled_from(("p", "q"))
# What the manager makes of the oldest work that waits after a request; steps are the runner's.
_STEPS = ("claimed", "carried_out", "cleaned_up", "written", "ended")
_FAILURES = ("none", "failed", "refused", "lost", "deadlocked", *_STEPS)
_ENDS = st.just("done") | st.sampled_from(_FAILURES)


class _Died(BaseException):
    """The process ends here."""


def _request(**choices: Any) -> Callable[[Callable[..., None]], Any]:
    """A rule that makes a request, after which the manager does something."""

    def decorate(request: Callable[..., None]) -> Any:
        @functools.wraps(request)
        def both(self: "Sequence", end: str, **chosen: Any) -> None:
            request(self, **chosen)
            self.manage(end)

        return stateful.rule(end=_ENDS, **choices)(both)

    return decorate


class Sequence(stateful.RuleBasedStateMachine):
    """Requests of two projects, many of which are refused, and a manager that often fails."""

    def __init__(self, test: base.ManagerTestCase) -> None:
        super().__init__()
        self.test, self.service = test, test.service
        self.contexts = {
            name: cg_context.RequestContext(user_id="u", project_id=name, is_admin=name == "p")
            for name in ("p", "q")
        }
        test.conf.set_override("no_snapshot_gb_quota", False)
        with test.database.writer() as conn:
            for table in reversed(tables.metadata.sorted_tables):
                if table not in _KEPT:
                    conn.execute(sa.delete(table))

    @stateful.initialize()
    def have_something(self) -> None:
        """A group with two members and a group snapshot, and a volume with a snapshot."""
        self.create_group(who="p", end="done")
        for _ in range(2):
            self.create_volume_in_group(who="p", one=0, end="done")
        self.create_cgsnapshot(who="p", one=0, end="done")
        self.create_volume(who="q", size=2, end="done")
        self.create_snapshot(who="q", one=2, end="done")

    def _on(self, table: sa.Table, number: int, call: Callable[[str], object]) -> None:
        """Call with the id of one of the rows, if there are any."""
        with self.test.database.reader() as conn:
            query = sa.select(table.c.id).order_by(table.c.created_at, table.c.id)
            ids = conn.execute(query).scalars().all()
        if ids:
            with contextlib.suppress(*_REFUSALS):
                call(ids[number % len(ids)])

    def _volume(self, who: str, size: int | None, **source: str) -> None:
        values: dict[str, Any] = dict.fromkeys(_VOLUME_ARGUMENTS)
        self.service.create_volume(self.contexts[who], size=size, **{**values, **source})

    @_request(who=_WHO)
    def create_group(self, who: str) -> None:
        with contextlib.suppress(*_REFUSALS):
            self.service.create_group(
                self.contexts[who],
                name=None,
                description=None,
                volume_types=[self.test.conf.default_volume_type],
                availability_zone=None,
            )

    @_request(who=_WHO, size=st.integers(1, 3))
    def create_volume(self, who: str, size: int) -> None:
        with contextlib.suppress(*_REFUSALS):
            self._volume(who, size)

    @_request(who=_WHO, one=_ONE)
    def create_volume_in_group(self, who: str, one: int) -> None:
        self._on(_GROUPS, one, lambda group: self._volume(who, 2, consistencygroup_id=group))

    @_request(who=_WHO, one=_ONE)
    def clone_volume(self, who: str, one: int) -> None:
        self._on(_VOLUMES, one, lambda volume: self._volume(who, None, source_volid=volume))

    @_request(who=_WHO, one=_ONE)
    def create_volume_from_snapshot(self, who: str, one: int) -> None:
        self._on(_SNAPSHOTS, one, lambda snapshot: self._volume(who, 3, snapshot_id=snapshot))

    @_request(who=_WHO, one=_ONE)
    def create_snapshot(self, who: str, one: int) -> None:
        create = self.service.create_snapshot
        values: dict[str, Any] = {"name": None, "description": None, "metadata": None}
        self._on(
            _VOLUMES,
            one,
            lambda volume: create(self.contexts[who], volume_id=volume, force=True, **values),
        )

    @_request(who=_WHO, one=_ONE)
    def create_cgsnapshot(self, who: str, one: int) -> None:
        create = self.service.create_cgsnapshot
        self._on(
            _GROUPS,
            one,
            lambda group: create(self.contexts[who], group_id=group, name=None, description=None),
        )

    @_request(who=_WHO, one=_ONE, kind=st.sampled_from(("source_cgid", "cgsnapshot_id")))
    def create_group_from_src(self, who: str, one: int, kind: str) -> None:
        create = self.service.create_group_from_src
        self._on(
            _GROUPS if kind == "source_cgid" else _CGSNAPSHOTS,
            one,
            lambda source: create(
                self.contexts[who], name=None, description=None, **{kind: source}
            ),
        )

    @_request(one=_ONE, other=_ONE, change=st.sampled_from(("add_volumes", "remove_volumes")))
    def update_group(self, one: int, other: int, change: str) -> None:
        update = self.service.update_group
        self._on(
            _GROUPS,
            one,
            lambda group: self._on(
                _VOLUMES,
                other,
                lambda volume: update(self.contexts["p"], group, **{change: [volume]}),
            ),
        )

    @_request(who=_WHO, one=_ONE, table=st.sampled_from((_GROUPS, _CGSNAPSHOTS)))
    def delete_whole(self, who: str, one: int, table: sa.Table) -> None:
        context = self.contexts[who]
        if table is _GROUPS:
            self._on(_GROUPS, one, lambda g: self.service.delete_group(context, g, force=True))
        else:
            self._on(_CGSNAPSHOTS, one, lambda s: self.service.delete_cgsnapshot(context, s))

    @_request(who=_WHO, one=_ONE, table=st.sampled_from((_VOLUMES, _SNAPSHOTS)))
    def delete_single(self, who: str, one: int, table: sa.Table) -> None:
        service = self.service
        delete = service.delete_volume if table is _VOLUMES else service.delete_snapshot
        self._on(table, one, lambda each: delete(self.contexts[who], each))

    @_request(
        one=_ONE,
        table=st.sampled_from((_GROUPS, _CGSNAPSHOTS, _VOLUMES, _SNAPSHOTS)),
        status=st.sampled_from(("available", "error", "error_deleting")),
    )
    def reset_status(self, one: int, table: sa.Table, status: str) -> None:
        reset: Any = {
            _GROUPS: self.service.reset_group_status,
            _CGSNAPSHOTS: self.service.reset_cgsnapshot_status,
            _VOLUMES: self.service.reset_volume_status,
            _SNAPSHOTS: self.service.reset_snapshot_status,
        }[table]
        self._on(table, one, lambda each: reset(self.contexts["p"], each, status=status))

    @_request(
        who=_WHO,
        limits=st.dictionaries(
            st.sampled_from(("groups", "volumes", "snapshots", "gigabytes")),
            st.sampled_from((-1, 12, 6, 3)),
            max_size=2,
        ),
        counts_snapshots=st.booleans(),
    )
    def change_quotas(self, who: str, limits: dict[str, int], counts_snapshots: bool) -> None:
        self.test.conf.set_override("no_snapshot_gb_quota", not counts_snapshots)
        if limits:
            self.service.update_quotas(self.contexts["p"], who, limits)
        else:
            self.service.delete_quotas(self.contexts["p"], who)

    def manage(self, end: str) -> None:
        """One attempt at the oldest work that waits, or, if it is to be "done", at all of it."""
        if end == "done":
            while self._attempt():
                pass
        elif end == "failed":
            self._attempt(driver_exceptions.DriverError("busy"))
        elif end == "refused":
            self._attempt(driver_exceptions.DriverRefusal("no"))
        elif end == "lost":
            self._attempt("another")
            self._give_to(None)
        elif end == "deadlocked":
            with _raising("written", db_exception.DBDeadlock):
                self._attempt()
        elif end in _STEPS:
            failure = driver_exceptions.DriverRefusal("no") if end == "cleaned_up" else None
            with _raising(end, _Died), contextlib.suppress(_Died):
                self._attempt(failure)
            with self.test.database.writer() as conn:  # What the next process does at its start.
                queue.release_all(conn, base.OWNER)

    def _attempt(self, event: Exception | str | None = None) -> bool:
        """One attempt at the oldest operation; False: there is none.

        :param event: while the driver works: its error, or the manager that takes over.
        """
        test = self.test

        def behave() -> None:
            if isinstance(event, Exception):
                raise event
            self._give_to(event)

        test.driver.behaviour = {} if event is None else dict.fromkeys(_DRIVER_CALLS, behave)
        claimed = test.keeper.claim(test.driver.host, 1)
        for operation, lease in claimed:
            try:
                test.runner.run(operation, lease)
            finally:
                test.keeper.drop(lease)
        return bool(claimed)

    def _give_to(self, owner: str | None) -> None:
        with self.test.database.writer() as conn:
            conn.execute(sa.update(tables.operations).values(owner=owner, lease_expires_at=None))

    @stateful.invariant()
    def usage_is_what_the_rows_are(self) -> None:
        with self.test.database.reader() as conn:
            found = usage.findings(conn)
        assert not found, found
        differences = [
            each for _, batch in quota_check.differences(self.test.database) for each in batch
        ]
        assert not differences, differences


@contextlib.contextmanager
def _raising(step: str, error: type[BaseException]) -> Iterator[None]:
    """The runner gets an error when it first comes to a step."""
    left = [step]

    def checkpoint(name: str) -> None:
        if name in left:
            left.remove(name)
            raise error

    with mock.patch.object(steps, "checkpoint", checkpoint):
        yield


class UsageTest(testscenarios.WithScenarios, base.ManagerTestCase):
    scenarios = databases.SCENARIOS

    def test_usage_is_what_the_rows_are_whatever_happens(self) -> None:
        self.conf.set_override("operation_max_attempts", 2)
        # Longer than the test takes: there is one heartbeat.
        self.conf.set_override("service_down_time", 86_400)
        examples = 20 if self.dialect == "sqlite" else 6
        stateful.run_state_machine_as_test(
            lambda: Sequence(self),
            settings=settings(
                max_examples=examples * 20 if long.WANTED else examples,
                stateful_step_count=30,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
