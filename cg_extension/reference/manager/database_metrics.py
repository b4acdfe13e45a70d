# SPDX-License-Identifier: Apache-2.0
"""Tells Prometheus what the database knows: of the operations in the queue, and of the backends.

It is asked at each scrape, so every process tells the same, of all hosts.
"""

import abc
import itertools
from collections.abc import Iterator

import sqlalchemy as sa
from oslo_config import cfg
from oslo_log import log as logging
from oslo_utils import units
from prometheus_client import core, registry

from cg_extension.contract import operations
from cg_extension.reference.db import engine, queue, services

LOG = logging.getLogger(__name__)

# Statistics of a driver in GiB, the metrics that they become, and what those are.
_SIZES = {
    "total_capacity_gb": ("cg_backend_size_bytes", "Capacity of a backend."),
    "free_capacity_gb": ("cg_backend_free_bytes", "What of a backend's capacity is not in use."),
    "provisioned_capacity_gb": (
        "cg_backend_provisioned_bytes",
        "Sizes promised to a backend's volumes; with thin volumes more than what is in use.",
    ),
}


def collectors(conf: cfg.ConfigOpts, database: engine.Database) -> list[registry.Collector]:
    """All of them."""
    return [OperationCollector(database), BackendCollector(conf, database)]


class DatabaseCollector(registry.Collector):
    """Asks the database at each scrape; tells nothing while that is away."""

    def __init__(self, database: engine.Database) -> None:
        self._database = database

    def collect(self) -> Iterator[core.Metric]:
        try:
            with self._database.reader() as conn:
                found = self._ask(conn)
        except Exception as error:
            LOG.warning("Could not read the metrics from the database: %s", error)
            return
        yield from found

    @abc.abstractmethod
    def _ask(self, conn: sa.Connection) -> list[core.Metric]: ...

    def describe(self) -> Iterator[core.Metric]:
        """No description in advance: for one, the registry would query the database."""
        return iter(())


class OperationCollector(DatabaseCollector):
    """The queue: how many operations, in which state, since when."""

    def _ask(self, conn: sa.Connection) -> list[core.Metric]:
        count = core.GaugeMetricFamily(
            "cg_operations",
            "Accepted operations that have not ended, by state: waiting for a manager, running, or "
            "overdue (its manager's claim ran out).",
            labels=["kind", "state"],
        )
        age = core.GaugeMetricFamily(
            "cg_operation_oldest_seconds",
            "Age of the oldest operation that has not ended; 0 if there is none.",
            labels=["kind", "state"],
        )
        found = {(each.kind, each.state): each for each in queue.summary(conn)}
        # Where there is none as well: what has no series can't be told from what is not measured.
        known = itertools.product(operations.OperationKind, queue.STATES)
        for labels in sorted({*known, *found}):
            each = found.get(labels)
            count.add_metric(labels, each.count if each else 0)
            age.add_metric(labels, each.oldest if each else 0)
        return [count, age]


class BackendCollector(DatabaseCollector):
    """Backends by their heartbeats: whether they are up, and what room they have."""

    def __init__(self, conf: cfg.ConfigOpts, database: engine.Database) -> None:
        super().__init__(database)
        self._conf = conf

    def _ask(self, conn: sa.Connection) -> list[core.Metric]:
        up = _of_backend(
            "cg_backend_up", "Whether a manager of the backend is alive and has it up."
        )
        disabled = _of_backend(
            "cg_backend_disabled", "Whether an administrator has disabled the backend."
        )
        silence = _of_backend(
            "cg_backend_heartbeat_age_seconds",
            "Time since the backend's last heartbeat, by the database's clock.",
        )
        sizes = {name: _of_backend(*metric) for name, metric in _SIZES.items()}
        used = _of_backend(
            "cg_pool_used_ratio", "What of a pool's data or metadata space is in use.", "space"
        )
        limit = _of_backend(
            "cg_pool_limit_ratio", "Above which use group snapshots are refused.", "space"
        )
        for row in services.find(conn, binary=services.BINARY):
            down_time = self._conf.service_down_time
            up.add_metric([row.host], services.is_up(row, now=row.now, down_time=down_time))
            disabled.add_metric([row.host], row.disabled)
            if row.heartbeat_at is not None:
                silence.add_metric([row.host], (row.now - row.heartbeat_at).total_seconds())
            stats = services.stats(row)
            for name, metric in sizes.items():
                if name in stats:
                    metric.add_metric([row.host], stats[name] * units.Gi)
            # A manager of the release before does not report pools.
            for space, use in stats.get("pool_usage", {}).items():
                used.add_metric([row.host, space], use["used_percent"] / 100)
                limit.add_metric([row.host, space], use["limit_percent"] / 100)
        return [up, disabled, silence, *sizes.values(), used, limit]


def _of_backend(name: str, documentation: str, *labels: str) -> core.GaugeMetricFamily:
    return core.GaugeMetricFamily(name, documentation, labels=["backend", *labels])
