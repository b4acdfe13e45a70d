# SPDX-License-Identifier: Apache-2.0
"""What a pool does when a connection is taken and given back: as few round trips as it takes."""

import time
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import plugins

# In a URL's ``plugin``, see :class:`_NoRoundTrips`.
PLUGIN = "cg_extension_no_round_trips"

# Seconds since its last use for which a connection is taken to be alive, without asking.
_ALIVE = 0.5


class _NoRoundTrips(sa.CreateEnginePlugin):
    """Keeps a pool from two round trips at each use that oslo.db asks for, and can't be told."""

    def __init__(self, url: sa.URL, kwargs: dict[str, Any]) -> None:
        # Whether a connection is alive is asked of those that have rested, by ``check_alive``.
        kwargs["pool_pre_ping"] = False
        # Whoever has a connection ends its transaction; the pool would roll back after a commit.
        kwargs["pool_reset_on_return"] = None

    def update_url(self, url: sa.URL) -> sa.URL:
        return url.difference_update_query(["plugin"])


plugins.register(PLUGIN, __name__, _NoRoundTrips.__name__)


def check_alive(engine: sa.Engine) -> None:
    """Have a connection that has not been used for a while replaced if it is dead.

    One that died within that while fails its next user; then the whole pool is made anew.
    """

    def note_use(_connection: Any, record: Any) -> None:
        record.info["used"] = time.monotonic()

    def ask(dbapi_connection: Any, record: Any, _proxy: Any) -> None:
        if time.monotonic() - record.info["used"] <= _ALIVE:
            return
        try:
            engine.dialect.do_ping(dbapi_connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise sa.exc.InvalidatePoolError from error

    for event in ("connect", "checkin"):
        sa.event.listen(engine, event, note_use)
    sa.event.listen(engine, "checkout", ask)


def forget_savepoints(engine: sa.Engine) -> None:
    """Have no connection look for listeners to its statements, until the engine gets another.

    oslo.db's are there to tell why a savepoint is gone. There is none here, and to look for them at
    each step is a sixteenth of a short read.
    """
    engine._has_events = False
