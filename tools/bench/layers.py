# SPDX-License-Identifier: Apache-2.0
"""Which layers of the API take the time of a call: what cProfile saw, by where the code is."""

import collections
import cProfile
import pstats
import time
from collections.abc import Callable
from typing import Any

# What a function belongs to, by the first of these that is in the name of its file.
_LAYERS = {
    "reference/wsgi/policy": "policy",
    "oslo_policy/": "policy",
    "cg_extension/reference/wsgi": "filters",
    "cg_extension/api": "router, controllers, views",
    "cg_extension/reference/service": "service",
    "cg_extension/reference/db": "queries",
    "cg_extension/contract": "records, context",
    "sqlalchemy/": "SQLAlchemy",
    "oslo_db/": "SQLAlchemy",
    "pymysql/": "driver",
    "MySQLdb/": "driver",
    "jsonschema/": "validation",
    "webob/": "WebOb",
    "routes/": "Routes",
    "oslo_context/": "oslo's context, log and metrics",
    "oslo_log/": "oslo's context, log and metrics",
    "oslo_middleware/": "filters",
    "prometheus_client/": "oslo's context, log and metrics",
    "logging/": "oslo's context, log and metrics",
    "json/": "JSON",
}
_BUILTIN = (
    ("sqlite3", "driver"),
    ("psycopg2", "driver"),
    ("_mysql", "driver"),
    ("socket", "driver"),
    ("sqlalchemy", "SQLAlchemy"),
)


def _layer(function: tuple[str, int, str]) -> str | None:
    """None: whoever calls it decides."""
    path, _line, name = function
    if path == "~":
        return next((layer for word, layer in _BUILTIN if word in name), None)
    return next((layer for part, layer in _LAYERS.items() if part in path), None)


def shares(function: Callable[[], object], calls: int) -> dict[str, float]:
    """Which part of the processor time of a function each layer takes, by the profiler.

    What the standard library and builtins take counts for the layer that calls them.
    """
    profile = cProfile.Profile(time.process_time)
    profile.enable()
    for _ in range(calls):
        function()
    profile.disable()
    stats: dict[Any, Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    taken: collections.Counter[str] = collections.Counter()

    def give(called: Any, seconds: float, seen: tuple[Any, ...]) -> None:
        layer = _layer(called)
        callers = {
            caller: part[3] for caller, part in stats[called][4].items() if caller not in seen
        }
        whole = sum(callers.values())
        if layer is not None or not whole or len(seen) > 12:
            taken[layer or "other"] += seconds
            return
        for caller, part in callers.items():
            give(caller, seconds * part / whole, (*seen, caller))

    for called, (_primitive, _count, own, *_rest) in stats.items():
        if own:
            give(called, own, (called,))
    return {layer: seconds / taken.total() for layer, seconds in taken.most_common()}
