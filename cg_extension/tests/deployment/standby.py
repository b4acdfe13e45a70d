# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL with a standby that takes over: both are private servers on this machine.

What was committed is on both (``synchronous_standby_names``), as it must be where nothing that was
accepted may be lost. What Patroni or repmgr do elsewhere is done here by hand.
"""

import functools
import shutil

import fixtures
import sqlalchemy as sa

from cg_extension.tests import waiting
from cg_extension.tests.deployment import servers


class _Member(servers.PostgreSQL):
    """One of both; it begins as a copy of ``primary``, if there is one."""

    def __init__(self, primary: "_Member | None" = None) -> None:
        super().__init__()
        self._primary = primary

    def _make_data(self, programs: str, data: str) -> None:
        self._programs, self._data = programs, data
        if self._primary is None:
            super()._make_data(programs, data)
        else:
            self._copy(self._primary)

    def follow(self, primary: "_Member") -> None:
        """Begin anew as the standby of ``primary``; it must have been crashed."""
        shutil.rmtree(self._data)
        self._copy(primary)
        self.start()

    def _copy(self, primary: "_Member") -> None:
        source = ["--host=127.0.0.1", f"--port={primary.port}", "--username=postgres"]
        options = ["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
        command = [f"{self._programs}/pg_basebackup", *source, *options]
        servers.run([*self._as_user, *command, f"--pgdata={self._data}"])

    def is_followed(self) -> bool:
        """Whether what it commits is on its standby as well."""
        return self.execute("SELECT sync_state FROM pg_stat_replication") == [("sync",)]

    def has_database(self, name: str) -> bool:
        """Whether clients find the database here, too."""
        found = self.execute(f"SELECT 1 FROM pg_database WHERE datname = '{name}'")
        return bool(found)

    def promote(self) -> None:
        """Become the primary, and for now one without a standby."""
        self.execute("SELECT pg_promote()")
        self.be_followed(False)

    def be_followed(self, wanted: bool) -> None:
        """Whether a commit waits for the standby."""
        names = "FIRST 1 (*)" if wanted else ""
        self.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
        self.execute("SELECT pg_reload_conf()")


class PostgreSQLPair(fixtures.Fixture):
    """``crash`` ends the primary; ``start`` lets the standby take over, and gives it one."""

    def _setUp(self) -> None:
        self._primary = self.useFixture(_Member())
        self._standby = self.useFixture(_Member(self._primary))
        self._urls = [self._primary.url, self._standby.url]
        self._pair()

    def _pair(self) -> None:
        self._primary.be_followed(True)
        waiting.eventually(self._primary.is_followed, "the standby follows", pause=0.1)

    def new_database(self) -> str:
        """URL of a new empty database, which finds whichever is the primary."""
        name = str(sa.make_url(self._primary.new_database()).database)
        # libpq tries no other server when one says that there is no such database.
        has_it = functools.partial(self._standby.has_database, name)
        waiting.eventually(has_it, "the standby has the new database", pause=0.1)
        hosts = "&".join(f"host={url.host}:{url.port}" for url in self._urls)
        return f"postgresql+psycopg2://postgres@/{name}?{hosts}&target_session_attrs=read-write"

    def crash(self) -> None:
        """SIGKILL; nobody takes writes from then on."""
        self._primary.crash()

    def start(self) -> None:
        """Let the standby be the primary, and the other one, anew, its standby."""
        self._primary, self._standby = self._standby, self._primary
        self._primary.promote()
        self._standby.follow(self._primary)
        self._pair()

    def cut_connections(self) -> None:
        """Close the connections of all clients, and take new ones at once."""
        self._primary.cut_connections()
