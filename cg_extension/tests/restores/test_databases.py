# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL and MariaDB, written to all the time, are restored from what ``cg-lvm run`` took."""

import json
import pathlib
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable
from typing import Any

import fixtures
import psycopg2
import pymysql

import cg_extension
from cg_extension.tests import waiting
from cg_extension.tests.lvm import base

ROOT = pathlib.Path(cg_extension.__file__).parents[1]
# Seconds for a server to start, in a guest.
PATIENCE = 300


class Counting(threading.Thread):
    """Calls a function with 1, 2, 3…; ``done`` is the last number that it came back with."""

    def __init__(self, count: Callable[[int], None]) -> None:
        super().__init__(daemon=True)
        self._count = count
        self._ended = threading.Event()
        self.done = 0

    def run(self) -> None:
        while not self._ended.is_set():
            self._count(self.done + 1)
            self.done += 1

    def end(self) -> None:
        self._ended.set()
        self.join()


class DatabasesTestCase(base.LVMTestCase):
    names: tuple[str, ...]
    user: str

    def setUp(self) -> None:
        super().setUp()
        self.eng = self.use_engine(thin=True, size=2500, pool_size=2000)
        # Servers' users must get there.
        self.root = pathlib.Path(tempfile.mkdtemp(dir="/run"))
        self.addCleanup(shutil.rmtree, self.root)
        self.root.chmod(0o755)
        for name in self.names:
            self.eng.create_volume(name, 400 * base.MIB)
            base.run("mkfs.ext4", "-q", self.eng.device_path(name))
            shutil.chown(self.mount(name), self.user, self.user)

    def mount(self, volume: str) -> pathlib.Path:
        point = self.root / volume
        point.mkdir()
        base.run("mount", self.eng.device_path(volume), str(point))
        self.addCleanup(base.run, "umount", str(point))
        return point

    def start_server(self, *command: str) -> None:
        """Run a server as its user, until the end of the test."""
        log = (self.root / "log").open("a+b")
        self.addCleanup(log.close)
        started = subprocess.Popen(
            command, stdout=log, stderr=log, user=self.user, group=self.user, extra_groups=[]
        )
        self.addCleanup(started.wait)
        self.addCleanup(started.terminate)

    def count_during_a_run(self, count: Callable[[int], None], hook: str = "") -> int:
        """Count while a run takes the volumes, and restore them; how far it had come before."""
        members = json.dumps([str(self.root / name) for name in self.names])
        profile = pathlib.Path(self.useFixture(fixtures.TempDir()).path) / "db.toml"
        profile.write_text(f"members = {members}\n{hook}")
        counting = Counting(count)
        counting.start()
        waiting.eventually(lambda: counting.done > 20, "20 rows", PATIENCE)
        before = counting.done
        done = base.cg_lvm("run", "--json", str(profile))
        self.assertEqual(0, done.returncode, done.stderr)
        after = counting.done
        waiting.eventually(lambda: counting.done > after + 5, "more rows", PATIENCE)
        counting.end()
        self.taken = json.loads(done.stdout)
        snapshot = self.taken["snapshot"]
        cloned = base.cg_lvm("clone", self.vg.name, "--from", snapshot, "--name", "restored")
        self.assertEqual(0, cloned.returncode, cloned.stderr)
        for name in self.names:
            self.mount(f"{name}.restored")
        return before


def connected(connect: Callable[[], Any], error: type[Exception]) -> Any:
    """A connection, once the server takes one."""

    def attempt() -> Any:
        try:
            return connect()
        except error:
            return None

    return waiting.eventually(attempt, "a connection", PATIENCE, 0.5)


class PostgreSQLTest(DatabasesTestCase):
    names = ("data", "wal")
    user = "postgres"

    def _start(self, data: pathlib.Path, port: int) -> Any:
        (programs,) = pathlib.Path("/usr/lib/postgresql").glob("*/bin")
        sockets = ("-c", f"unix_socket_directories={data.parent}", "-c", "listen_addresses=")
        self.start_server(f"{programs}/postgres", "-D", str(data), "-p", str(port), *sockets)
        return connected(
            lambda: psycopg2.connect(host=str(data.parent), port=port, user=self.user),
            psycopg2.OperationalError,
        )

    def test_without_any_hook_all_that_was_committed_is_restored(self) -> None:
        """Its data and its log are on two volumes, and nobody told it of the group snapshot."""
        (programs,) = pathlib.Path("/usr/lib/postgresql").glob("*/bin")
        data, wal = self.root / "data" / "db", self.root / "wal" / "db"
        base.run(
            *("runuser", "-u", self.user, "--", f"{programs}/initdb", "-D", str(data)),
            *("--waldir", str(wal), "--auth=trust", "--no-sync", "--data-checksums"),
            *("--locale=C", "--encoding=UTF8", "--wal-segsize=4"),
        )
        connection = self._start(data, 5432)
        self.addCleanup(connection.close)
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute("CREATE TABLE count (number integer PRIMARY KEY, text text)")
        before = self.count_during_a_run(
            lambda number: cursor.execute(
                "INSERT INTO count VALUES (%s, repeat('x', 2000))", (number,)
            )
        )
        restored = self.root / "data.restored" / "db"
        (restored / "postmaster.pid").unlink()
        (restored / "pg_wal").unlink()
        (restored / "pg_wal").symlink_to(self.root / "wal.restored" / "db")
        with self._start(restored, 5433) as found, found.cursor() as query:
            query.execute("SELECT count(*), max(number), sum(length(text)) FROM count")
            count, highest, length = query.fetchone()
        found.close()
        self.assertEqual((count, 2000 * count), (highest, length))
        self.assertGreaterEqual(count, before)
        self.assertEqual("crash-consistent", self.taken["consistency"])


class MariaDBTest(DatabasesTestCase):
    names = ("data",)
    user = "mysql"
    # Small, and with less address space than User-Mode Linux has.
    _OPTIONS = (
        *("--innodb-log-file-size=8M", "--innodb-buffer-pool-size=16M", "--tmpdir=/dev/shm"),
        "--loose-innodb-buffer-pool-size-max=16M",
    )

    def _start(self, data: pathlib.Path) -> Any:
        socket = data.parent / "socket"
        self.start_server(
            *("/usr/sbin/mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={socket}"),
            *("--skip-networking", "--myisam-recover-options=OFF", f"--pid-file={data.parent}/pid"),
            *self._OPTIONS,
        )
        return connected(
            lambda: pymysql.connect(unix_socket=str(socket), user="root", autocommit=True),
            pymysql.OperationalError,
        )

    def test_with_backup_stage_tables_without_transactions_are_whole_as_well(self) -> None:
        data = self.root / "data" / "db"
        base.run(
            *("mariadb-install-db", "--no-defaults", f"--user={self.user}", f"--datadir={data}"),
            *("--auth-root-authentication-method=normal", "--skip-test-db"),
            *self._OPTIONS,
        )
        connection = self._start(data)
        self.addCleanup(connection.close)
        cursor = connection.cursor()
        cursor.execute("CREATE DATABASE d")
        for engine in ("MyISAM", "InnoDB"):
            cursor.execute(f"CREATE TABLE d.{engine} (number INT PRIMARY KEY) ENGINE={engine}")

        def count(number: int) -> None:
            for engine in ("MyISAM", "InnoDB"):
                cursor.execute(f"INSERT INTO d.{engine} VALUES ({number})")

        program = ROOT / "etc" / "cg-lvm" / "hooks" / "mariadb-backup-stage"
        before = self.count_during_a_run(
            count,
            '[[hooks]]\nname = "mariadb"\nuser = "root"\nconsistency = "mariadb-backup-stage"\n'
            f'session = ["{program}", "--no-defaults", "--socket={self.root}/data/socket"]\n'
            f"time-limit = {PATIENCE}\n",
        )
        found = self._start(self.root / "data.restored" / "db")
        self.addCleanup(found.close)
        query = found.cursor()
        counts = {}
        for engine in ("MyISAM", "InnoDB"):
            query.execute(f"CHECK TABLE d.{engine}")
            self.assertEqual([("status", "OK")], [row[2:] for row in query.fetchall()])
            query.execute(f"SELECT count(*), max(number) FROM d.{engine}")
            counts[engine], highest = query.fetchone()
            self.assertEqual(counts[engine], highest)
        self.assertGreaterEqual(counts["InnoDB"], before)
        self.assertIn(counts["MyISAM"] - counts["InnoDB"], (0, 1))
        self.assertEqual("mariadb-backup-stage", self.taken["consistency"])
