# SPDX-License-Identifier: Apache-2.0
"""Nothing stays frozen: not when a device is slow, not when any of the processes is killed."""

import concurrent.futures
import contextlib
import errno
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator

from cg_extension.drivers.lvm import device_mapper, engine, errors, freeze, freeze_plan, retake
from cg_extension.tests import long, waiting
from cg_extension.tests.lvm import base, callers, writer

_NETLINK_KOBJECT_UEVENT = 15  # <linux/netlink.h>


def _freeze_processes() -> list[int]:
    """Process ids of freezer and watchdog, in this order."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and freeze.__file__.encode() in (
                (entry / "cmdline").read_bytes()
            ):
                found.append(int(entry.name))
    return sorted(found)


class SlowMemberTest(base.LVMTestCase):
    """Two thick members, one on a device whose writes take three seconds.

    The other, ``a``, is suspended first and waits for the suspend of ``b``.
    """

    def setUp(self) -> None:
        super().setUp()
        self.eng = self.use_engine(thin=False, odd_size=200, freeze_deadline=20)
        for name, device in (("a", self.vg.loop), ("b", f"/dev/mapper/{self.vg.odd}")):
            base.run(*("lvcreate", "-y", "-L", "16M", "-n", name, self.vg.name, device))
        self.a, self.b = (self.eng.device_path(name) for name in "ab")
        self.control = self.enterContext(device_mapper.Control())

    @contextlib.contextmanager
    def _slow_writers(self) -> Iterator[None]:
        """Three writers a second apart, so that for two seconds some write is under way."""
        self.vg.make_odd("delay", "0", *self.vg.odd_place, "3000")
        with contextlib.ExitStack() as writers:
            for _ in range(3):
                writers.enter_context(writer.Writer([self.b]))
                time.sleep(1)
            try:
                yield
            finally:
                self.vg.make_odd("linear")

    def _snapshot(self, eng: engine.Engine) -> None:
        eng.snapshot_group(self.copies(["a", "b"], "s-"))

    def _is_frozen(self) -> bool:
        # LVM suspends it as well. The processes are looked for last: that takes a guest's time.
        is_suspended = self.control.is_suspended(os.path.basename(self.a))
        return is_suspended and len(_freeze_processes()) >= 2

    def _wait_until_frozen(self) -> None:
        waiting.eventually(self._is_frozen, "frozen", 300)

    def _take(self) -> errors.LVMError | None:
        try:
            self._snapshot(self.eng)
        except errors.LVMError as failure:
            return failure
        return None

    def _comes_to_hold(self, taking: concurrent.futures.Future[errors.LVMError | None]) -> bool:
        waiting.eventually(lambda: taking.done() or self._is_frozen(), "frozen", 300)
        return not taking.done()

    def _begin_to_take(
        self, pool: concurrent.futures.Executor
    ) -> concurrent.futures.Future[errors.LVMError | None]:
        """A group snapshot that holds ``a`` now.

        LVM's own suspends bring the writers into step: a freeze may find no write under way that it
        had to wait for, or one that is about to end, and another must be tried.
        """
        while True:
            taking = pool.submit(self._take)
            if self._comes_to_hold(taking):
                return taking
            self.assertIsNone(taking.result())
            self.eng.delete(copy.target for copy in self.copies(["a", "b"], "s-"))

    def _assert_resumed_within(self, seconds: float) -> None:
        device = os.path.basename(self.a)
        waiting.eventually(lambda: not self.control.is_suspended(device), "resumed", seconds)

    def _assert_fails_when_killed(self, chosen: slice) -> None:
        with self._slow_writers(), concurrent.futures.ThreadPoolExecutor() as pool:
            taking = self._begin_to_take(pool)
            for pid in reversed(_freeze_processes()[chosen]):  # a live watchdog ends with it
                os.kill(pid, signal.SIGKILL)
            self._assert_resumed_within(5)
            self.assertIsInstance(taking.result(), errors.FreezeError)
        self.assert_sound(self.eng, ["a", "b"])

    def test_past_the_deadline_all_go_on_and_the_snapshot_fails(self) -> None:
        # Short: LVM's own suspends bring the writers into step, and a write may be about to end.
        eng = engine.Engine(
            engine.Settings(volume_group=self.vg.name, pool=None, freeze_deadline=0.05)
        )
        with self._slow_writers():
            with writer.Writer([self.a]) as quick:
                self.assertRaises(errors.DeadlineExceeded, self._snapshot, eng)
        self.assertGreater(quick.result["writes"], 100)
        self.assert_sound(eng, ["a", "b"])
        self._snapshot(self.eng)

    def test_the_watchdog_resumes_when_the_freezer_is_killed(self) -> None:
        self._assert_fails_when_killed(slice(0, 1))

    def test_the_caller_resumes_when_freezer_and_watchdog_are_killed(self) -> None:
        self._assert_fails_when_killed(slice(0, 2))

    def test_the_next_start_resumes_when_all_are_killed(self) -> None:
        with self._slow_writers():
            loop = self._start_loop()
            self._wait_until_frozen()
            # The watchdog first: it must not have the time to do its work.
            for pid in [loop.pid, *reversed(_freeze_processes())]:
                os.kill(pid, signal.SIGKILL)
            loop.wait()
            self.assertTrue(self.control.is_suspended(os.path.basename(self.a)))
            left = self.eng.recover()
            self._assert_resumed_within(0)
            self.eng.wipe(left)
        self.assert_sound(self.eng, ["a", "b"])

    def test_a_member_that_someone_else_resumes_meanwhile_fails_the_snapshot(self) -> None:
        with self._slow_writers(), concurrent.futures.ThreadPoolExecutor() as pool:
            taking = self._begin_to_take(pool)
            base.run("dmsetup", "resume", "--noudevsync", self.a)
            failure = taking.result()
        self.assertIsInstance(failure, errors.FreezeError)
        self.assertIn("been resumed by someone else", str(failure))
        self.assert_sound(self.eng, ["a", "b"])

    def test_nothing_stays_held_by_a_suspend_that_ends_after_the_deadline(self) -> None:
        """A file system that is being written out can't be interrupted, not even by SIGKILL."""
        point = pathlib.Path(self.vg.system_dir) / "mounted"
        point.mkdir()
        base.run("mkfs.ext4", "-q", self.b)
        base.run("mount", self.b, str(point))
        self.addCleanup(base.run, "umount", str(point))
        devices = [os.path.basename(device) for device in (self.a, self.b)]
        plan = freeze_plan.Plan([], devices, [], deadline=0.3)
        self.vg.make_odd("delay", "0", *self.vg.odd_place, "1000")
        (point / "file").write_bytes(bytes(1000))
        given = retake.program_input(plan.encoded())
        done = subprocess.run(retake.PROGRAM, input=given, capture_output=True, check=False)
        self.vg.make_odd("linear")
        self.assertEqual(b"late", done.stdout)
        self.assertEqual([], [name for name in devices if self.control.is_suspended(name)])

    def _start_loop(self, *how: str) -> callers.Caller:
        """Group snapshots one after another."""
        arguments = [*how, self.vg.name, "", "a", "b"]
        return self.enterContext(callers.Caller(callers.take_and_delete, arguments))

    def _patient_writer(self) -> writer.Writer:
        """One that leaves the processor to the helper, which takes long to start."""
        return writer.Writer([self.a], pause=0.02)

    def test_writers_go_on_when_all_but_the_service_is_killed(self) -> None:
        with self._slow_writers(), self._patient_writer() as quick:
            loop = self._start_loop(callers.HELPED)
            self._wait_until_frozen()
            for pid in [*self._helpers(), *reversed(_freeze_processes())]:
                os.kill(pid, signal.SIGKILL)
            loop.wait()
            self._assert_resumed_within(0)
            time.sleep(0.5)
        self.assertGreater(quick.result["writes"], 0)
        self.assert_sound(self.eng, ["a", "b"])

    def test_writers_go_on_when_the_privileged_helper_is_killed(self) -> None:
        with self._slow_writers(), self._patient_writer() as quick:
            loop = self._start_loop(callers.HELPED)
            self._wait_until_frozen()
            helpers = self._helpers()
            self.assertTrue(helpers)
            for pid in helpers:
                os.kill(pid, signal.SIGKILL)
            self._assert_resumed_within(20)  # the freeze's own deadline
            loop.wait()
            time.sleep(0.5)
        self.assertIn("Premature eof waiting for privileged process", loop.complaint())
        self.assertLess(quick.longest_stall(0, time.monotonic()), 20)
        self.eng.wipe(self.eng.recover())
        self.assert_sound(self.eng, ["a", "b"])
        self._snapshot(self.eng)

    def _helpers(self) -> list[int]:
        """Process ids of the privileged helper of this test's volume group."""
        ours = f"LVM_SYSTEM_DIR={self.vg.system_dir}".encode()
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if (
                    entry.name.isdigit()
                    and b"privsep-helper" in (entry / "cmdline").read_bytes()
                    and ours in (entry / "environ").read_bytes().split(b"\0")
                ):
                    found.append(int(entry.name))
        return found

    def test_a_member_that_is_suspended_already_is_refused(self) -> None:
        base.run("dmsetup", "suspend", self.a)
        try:
            self.assertRaises(errors.Refusal, self._snapshot, self.eng)
        finally:
            base.run("dmsetup", "resume", self.a)
        self.assert_sound(self.eng, ["a", "b"])


class LookerTest(base.LVMTestCase):
    """Someone looks at each device of which the kernel says that it has changed, as udev does."""

    def _look(self, events: socket.socket, paths: list[str], found: list[str]) -> None:
        while (message := events.recv(65536)) != b"end":
            event = message.split(b"\0")[0].decode()
            if not event.startswith("change@"):
                continue
            sysfs = pathlib.Path("/sys" + event.removeprefix("change@"))
            try:
                number = os.makedev(*map(int, (sysfs / "dev").read_text().split(":")))
                for path in paths:
                    if os.path.exists(path) and os.stat(path).st_rdev == number:
                        found.append(self._read(path))
            except OSError as error:
                # Devices come and go.
                if error.errno not in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
                    found.append(str(error))

    def _read(self, path: str) -> str:
        with open(path, "rb", buffering=0) as device:
            os.posix_fadvise(device.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            return f"{len(device.read(4096))} bytes"

    def test_whoever_looks_at_thick_snapshots_when_they_change_sees_no_error(self) -> None:
        eng = self.use_engine(thin=False)
        names, _devices = self.make_volumes(eng, 2)
        paths = [eng.device_path(f"s-{name}") for name in names]
        found: list[str] = []
        events = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _NETLINK_KOBJECT_UEVENT)
        events.bind((0, 1))
        looker = threading.Thread(target=self._look, args=(events, paths, found))
        looker.start()
        logged = base.run("dmesg").count("Buffer I/O error")
        try:
            for _ in range(3):
                eng.snapshot_group(self.copies(names, "s-"))
                eng.delete(f"s-{name}" for name in names)
        finally:
            with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _NETLINK_KOBJECT_UEVENT) as s:
                s.sendto(b"end", (events.getsockname()[0], 0))
            looker.join()
            events.close()
        self.assertIn("4096 bytes", found)
        self.assertEqual([], [what for what in found if not what.endswith(" bytes")])
        self.assertEqual(logged, base.run("dmesg").count("Buffer I/O error"))


class Killed:
    """The caller is killed at many moments; what the next start finds."""

    thin: bool

    def test_the_next_start_finds_all_or_nothing(self) -> None:
        eng = self.use_engine(self.thin)
        names, devices = self.make_volumes(eng, 2)
        targets = [f"k-{name}" for name in names]
        turns = 10 if long.WANTED else 4
        with writer.Writer(devices):
            for turn in range(turns):
                arguments = [self.vg.name, self.vg.pool or "", *names]
                with callers.Caller(callers.take_and_delete, arguments) as loop:
                    self.assertEqual("ready\n", loop.line(), loop.complaint())
                    time.sleep(2.5 * turn / turns)
                eng.wipe(eng.recover())
                left = [name for name in targets if name in eng.volumes()]
                if left == targets:
                    self.assertEqual(0, writer.gap(self.readable(eng, targets)))
                eng.delete(left)
                self.assert_sound(eng, names)


class ThinKilledTest(Killed, base.LVMTestCase):
    thin = True


class ThickKilledTest(Killed, base.LVMTestCase):
    thin = False
