# SPDX-License-Identifier: Apache-2.0
"""Two managers of one backend: one that stood still past its lease does no harm when it goes on."""

import datetime
import os
import pathlib
import signal
import subprocess
import sys

import fixtures

from cg_extension.reference.db import tables
from cg_extension.reference.manager import process
from cg_extension.reference.service import manager_client
from cg_extension.tests import waiting
from cg_extension.tests.unit.reference.manager import base

LEASE = 2.0
# A manager whose driver takes its time between two steps of a creation.
SLOW_MANAGER = """
import pathlib, time
from cg_extension.cmd import manager
from cg_extension.drivers import steps
from cg_extension.drivers.file.driver import FileDriver
def create_volume(self, context, volume):
    mark = pathlib.Path({mark!r})
    mark.write_text("begun")
    while mark.exists():
        time.sleep(0.02)
    steps.checkpoint("slow")
    pathlib.Path({wrong!r}).write_text("went on")
    return {{}}
FileDriver.create_volume = create_volume
manager.main()
"""


class FencingTest(base.ManagerTestCase):
    def setUp(self) -> None:
        super().setUp()
        manager_client.is_local(self.conf)  # Registers transport_url.
        self.conf.set_override("transport_url", "fake:/")
        self.conf.set_override("operation_lease", LEASE)
        self.conf.set_override("volume_driver", "file", group=base.BACKEND)
        self.directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)

    def start_slow_manager(self) -> subprocess.Popen[bytes]:
        config = self.directory / "manager.conf"
        config.write_text(
            f"[DEFAULT]\nhost = {self.conf.host}\nstate_path = {self.directory}/state\n"
            f"transport_url = fake:/\nenabled_backends = {base.BACKEND}\n"
            f"operation_lease = {self.conf.operation_lease}\noperation_poll_interval = 0.1\n"
            f"[database]\nconnection = {self.conf.database.connection}\n"
            f"[{base.BACKEND}]\nvolume_driver = file\nfile_path = {self.directory}/volumes\n"
        )
        script = SLOW_MANAGER.format(
            mark=str(self.directory / "mark"), wrong=str(self.directory / "wrong")
        )
        with open(self.directory / "log", "wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", script, "--config-file", str(config)],
                stdout=log,
                stderr=log,
                env=os.environ.copy(),
            )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def log(self) -> str:
        return (self.directory / "log").read_text()

    def test_a_manager_paused_past_its_lease_stops_and_writes_nothing(self) -> None:
        mark = self.directory / "mark"
        volume = self.create_volume()
        paused = self.start_slow_manager()
        waiting.eventually(mark.exists, "claimed by the first one")
        paused.send_signal(signal.SIGSTOP)

        manager = process.Manager(self.conf, self.database)
        manager.start()
        self.addCleanup(manager.stop, 60)
        waiting.eventually(lambda: not self.queue(), "taken over after the lease")
        after = self.row(tables.volumes, volume)
        self.assertEqual("available", after.status)

        mark.unlink()
        paused.send_signal(signal.SIGCONT)
        waiting.eventually(lambda: "Lost the lease" in self.log(), "noticed")
        self.assertFalse((self.directory / "wrong").exists(), "the driver went on")
        self.assertEqual(after, self.row(tables.volumes, volume))

    def test_the_lease_of_a_manager_that_works_is_not_taken(self) -> None:
        lease = 8.0  # It may stand still for some seconds because the machine is busy.
        self.conf.set_override("operation_lease", lease)
        mark = self.directory / "mark"
        volume = self.create_volume()
        self.start_slow_manager()
        waiting.eventually(mark.exists, "claimed by the first one")
        manager = process.Manager(self.conf, self.database)
        manager.start()
        self.addCleanup(manager.stop, 60)
        twice = [row.lease_expires_at + datetime.timedelta(seconds=lease) for row in self.queue()]
        waiting.eventually(
            lambda: [row.lease_expires_at for row in self.queue()] > twice, "held for twice as long"
        )
        self.assertEqual([1], [row.attempts for row in self.queue()])
        mark.unlink()
        waiting.eventually(lambda: not self.queue(), "done")
        self.assertEqual("available", self.row(tables.volumes, volume).status)
