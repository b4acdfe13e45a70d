# SPDX-License-Identifier: Apache-2.0
"""What ends a command."""

import os
import sqlite3
import subprocess
import sys

import fixtures
from oslotest import base

from cg_extension.cmd import config, deployment
from cg_extension.conf import errors

# Signals have handlers in a process's main thread only.
_WAIT = """
import signal, threading, time
from cg_extension.cmd import deployment
stop = deployment.StopSignal()
other = threading.Thread(target=time.sleep, args=(60,), daemon=True)
other.start()
timer = threading.Timer(0.5, signal.pthread_kill, (other.ident, signal.SIGTERM))
timer.start()
stop.wait()
print("stopped")
"""


class StopSignalTest(base.BaseTestCase):
    def test_it_counts_whichever_thread_the_kernel_gives_it_to(self) -> None:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", _WAIT],
            capture_output=True,
            text=True,
            timeout=30,
        )
        self.assertEqual("stopped\n", done.stdout, done.stderr)


class SyncTest(base.BaseTestCase):
    def test_another_services_tables_are_no_fault_of_ours_and_are_left_alone(self) -> None:
        for table in ("volumes", "volume_types", "consistencygroups"):
            with self.subTest(table=table):
                path = os.path.join(self.useFixture(fixtures.TempDir()).path, "db.sqlite")
                connection = self.useFixture(_Connection(path)).connection
                connection.execute(f"CREATE TABLE {table} (foo INTEGER)")
                conf = config.new_conf()
                conf([], project="cg_extension", default_config_files=[])
                conf.set_override("connection", f"sqlite:///{path}", group="database")
                database = deployment.open_database(conf)
                error = self.assertRaises(errors.StartError, deployment.sync, conf, database)
                self.assertIn("[database] connection", str(error))
                tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
                self.assertEqual([(table,)], tables.fetchall())


class _Connection(fixtures.Fixture):
    def __init__(self, path: str) -> None:
        self._path = path

    def _setUp(self) -> None:
        self.connection = sqlite3.connect(self._path)
        self.addCleanup(self.connection.close)
