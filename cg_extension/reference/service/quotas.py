# SPDX-License-Identifier: Apache-2.0
"""Quotas: limits of projects, their usage, and the addition to it that every acceptance makes.

A project's row holds both. It is written in the transaction that inserts or deletes the rows that
count, so that nothing drifts and two requests never share the last free unit.
"""

from collections.abc import Mapping

from oslo_config import cfg

from cg_extension.contract import exceptions, records
from cg_extension.reference.db import quotas, rows
from cg_extension.reference.service import base

RESOURCES = ("groups", "volumes", "snapshots", "gigabytes")
UNLIMITED = -1
# The largest limit that every database's integer holds.
MAX_LIMIT = 2**31 - 1


def defaults(conf: cfg.ConfigOpts) -> dict[str, int]:
    """The configured limits of a project that has none of its own."""
    return {resource: conf[f"quota_{resource}"] for resource in RESOURCES}


def accept(
    transaction: base.Transaction, conf: cfg.ConfigOpts, project_id: str, amounts: quotas.Amounts
) -> None:
    """Add ``amounts`` (by counter of ``db.quotas``) to the usage, if all limits allow it.

    Locks the project as ``Transaction.lock`` does.

    :raises QuotaExceeded: on the first of ``RESOURCES`` that has no room.
    """
    conn = transaction.conn
    counters = _counters(conf)
    if quotas.accept(conn, project_id, amounts, defaults(conf), counters):
        return
    transaction.lock(project_id)
    for resource, found in _usage(conf, quotas.get(conn, project_id)).items():
        requested = sum(amounts.get(name, 0) for name in counters[resource])
        if requested and 0 <= found.limit < found.in_use + requested:
            raise exceptions.QuotaExceeded(
                resource=resource,
                requested=requested,
                used=found.in_use,
                allowed=found.limit,
            )
    # The project had no row, or there is room since just now.
    quotas.add(conn, project_id, amounts)


def _counters(conf: cfg.ConfigOpts) -> dict[str, tuple[str, ...]]:
    """What counts against the limit of each resource."""
    gigabytes: tuple[str, ...] = ("volume_gigabytes", "snapshot_gigabytes")
    if conf.no_snapshot_gb_quota:
        gigabytes = ("volume_gigabytes",)
    counters = {resource: (resource,) for resource in RESOURCES}
    return {**counters, "gigabytes": gigabytes}


def _limits(conf: cfg.ConfigOpts, row: rows.Row | None) -> dict[str, int]:
    limits = defaults(conf)
    if row is not None:
        own = {resource: row._mapping[f"{resource}_limit"] for resource in RESOURCES}
        limits |= {resource: limit for resource, limit in own.items() if limit is not None}
    return limits


def _usage(conf: cfg.ConfigOpts, row: rows.Row | None) -> dict[str, records.QuotaUsage]:
    used = {} if row is None else row._mapping
    limits, counters = _limits(conf, row), _counters(conf)
    return {
        resource: records.QuotaUsage(
            limit=limits[resource], in_use=sum(used.get(name, 0) for name in counters[resource])
        )
        for resource in RESOURCES
    }


class Quotas(base.Part):
    """Quota calls of the host's API."""

    def default_quotas(self, context: base.Context) -> dict[str, int]:
        """The limits of a project that has none of its own, by resource."""
        return defaults(self.conf)

    def get_quotas(self, context: base.Context, project_id: str) -> dict[str, int]:
        """A project's limits by resource."""
        with self.read(context) as conn:
            return _limits(self.conf, quotas.get(conn, project_id))

    def get_quota_usage(
        self, context: base.Context, project_id: str
    ) -> dict[str, records.QuotaUsage]:
        """A project's limits and usage by resource."""
        with self.read(context) as conn:
            return _usage(self.conf, quotas.get(conn, project_id))

    def update_quotas(
        self, context: base.Context, project_id: str, limits: Mapping[str, int]
    ) -> dict[str, int]:
        """Set some of a project's limits; gives all of them. A limit may be below the usage.

        :param limits: by resource, ``UNLIMITED`` to ``MAX_LIMIT``.
        """
        return self._set(project_id, limits)

    def delete_quotas(self, context: base.Context, project_id: str) -> None:
        """Give a project the default limits again."""
        self._set(project_id, dict.fromkeys(RESOURCES))

    def _set(self, project_id: str, limits: Mapping[str, int | None]) -> dict[str, int]:
        def work(transaction: base.Transaction) -> dict[str, int]:
            transaction.lock(project_id)
            quotas.set_limits(transaction.conn, project_id, limits)
            return _limits(self.conf, quotas.get(transaction.conn, project_id))

        return self.write(work)
