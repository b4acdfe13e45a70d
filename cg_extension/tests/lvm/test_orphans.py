# SPDX-License-Identifier: Apache-2.0
"""An ``lvm`` process that goes on after its caller was killed is waited for.

SIGTERM ends neither it nor the privileged helper.
"""

import contextlib
import os
import pathlib
import signal
import time

from cg_extension.drivers.lvm import at_work
from cg_extension.tests import waiting
from cg_extension.tests.lvm import base, callers

# Seconds that a write takes; LVM writes once or more to a new volume.
_DELAY = 4


def _processes(name: str) -> dict[int, str]:
    """The state and the parent of the processes of that name that have not ended, by their ids."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit():
                before, _, after = (entry / "stat").read_text().rpartition(")")
                if before.endswith(f"({name}") and after.split()[0] != "Z":
                    found[int(entry.name)] = after
    return found


class OrphanTest(base.LVMTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.eng = self.use_engine(thin=False, odd_size=200)
        self.vg.make_odd("delay", "0", *self.vg.odd_place, str(_DELAY * 1000))
        self.addCleanup(self.vg.make_odd, "linear")

    def _start(self, *how: str) -> tuple[callers.Caller, int]:
        """Have LVM make a volume slowly: the caller, and the id of the lvm process."""
        caller = self.enterContext(
            callers.Caller(
                callers.make_a_volume,
                [
                    *(*how, self.vg.name, "--yes", "--wipesignatures", "y", "--zero", "y"),
                    *("--size", "16M", "--name", "slow", self.vg.name),
                    f"/dev/mapper/{self.vg.odd}",
                ],
            )
        )
        (pid,) = waiting.eventually(
            lambda: _processes("lvm") if "slow" in self._devices() else None,
            *("lvcreate at work", 120),
        )
        return caller, pid

    def _orphan(self, *how: str) -> int:
        """Start a slow lvcreate, kill all above it, and give the id of its process."""
        caller, orphan = self._start(*how)
        helpers = _processes("privsep-helper")
        for pid in [*helpers, caller.pid]:
            os.kill(pid, signal.SIGKILL)
        caller.wait()
        self.assertEqual([orphan], list(_processes("lvm")))
        return orphan

    def _devices(self) -> str:
        return " ".join(path.name for path in pathlib.Path("/dev/mapper").iterdir())

    def _assert_waited_for(self, *how: str) -> None:
        orphan = self._orphan(*how)
        started = time.monotonic()
        at_work.wait_for_all()
        self.assertNotIn(orphan, _processes("lvm"))
        self.assertGreater(time.monotonic() - started, 0.5)
        self.assertIn("slow", self.eng.volumes())
        # It leaves nothing to wait for.
        self.assertEqual([], list(at_work._DIRECTORY.iterdir()))

    def test_that_of_a_killed_command_is_waited_for(self) -> None:
        self._assert_waited_for()

    def test_that_of_a_killed_privileged_helper_is_waited_for(self) -> None:
        self._assert_waited_for(callers.HELPED)

    def test_a_stop_lets_what_is_under_way_come_to_its_end(self) -> None:
        """A service manager's SIGTERM goes to all processes; the service takes its time."""
        caller, pid = self._start(callers.HELPED)
        helpers = _processes("privsep-helper")
        for each in [*helpers, pid]:
            os.kill(each, signal.SIGTERM)
        self.assertEqual(0, caller.wait())
        self.assertIn("slow", self.eng.volumes())
        waiting.eventually(
            lambda: not helpers.keys() & _processes("privsep-helper"), "no helper", 60, 0.1
        )


class AtWorkTest(base.LVMTestCase):
    def test_what_lvm_leaves_running_is_not_waited_for(self) -> None:
        """dmeventd, which LVM starts when a pool is to be watched."""
        eng = self.use_engine(thin=True)
        conf = self.vg.system_dir / "lvm.conf"
        conf.write_text(conf.read_text().replace("monitoring=0", "monitoring=1"))
        eng.group.run("vgchange", "--monitor", "y", self.vg.name)
        watchers = _processes("dmeventd")
        self.addCleanup(lambda: [os.kill(pid, signal.SIGTERM) for pid in watchers])
        self.assertTrue(watchers)
        at_work.wait_for_all()
        self.assertEqual(watchers.keys(), _processes("dmeventd").keys())
        eng.group.run("vgchange", "--monitor", "n", self.vg.name)
