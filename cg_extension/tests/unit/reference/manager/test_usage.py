# SPDX-License-Identifier: Apache-2.0
"""Usage is what the rows are, after each step of any sequence of requests, failures and ends."""

import contextlib
from collections.abc import Callable
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


class _Died(BaseException):
    """The process ends here."""


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

    @stateful.rule(who=_WHO)
    def create_group(self, who: str) -> None:
        with contextlib.suppress(*_REFUSALS):
            self.service.create_group(
                self.contexts[who],
                name=None,
                description=None,
                volume_types=[self.test.conf.default_volume_type],
                availability_zone=None,
            )

    @stateful.rule(who=_WHO, size=st.integers(1, 3))
    def create_volume(self, who: str, size: int) -> None:
        with contextlib.suppress(*_REFUSALS):
            self._volume(who, size)

    @stateful.rule(who=_WHO, one=_ONE)
    def create_volume_in_group(self, who: str, one: int) -> None:
        self._on(_GROUPS, one, lambda group: self._volume(who, 2, consistencygroup_id=group))

    @stateful.rule(who=_WHO, one=_ONE)
    def clone_volume(self, who: str, one: int) -> None:
        self._on(_VOLUMES, one, lambda volume: self._volume(who, None, source_volid=volume))

    @stateful.rule(who=_WHO, one=_ONE)
    def create_volume_from_snapshot(self, who: str, one: int) -> None:
        self._on(_SNAPSHOTS, one, lambda snapshot: self._volume(who, 3, snapshot_id=snapshot))

    @stateful.rule(who=_WHO, one=_ONE)
    def create_snapshot(self, who: str, one: int) -> None:
        create = self.service.create_snapshot
        values: dict[str, Any] = {"name": None, "description": None, "metadata": None}
        self._on(
            _VOLUMES,
            one,
            lambda volume: create(self.contexts[who], volume_id=volume, force=True, **values),
        )

    @stateful.rule(who=_WHO, one=_ONE)
    def create_cgsnapshot(self, who: str, one: int) -> None:
        create = self.service.create_cgsnapshot
        self._on(
            _GROUPS,
            one,
            lambda group: create(self.contexts[who], group_id=group, name=None, description=None),
        )

    @stateful.rule(who=_WHO, one=_ONE, kind=st.sampled_from(("source_cgid", "cgsnapshot_id")))
    def create_group_from_src(self, who: str, one: int, kind: str) -> None:
        create = self.service.create_group_from_src
        self._on(
            _GROUPS if kind == "source_cgid" else _CGSNAPSHOTS,
            one,
            lambda source: create(
                self.contexts[who], name=None, description=None, **{kind: source}
            ),
        )

    @stateful.rule(one=_ONE, other=_ONE, change=st.sampled_from(("add_volumes", "remove_volumes")))
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

    @stateful.rule(who=_WHO, one=_ONE, table=st.sampled_from((_GROUPS, _CGSNAPSHOTS)))
    def delete_whole(self, who: str, one: int, table: sa.Table) -> None:
        context = self.contexts[who]
        if table is _GROUPS:
            self._on(_GROUPS, one, lambda g: self.service.delete_group(context, g, force=True))
        else:
            self._on(_CGSNAPSHOTS, one, lambda s: self.service.delete_cgsnapshot(context, s))

    @stateful.rule(who=_WHO, one=_ONE, table=st.sampled_from((_VOLUMES, _SNAPSHOTS)))
    def delete_single(self, who: str, one: int, table: sa.Table) -> None:
        service = self.service
        delete = service.delete_volume if table is _VOLUMES else service.delete_snapshot
        self._on(table, one, lambda each: delete(self.contexts[who], each))

    @stateful.rule(
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

    @stateful.rule(
        who=_WHO,
        limits=st.dictionaries(
            st.sampled_from(("groups", "volumes", "snapshots", "gigabytes")),
            st.sampled_from((-1, 0, 2, 6)),
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

    @stateful.rule()
    def work(self) -> None:
        """All that was accepted is done."""
        while self._attempt():
            pass

    @stateful.rule(
        failure=st.sampled_from(
            (driver_exceptions.DriverError("busy"), driver_exceptions.DriverRefusal("no"))
        )
    )
    def fail(self, failure: Exception) -> None:
        """The driver fails, once more."""

        def behave() -> None:
            raise failure

        self._attempt(behave)

    @stateful.rule()
    def lose_the_lease(self) -> None:
        """Another manager takes over while the driver works, and gives up."""

        def behave() -> None:
            self._give_to("another")

        self._attempt(behave)
        self._give_to(None)

    @stateful.rule(
        step=st.sampled_from(("claimed", "carried_out", "written", "ended")),
        ending=st.sampled_from((_Died, db_exception.DBDeadlock)),
    )
    def interrupt(self, step: str, ending: type[BaseException]) -> None:
        """The process dies at a step, or the database makes it begin the transaction again."""
        left = [step] if ending is _Died or step == "written" else []

        def checkpoint(name: str) -> None:
            if name in left:
                left.remove(name)
                raise ending

        with mock.patch.object(steps, "checkpoint", checkpoint), contextlib.suppress(_Died):
            self._attempt()
        with self.test.database.writer() as conn:
            queue.release_all(conn, base.OWNER)

    def _attempt(self, behave: Callable[[], None] | None = None) -> bool:
        """One attempt at the oldest operation; False: there is none."""
        test = self.test
        test.driver.behaviour = dict.fromkeys(_DRIVER_CALLS, behave) if behave else {}
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


class UsageTest(testscenarios.WithScenarios, base.ManagerTestCase):
    scenarios = databases.SCENARIOS

    def test_usage_is_what_the_rows_are_whatever_happens(self) -> None:
        self.conf.set_override("operation_max_attempts", 2)
        examples = 20 if self.dialect == "sqlite" else 8
        stateful.run_state_machine_as_test(
            lambda: Sequence(self),
            settings=settings(
                max_examples=examples * 20 if long.WANTED else examples,
                stateful_step_count=30,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
