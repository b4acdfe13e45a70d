# SPDX-License-Identifier: Apache-2.0
"""The freeze: a program of two small processes that hold the I/O of some devices and let it go.

``python -m cg_extension.drivers.lvm.freeze`` reads a ``Plan`` as JSON from its standard input and
answers with one line of JSON. What the plan's steps are good for, the lock of the volume group
and whether it is safe to freeze at all are the business of ``retake``, which starts it.

What protects the data behind the devices:

- The *freezer* suspends, takes and resumes. The *watchdog*, its child, resumes every device when
  the freezer dies (end of file on their pipe) or is late (it is then killed first, so that it
  can't go on; a suspend that waits for I/O gives up on a fatal signal).
- Both have all their memory locked and are marked as being part of the I/O path
  (PR_SET_IO_FLUSHER), so that neither can wait for a page of a device that is frozen. The kernel
  keeps its side: ``dm_ioctl`` allocates without I/O.
- While I/O is held there is no fork, no log, no lock, no garbage collection and no file access:
  the requests were built before, and what is left is one loop of ioctls.
- Success is reported only by a freezer that lived to resume every device within the deadline.
"""

import contextlib
import ctypes
import dataclasses
import errno
import fcntl
import gc
import json
import mmap
import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any

from cg_extension.drivers.lvm import device_mapper

# <sys/mman.h>, <linux/prctl.h>
_MCL_CURRENT_AND_FUTURE = 1 | 2
_PR_SET_IO_FLUSHER = 57

# The ``error`` of an answer when I/O was held for longer than the plan's deadline.
DEADLINE = "deadline"

_FINISHED = b"f"
_READY = b"r"
# How often, and how many seconds apart, the watchdog tries to resume a device that it can't.
_RESUME_ATTEMPTS = 200
_RESUME_PAUSE = 0.05


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What to do, in order; a step is a list: its kind, the device's name, then arguments.

    Kinds: ``["message", device, text]``, ``["load", device, [[start, length, kind,
    parameters], …]]``, ``["resume", device]`` and ``["clear", device, bytes]`` (zeros from the
    start of the device, a multiple of 4096; not among ``take``).

    :param prepare: steps before the freeze; the first that fails ends it all.
    :param suspend: devices to hold, in this order; they are resumed in the reverse order.
    :param take: steps while I/O is held.
    :param deadline: seconds for which I/O may be held.
    """

    prepare: Sequence[Sequence[Any]]
    suspend: Sequence[str]
    take: Sequence[Sequence[Any]]
    deadline: float


def main() -> None:
    """Carry out the plan on standard input; answer ``{"held": s}`` or ``{"error": text}``."""
    # A stop of the service sends SIGTERM to freezer and watchdog alike; they finish first.
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    plan = Plan(**json.load(sys.stdin))
    with device_mapper.Control() as control:
        answer = _carry_out(control, plan)
    # The caller may have been killed; the devices are free all the same.
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(answer), flush=True)


def _carry_out(control: device_mapper.Control, plan: Plan) -> dict[str, Any]:
    try:
        for step in plan.prepare:
            _prepare(control, step)
    except OSError as error:
        return {"error": f"{' '.join(map(str, step[:2]))}: {error.strerror}"}
    window = _Window(
        control.fd,
        suspends=[device_mapper.suspend(name) for name in plan.suspend],
        takes=[_request(step) for step in plan.take],
        resumes=[device_mapper.resume(name) for name in plan.suspend],
    )
    try:
        with _Watchdog(window, plan.deadline) as watchdog:
            number = window.freeze()
            _run_among_others()
            if window.all_resumed:
                watchdog.dismiss()
    except OSError as error:
        return {"error": f"could not get ready to freeze: {error}"}
    if number:
        return {"error": os.strerror(number), "errno": number}
    if window.held > plan.deadline:
        return {"error": DEADLINE}
    return {"held": window.held}


def _prepare(control: device_mapper.Control, step: Sequence[Any]) -> None:
    if step[0] != "clear":
        control.send(_request(step))
        return
    fd = os.open(f"/dev/mapper/{step[1]}", os.O_RDWR | os.O_DIRECT | os.O_SYNC | os.O_CLOEXEC)
    try:
        with mmap.mmap(-1, step[2]) as zeros:  # page-aligned, as O_DIRECT wants it
            if os.pwrite(fd, zeros, 0) != step[2]:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
    finally:
        os.close(fd)


def _request(step: Sequence[Any]) -> device_mapper.Request:
    match step:
        case ["message", name, text]:
            return device_mapper.message(name, text)
        case ["load", name, targets]:
            return device_mapper.load(name, [device_mapper.Target(*line) for line in targets])
        case ["resume", name]:
            return device_mapper.resume(name)
    raise ValueError(f"not a step: {step!r}")


class _Window:
    """The time in which I/O is held, with everything prepared that is needed in it."""

    def __init__(
        self,
        control_fd: int,
        suspends: Sequence[device_mapper.Request],
        takes: Sequence[device_mapper.Request],
        resumes: Sequence[device_mapper.Request],
    ) -> None:
        self.control_fd = control_fd
        self.suspends = suspends
        self.takes = takes
        self.resumes = resumes
        # How many suspends were begun and how many have ended; a page that the watchdog sees.
        self.progress = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("I")
        self.held = 0.0
        self.all_resumed = False

    def freeze(self) -> int:
        """Suspend, take, resume. Gives back 0 or the error number of what failed.

        From the first suspend to the last resume: ioctls only.
        """
        ioctl, fd, progress = fcntl.ioctl, self.control_fd, self.progress
        number = 0
        started = time.monotonic()
        try:
            for request in self.suspends:
                progress[0] += 1
                ioctl(fd, request.number, request.content)
                progress[1] += 1
            for request in self.takes:
                ioctl(fd, request.number, request.content)
        except OSError as error:
            number = error.errno or errno.EIO
        self.all_resumed = self.resume()
        self.held = time.monotonic() - started
        return number

    def resume(self) -> bool:
        """Resume what was suspended, whatever fails; tells whether nothing did.

        In the reverse order: what lies below must run before a file system above can thaw,
        which writes. A suspend that was begun and has not ended comes last: it may still be under
        way in the kernel, and a resume waits for that.
        """
        begun, suspended = self.progress[0], self.progress[1]
        done = True
        for position in [*range(suspended - 1, -1, -1), *range(suspended, begun)]:
            request = self.resumes[position]
            try:
                fcntl.ioctl(self.control_fd, request.number, request.content)
            except OSError as error:
                # A device that is gone holds nothing.
                done = done and error.errno == errno.ENXIO
        return done


class _Watchdog:
    """A child process that resumes the window's devices when its parent dies or is late.

    On entering it is ready, and its deadline runs. It inherits the descriptor of the volume
    group's lock and of standard output, which so stay open until it, too, is done.
    """

    def __init__(self, window: _Window, deadline: float) -> None:
        self.window = window
        self.deadline = deadline

    def __enter__(self) -> "_Watchdog":
        watched, self.pipe = os.pipe()
        ready, tell_ready = os.pipe()
        freezer = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(self.pipe)
                os.close(ready)
                _protect_from_waiting()
                _run_before_others()
                os.write(tell_ready, _READY)
                self._watch(watched, freezer)
            finally:
                os._exit(0)
        os.close(watched)
        os.close(tell_ready)
        # Not before the fork, which makes every page copy-on-write; locking copies them now.
        _protect_from_waiting()
        answer = os.read(ready, 1)
        os.close(ready)
        if answer != _READY:
            raise OSError(errno.ECHILD, "the watchdog did not start")
        _run_before_others()
        return self

    def dismiss(self) -> None:
        """All devices run again: nothing is left to watch."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self.pipe, _FINISHED)

    def __exit__(self, *_: object) -> None:
        """Without a ``dismiss`` before, this is what makes the watchdog resume the devices."""
        os.close(self.pipe)
        os.waitpid(self.pid, 0)

    def _watch(self, pipe: int, freezer: int) -> None:
        waiting = select.poll()
        waiting.register(pipe, select.POLLIN)
        if waiting.poll(self.deadline * 1000):
            if os.read(pipe, 1) == _FINISHED:
                _run_among_others()
                return
            late = False
        else:
            late = os.getppid() == freezer
            if late:
                os.kill(freezer, signal.SIGKILL)
        for _ in range(_RESUME_ATTEMPTS):
            if self.window.resume():
                break
            time.sleep(_RESUME_PAUSE)
        if late:  # the freezer can't say it any more
            os.write(sys.stdout.fileno(), json.dumps({"error": DEADLINE}).encode())


def _protect_from_waiting() -> None:
    """Make sure that this process never waits for a frozen device.

    :raises OSError: the memory can't be locked; then there must be no freeze.
    """
    gc.disable()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlockall(_MCL_CURRENT_AND_FUTURE):
        number = ctypes.get_errno()
        raise OSError(number, f"mlockall: {os.strerror(number)}")
    libc.prctl(_PR_SET_IO_FLUSHER, 1, 0, 0, 0)  # Linux 5.6; not vital: the memory is locked
    # Not vital either, and not allowed in every container: to be spared when memory runs out.
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as adjust:
        adjust.write("-1000")


def _run_before_others() -> None:
    """Don't wait for a processor behind other processes, where that is allowed.

    Only for the freeze itself: locking the memory takes far longer, and would hold up others.
    """
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def _run_among_others() -> None:
    """The end of ``_run_before_others``: what is left to do is in no hurry."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


if __name__ == "__main__":
    main()
