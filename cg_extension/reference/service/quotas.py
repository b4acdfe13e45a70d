# SPDX-License-Identifier: Apache-2.0
"""Quotas: limits of projects, their usage, and the check that every acceptance makes.

Usage is counted from the rows under the project's lock, so that nothing drifts and two requests
never share the last free unit.
"""

from collections.abc import Mapping

import sqlalchemy as sa
from oslo_config import cfg

from cg_extension.contract import exceptions, records
from cg_extension.reference.db import quotas
from cg_extension.reference.service import base

RESOURCES = ("volumes", "snapshots", "gigabytes", "groups")
UNLIMITED = -1
# The largest limit that every database's integer holds.
MAX_LIMIT = 2**31 - 1


def defaults(conf: cfg.ConfigOpts) -> dict[str, int]:
    """The configured limits of a project that has none of its own."""
    return {resource: conf[f"quota_{resource}"] for resource in RESOURCES}


def check(
    transaction: base.Transaction,
    conf: cfg.ConfigOpts,
    project_id: str,
    own_limits: Mapping[str, int],
    requested: Mapping[str, int],
) -> None:
    """Under the project's lock: is there room for ``requested`` (resource → amount)?

    :param own_limits: what the lock gave.
    :raises QuotaExceeded: on the first resource that has none.
    """
    limits = {**defaults(conf), **own_limits}
    counted = [name for name, amount in requested.items() if amount and limits[name] >= 0]
    usage = _usage(transaction.conn, conf, project_id, counted)
    for resource in counted:
        if usage[resource] + requested[resource] > limits[resource]:
            raise exceptions.QuotaExceeded(
                resource=resource,
                requested=requested[resource],
                used=usage[resource],
                allowed=limits[resource],
            )


def for_snapshots(conf: cfg.ConfigOpts, sizes: list[int]) -> dict[str, int]:
    """What snapshots of these sizes (GiB) take."""
    gigabytes = 0 if conf.no_snapshot_gb_quota else sum(sizes)
    return {"snapshots": len(sizes), "gigabytes": gigabytes}


def _usage(
    conn: sa.Connection, conf: cfg.ConfigOpts, project_id: str, resources: list[str]
) -> dict[str, int]:
    gigabytes = "volume_gigabytes" if conf.no_snapshot_gb_quota else "gigabytes"
    counters = {name: gigabytes if name == "gigabytes" else name for name in resources}
    counted = quotas.usage(conn, project_id, counters.values())
    return {name: counted[counter] for name, counter in counters.items()}


class Quotas(base.Part):
    """Quota calls of the host's API."""

    def default_quotas(self, context: base.Context) -> dict[str, int]:
        """The limits of a project that has none of its own, by resource."""
        return defaults(self.conf)

    def get_quotas(self, context: base.Context, project_id: str) -> dict[str, int]:
        """A project's limits by resource."""
        with self.read(context) as conn:
            return {**defaults(self.conf), **quotas.limits(conn, project_id)}

    def get_quota_usage(
        self, context: base.Context, project_id: str
    ) -> dict[str, records.QuotaUsage]:
        """A project's limits and usage by resource."""
        with self.read(context) as conn:
            limits = {**defaults(self.conf), **quotas.limits(conn, project_id)}
            usage = _usage(conn, self.conf, project_id, list(RESOURCES))
        return {
            name: records.QuotaUsage(limit=limits[name], in_use=usage[name]) for name in RESOURCES
        }

    def update_quotas(
        self, context: base.Context, project_id: str, limits: Mapping[str, int]
    ) -> dict[str, int]:
        """Set some of a project's limits; gives all of them. A limit may be below the usage.

        :param limits: by resource, ``UNLIMITED`` to ``MAX_LIMIT``.
        """

        def work(transaction: base.Transaction) -> dict[str, int]:
            own = transaction.lock(project_id)[project_id]
            quotas.set_limits(transaction.conn, project_id, limits)
            return {**defaults(self.conf), **own, **limits}

        return self.write(work)

    def delete_quotas(self, context: base.Context, project_id: str) -> None:
        """Give a project the default limits again."""

        def work(transaction: base.Transaction) -> None:
            transaction.lock(project_id)
            quotas.delete_limits(transaction.conn, project_id)

        self.write(work)
