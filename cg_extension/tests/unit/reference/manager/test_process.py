# SPDX-License-Identifier: Apache-2.0
"""A whole manager: its configuration, and what it takes over from an earlier run."""

import subprocess
import sys
import threading
from importlib import metadata
from unittest import mock

import fixtures
import sqlalchemy as sa
from oslo_db import exception as db_exception

from cg_extension import conf as cg_conf
from cg_extension.conf import errors, plugins
from cg_extension.drivers.file.driver import FileDriver
from cg_extension.reference.db import queue, tables
from cg_extension.reference.manager import backend, instance, process
from cg_extension.reference.service import manager_client
from cg_extension.tests import waiting
from cg_extension.tests.unit.reference.manager import base


class ManagerTest(base.ManagerTestCase):
    def setUp(self) -> None:
        super().setUp()
        manager_client.is_local(self.conf)  # Registers transport_url.
        self.conf.set_override("transport_url", "fake:/")
        self.conf.set_override("volume_driver", "file", group=base.BACKEND)

    def start(self) -> process.Manager:
        manager = process.Manager(self.conf, self.database)
        manager.start()
        self.addCleanup(manager.stop, 60)
        return manager

    def assert_refused(self, *words: str) -> None:
        error = self.assertRaises(errors.StartError, process.Manager, self.conf, self.database)
        for word in words:
            self.assertIn(word, str(error))

    def test_without_backends_it_says_what_to_configure(self) -> None:
        self.conf.set_override("enabled_backends", [])
        self.assert_refused("enabled_backends")

    def test_a_backend_without_driver_is_named(self) -> None:
        self.conf.set_override("volume_driver", None, group=base.BACKEND)
        self.assert_refused(base.BACKEND, "volume_driver")

    def test_a_driver_that_does_not_exist_is_named(self) -> None:
        self.conf.set_override("volume_driver", "tape", group=base.BACKEND)
        self.assert_refused(
            f"[{base.BACKEND}] volume_driver = tape: There is no tape; there are file, lvm"
        )

    def test_what_is_no_driver_is_named_with_what_is_wrong_with_it(self) -> None:
        for place, words in (
            ("no_such_package:Driver", "It can't be imported: No module named 'no_such_package'"),
            ("os:path", "It is no subclass of cg_extension.drivers.base.Driver"),
            ("pathlib:Path", "It is no subclass of cg_extension.drivers.base.Driver"),
            ("cg_extension.drivers.base:Driver", "It can't be made: Can't instantiate abstract"),
        ):
            entry_point = metadata.EntryPoint("odd", place, plugins.DRIVERS)
            cache = "stevedore.extension.ExtensionManager.ENTRY_POINT_CACHE"
            self.useFixture(fixtures.MonkeyPatch(cache, {plugins.DRIVERS: [entry_point]}))
            self.conf.set_override("volume_driver", "odd", group=base.BACKEND)
            self.assert_refused(f"[{base.BACKEND}] volume_driver = odd: {words}")

    def test_it_works_and_stops(self) -> None:
        manager = self.start()
        volume = self.create_volume()
        manager.client.wake(self.driver.host)
        waiting.eventually(lambda: not self.queue(), "done")
        self.assertEqual("available", self.row(tables.volumes, volume).status)
        self.assertTrue(manager.stop(60))

    def test_it_is_ready_when_each_backend_had_its_first_try_and_one_is_up(self) -> None:
        self.conf.set_override("enabled_backends", [base.BACKEND, "bad"])
        cg_conf.register_backend_opts(self.conf, "bad")
        self.conf.set_override("volume_driver", "file", group="bad")
        manager = process.Manager(self.conf, self.database)
        self.addCleanup(manager.stop, 60)
        tries, may_go_on = threading.Event(), threading.Event()

        def hang(driver: FileDriver, context: object) -> None:
            if driver.backend == "bad":
                tries.set()
                may_go_on.wait(30)
                raise OSError("not this one")

        with mock.patch.object(FileDriver, "do_setup", hang):
            with mock.patch.object(FileDriver, "check_for_setup_error"):
                self.assertFalse(manager.is_ready())
                manager.start()
                self.assertTrue(tries.wait(60))
                self.assertFalse(manager.is_settled() or manager.is_ready())
                may_go_on.set()
                waiting.eventually(manager.is_ready, "ready")
        self.assertTrue(manager.is_settled())
        self.assertRegex(manager.summary(), f"up: .*@{base.BACKEND}; not up: .*@bad")

    def test_without_a_backend_that_is_up_it_is_settled_and_not_ready(self) -> None:
        with mock.patch.object(FileDriver, "do_setup", side_effect=OSError):
            manager = self.start()
            waiting.eventually(manager.is_settled, "settled")
            self.assertFalse(manager.is_ready())

    def test_a_start_that_fails_half_way_leaves_nothing_at_work(self) -> None:
        before = set(threading.enumerate())
        for place in ("start", "_start_thread"):
            manager = process.Manager(self.conf, self.database)
            with mock.patch.object(backend.Backend, place, side_effect=OSError):
                self.assertRaises(OSError, manager.start)
            self.assertTrue(manager.stop(60))
            waiting.eventually(lambda: before.issuperset(threading.enumerate()), "all have ended")
        self.start()  # Nor is the lock on state_path.

    def test_it_can_be_stopped_without_having_started(self) -> None:
        self.assertTrue(process.Manager(self.conf, self.database).stop(0))

    def test_a_stop_does_not_wait_for_ever_for_a_database_that_says_nothing(self) -> None:
        self.conf.set_override("operation_lease", 1.0)  # The keeper asks three times as often.
        asked, may_answer = threading.Event(), threading.Event()

        def hang(*_arguments: object) -> dict[str, object]:
            asked.set()
            may_answer.wait(60)
            return {}

        manager = self.start()
        with mock.patch.object(queue, "others", hang):
            self.assertTrue(asked.wait(60))
            ended: list[bool] = []
            stopper = threading.Thread(target=lambda: ended.append(manager.stop(60)), daemon=True)
            stopper.start()
            stopper.join(30)
            may_answer.set()
            stopper.join(60)
        self.assertEqual([False], ended)

    def test_the_next_start_goes_on_at_once_with_what_its_predecessor_held(self) -> None:
        """Although the database was away when one before it tried to."""
        dead = instance.Instance(self.state_path, self.conf.host)
        self.create_volume()
        with self.database.writer() as conn:
            held = sa.update(tables.operations).values(
                owner=dead.owner, lease_expires_at=sa.func.datetime("now", "+1 hour")
            )
            conn.execute(held)
        dead.succeed()
        dead.release()
        away = process.Manager(self.conf, self.database)
        with mock.patch.object(queue, "release_all", side_effect=db_exception.DBError):
            self.assertRaises(db_exception.DBError, away.start)
        away.stop(60)
        self.start()
        waiting.eventually(lambda: not self.queue(), "done")

    def test_the_start_leaves_anothers_claims_alone(self) -> None:
        self.create_volume()
        with self.database.writer() as conn:
            held = sa.update(tables.operations).values(
                owner="another", lease_expires_at=sa.func.datetime("now", "+1 hour")
            )
            conn.execute(held)
        manager = self.start()
        manager.client.wake(self.driver.host)
        self.assertTrue(manager.stop(60))
        self.assertEqual(["another"], [row.owner for row in self.queue()])

    def test_a_second_manager_in_the_same_state_path_is_refused(self) -> None:
        self.start()
        with mock.patch.object(instance, "_PATIENCE", 0):
            second = process.Manager(self.conf, self.database)
            self.assertRaises(instance.AlreadyRunning, second.start)

    def test_no_thread_of_a_manager_is_a_green_one(self) -> None:
        """oslo.service imports eventlet where it is installed; it must not patch anything."""
        script = (
            "import sys, cg_extension.cmd.manager, cg_extension.cmd.standalone\n"
            "patcher = sys.modules.get('eventlet.patcher')\n"
            "sys.exit(bool(patcher and any(map(patcher.is_monkey_patched, "
            "('os', 'select', 'socket', 'thread', 'time')))))"
        )
        self.assertEqual(0, subprocess.run([sys.executable, "-c", script]).returncode)
