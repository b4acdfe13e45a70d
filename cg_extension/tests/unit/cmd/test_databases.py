# SPDX-License-Identifier: Apache-2.0
"""The configured database, as commands open it."""

import os
import pathlib
import sqlite3

import fixtures
from oslotest import base

from cg_extension.cmd import config, databases
from cg_extension.conf import errors


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
                database = databases.open_database(conf)
                error = self.assertRaises(errors.StartError, databases.sync, conf, database)
                self.assertIn("[database] connection", str(error))
                tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
                self.assertEqual([(table,)], tables.fetchall())


class OpenTest(base.BaseTestCase):
    def test_who_needs_a_database_makes_no_file_that_would_be_its_own(self) -> None:
        root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        for connection in (None, f"sqlite:///{root}/given.sqlite"):
            conf = config.new_conf()
            conf([], project="cg_extension", default_config_files=[])
            conf.set_override("state_path", str(root / "state"))
            conf.set_override("connection", connection, group="database")
            error = self.assertRaises(errors.StartError, databases.open_migrated_database, conf)
            self.assertIn("run cg-manage db sync", str(error))
            self.assertEqual([], list(root.iterdir()))


class _Connection(fixtures.Fixture):
    def __init__(self, path: str) -> None:
        self._path = path

    def _setUp(self) -> None:
        self.connection = sqlite3.connect(self._path)
        self.addCleanup(self.connection.close)
