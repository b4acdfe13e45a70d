# SPDX-License-Identifier: Apache-2.0
"""Tells Prometheus of the operations in the queue: how many, in which state, since when."""

from collections.abc import Iterator

from oslo_log import log as logging
from prometheus_client import core, registry

from cg_extension.reference.db import engine, queue

LOG = logging.getLogger(__name__)


class OperationCollector(registry.Collector):
    """Asks the database at each scrape, so every manager tells the same: of all hosts."""

    def __init__(self, database: engine.Database) -> None:
        self._database = database

    def collect(self) -> Iterator[core.Metric]:
        count = core.GaugeMetricFamily(
            "cg_operations",
            "Accepted operations that have not ended, by state: waiting for a manager, running, or "
            "overdue (its manager's claim ran out).",
            labels=["kind", "state"],
        )
        age = core.GaugeMetricFamily(
            "cg_operation_oldest_seconds",
            "Age of the oldest operation that has not ended.",
            labels=["kind", "state"],
        )
        try:
            with self._database.reader() as conn:
                found = queue.summary(conn)
        except Exception as error:
            LOG.warning("Could not count the operations: %s", error)
            return
        for each in found:
            count.add_metric([each.kind, each.state], each.count)
            age.add_metric([each.kind, each.state], each.oldest)
        yield count
        yield age

    def describe(self) -> Iterator[core.Metric]:
        """No description in advance: for one, the registry would query the database."""
        return iter(())
