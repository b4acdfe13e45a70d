# SPDX-License-Identifier: Apache-2.0
"""What a process tells Prometheus, and the port on which it does.

Whoever does something measures it here. The metrics are counted whether they are served or not,
which costs a microsecond; nothing of a project or a resource is in a label. What the database
knows is told by ``manager.database_metrics``.
"""

import contextlib
import errno
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator

import prometheus_client
from oslo_config import cfg
from oslo_log import log as logging
from prometheus_client import multiprocess, registry

from cg_extension.conf import errors

LOG = logging.getLogger(__name__)

# Outcomes of driver calls.
_DONE, _FAILED = "done", "failed"

# Seconds until the port is tried again that another worker has.
_RETRY = 5.0

_REQUEST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_CALL_BUCKETS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
_FREEZE_BUCKETS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_RATIO_BUCKETS = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0)

REQUESTS = prometheus_client.Histogram(
    "cg_api_request_seconds",
    "Time from a request's arrival to the beginning of its answer.",
    ["method", "status"],
    buckets=_REQUEST_BUCKETS,
)
DRIVER_CALLS = prometheus_client.Histogram(
    "cg_driver_call_seconds",
    "Duration of an attempt's calls of the driver, by kind of operation and outcome.",
    ["kind", "outcome"],
    buckets=_CALL_BUCKETS,
)
FREEZES = prometheus_client.Histogram(
    "cg_freeze_seconds",
    "Time for which a group's writes were held so that its snapshots are of one instant.",
    buckets=_FREEZE_BUCKETS,
)
FREEZE_RATIOS = prometheus_client.Histogram(
    "cg_freeze_deadline_ratio",
    "Part of its deadline for which a group's writes were held; 1 is all of it.",
    buckets=_RATIO_BUCKETS,
)
FREEZES_EXPIRED = prometheus_client.Counter(
    "cg_freezes_expired",
    "Attempts that ended without a result, since writes had been held until the deadline.",
)
OPERATIONS_ENDED = prometheus_client.Counter(
    "cg_operations_ended",
    "Operations that have ended, by what came of them: done, or an error status.",
    ["backend", "kind", "outcome"],
)


def begin_driver_calls(kinds: Iterable[str]) -> None:
    """Count from 0: the first of a kind is no increase to Prometheus if it sees only that."""
    for kind, outcome in itertools.product(kinds, (_DONE, _FAILED)):
        DRIVER_CALLS.labels(kind, outcome)


@contextlib.contextmanager
def driver_call(kind: str) -> Iterator[None]:
    """Measure the block as calls of a driver; it failed if an exception leaves it."""
    started = time.monotonic()
    outcome = _FAILED
    try:
        yield
        outcome = _DONE
    finally:
        DRIVER_CALLS.labels(kind, outcome).observe(time.monotonic() - started)


def serve(conf: cfg.ConfigOpts, *collectors: registry.Collector) -> Callable[[], None]:
    """Serve the metrics if ``[metrics] port`` says so, from a thread of its own.

    Gives what ends it.

    :param collectors: asked for more at each scrape.
    :raises errors.StartError: the port is taken, and not by another worker of the same WSGI
        server.
    """
    if conf.metrics.port is None:
        return _nothing
    served = prometheus_client.REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        served = prometheus_client.CollectorRegistry()
        multiprocess.MultiProcessCollector(served)  # type: ignore[no-untyped-call]
    for collector in collectors:
        served.register(collector)
    with errors.blaming(f"[metrics] listen = {conf.metrics.listen}, port = {conf.metrics.port}"):
        try:
            return _listen(conf, served)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
                raise
    LOG.info("[metrics] port %s is taken, by another worker it seems", conf.metrics.port)
    threading.Thread(target=_wait_and_listen, args=(conf, served), daemon=True).start()
    return _nothing


def _nothing() -> None:
    """A stop function for what has nothing to stop, or runs until the process ends."""


def _wait_and_listen(conf: cfg.ConfigOpts, served: registry.CollectorRegistry) -> None:
    """Keep trying: the worker that has the port may end at any time, and another must take over."""
    while True:
        with contextlib.suppress(OSError):
            _listen(conf, served)
            return
        time.sleep(_RETRY)


def _listen(conf: cfg.ConfigOpts, served: registry.CollectorRegistry) -> Callable[[], None]:
    address = conf.metrics.listen, conf.metrics.port
    server, _thread = prometheus_client.start_http_server(
        address[1], addr=address[0], registry=served
    )
    LOG.info("Serving metrics on %s:%s", *address)

    def stop() -> None:
        server.shutdown()
        server.server_close()

    return stop
