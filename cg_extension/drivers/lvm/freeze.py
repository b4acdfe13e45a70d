# SPDX-License-Identifier: Apache-2.0
"""The freeze: a program of two small processes that hold the I/O of some devices and let it go.

``retake`` starts it with this module's code, compiled, and with an encoded ``freeze_plan.Plan``. It
answers on standard output with ``held SECONDS SINCE`` (by the monotonic clock), ``late`` (I/O was
held for longer than the deadline) or ``error TEXT``. What the plan's steps are good for, the lock
of the volume group and whether it is safe to freeze at all are the business of ``retake``, which
has all signals blocked: when the service is stopped, both processes are signalled, too, but finish
first.

It imports as little as possible, because both processes lock all of it in memory, and only from the
standard library, because root must not import from anywhere else.

What protects the data behind the devices:

- The *freezer* suspends, takes and resumes. The *watchdog*, its child, resumes every device when
  the freezer dies (end of file on their pipe) or is late (it is then killed first, so that it
  can't go on; a suspend that waits for I/O gives up on a fatal signal). It goes on resuming until
  the freezer is gone: what the freezer was doing in the kernel may still end with a device held.
- Both have all their memory locked and are marked as being part of the I/O path
  (PR_SET_IO_FLUSHER), so that neither can wait for a page of a device that is frozen. The kernel
  keeps its side: ``dm_ioctl`` allocates without I/O.
- While I/O is held there is no fork, no log, no lock, no garbage collection and no file access:
  the requests were built before, and what is left is one loop of ioctls, rehearsed with harmless
  ones, so that none of it runs for the first time then.
- Success is reported only by a freezer that lived to resume every device within the deadline,
  and that found each still suspended then: nobody else had let it go before all was taken.
"""

# ruff: noqa: SIM105  # contextlib is not loaded

import ctypes
import errno
import fcntl
import gc
import marshal
import mmap
import os
import select
import sys
import time

# <sys/mman.h>, <linux/prctl.h>, <linux/dm-ioctl.h>
_MCL_CURRENT_AND_FUTURE = 1 | 2
_PR_SET_IO_FLUSHER = 57
_FLAGS_AT = slice(28, 32)
_FLAG_UEVENT_GENERATED = 1 << 13
# The module ``signal`` would load ``enum`` and more.
_SIGKILL = 9

_READY = b"r"
_GO = b"g"
_FINISHED = b"f"
# Seconds that other processes get before I/O is held and after it. Locking memory, before, and
# giving it back, after, keep them from the processor; that wait should not add to the freeze.
_SETTLE = 0.02
# Niceness of what is left to do after the freeze, so that it does not get in the writers' way.
_NICENESS = 10
# How often, and how many seconds apart, the watchdog tries to resume a device that it can't.
_RESUME_ATTEMPTS = 200
_RESUME_PAUSE = 0.05

# A text for messages, the ioctl's number, its content.
Request = tuple[str, int, bytes]
# A text for messages, the device's path, how many bytes of it become zeros.
Clearing = tuple[str, str, int]


def main(plan: bytes) -> None:
    """Carry out an encoded plan; answer on standard output."""
    answer = _carry_out(**marshal.loads(plan))  # noqa: S302  # of the same Python, our parent
    try:
        os.write(1, answer.encode())
    except OSError:  # the caller may have been killed; the devices are free all the same
        pass


def _carry_out(
    prepare: list[Request | Clearing],
    suspend: list[Request],
    take: list[Request],
    resume: list[Request],
    deadline: float,
    harmless: int,
) -> str:
    control = os.open("/dev/mapper/control", os.O_RDWR | os.O_CLOEXEC)
    window = _Window(control, suspend, take, resume)
    try:
        with _Watchdog(window, deadline) as watchdog:
            for step in prepare:
                _prepare(control, step)
            window.rehearse(harmless)
            time.sleep(_SETTLE)
            _run_before_others()
            watchdog.go()
            window.freeze()
            if window.all_resumed:
                watchdog.dismiss()
                time.sleep(_SETTLE)
            _run_among_others()
    except OSError as error:
        return f"error {error.strerror}"
    if window.failure:
        return f"error {window.failure}"
    if not window.all_resumed:
        return "error not all devices could be resumed at once"
    if window.held > deadline:
        return "late"
    return f"held {window.held!r} {window.since!r}"


def _prepare(control: int, step: Request | Clearing) -> None:
    text = step[0]
    try:
        match step:
            case _, str(path), int(size):
                _clear(path, size)
            case _, int(number), bytes(content):
                fcntl.ioctl(control, number, bytearray(content))
    except OSError as error:
        raise OSError(error.errno, f"{text}: {error.strerror}") from error


def _clear(path: str, size: int) -> None:
    fd = os.open(path, os.O_RDWR | os.O_DIRECT | os.O_SYNC | os.O_CLOEXEC)
    try:
        with mmap.mmap(-1, size) as zeros:  # page-aligned, as O_DIRECT wants it
            if os.pwrite(fd, zeros, 0) != size:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
    finally:
        os.close(fd)


class _Window:
    """The time in which I/O is held, with everything prepared that is needed in it."""

    def __init__(
        self,
        control: int,
        suspends: list[Request],
        takes: list[Request],
        resumes: list[Request],
    ) -> None:
        self.control = control
        self.suspends = suspends
        self.takes = takes
        self.resumes = resumes
        # How many suspends were begun and how many have ended; a page that the watchdog sees.
        self.progress = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("I")
        self.since = self.held = 0.0
        self.failure = ""
        self.all_resumed = False
        self.found_running = ""

    def rehearse(self, harmless: int) -> None:
        """Go through ``freeze`` with every request turned into one that changes nothing.

        Code and memory that are used for the first time take longer: several times as long where
        locked memory is mapped only when it is touched (User-Mode Linux).

        :param harmless: the ioctl's number for a device's status.
        """
        trial = _Window(
            self.control,
            *(
                [(text, harmless, content) for text, _number, content in steps]
                for steps in (self.suspends, self.takes, self.resumes)
            ),
        )
        trial.freeze()
        self.progress[0] = self.progress[1] = 0

    def freeze(self) -> None:
        """Suspend, take, resume; ``failure`` then says what failed.

        From the first suspend to the last resume: ioctls only.
        """
        ioctl, control, progress = fcntl.ioctl, self.control, self.progress
        failure = ""
        started = time.monotonic()
        try:
            for step in self.suspends:
                progress[0] += 1
                ioctl(control, step[1], step[2])
                progress[1] += 1
            for step in self.takes:
                ioctl(control, step[1], step[2])
        except OSError as error:
            failure = f"{step[0]}: {error.strerror}"
        self.all_resumed = self.resume()
        self.held = time.monotonic() - started
        self.since = started
        if self.found_running and not failure:
            failure = f"{self.found_running}: it had been resumed by someone else meanwhile"
        self.failure = failure

    def resume(self) -> bool:
        """Resume what was suspended, whatever fails; tells whether nothing did.

        In the reverse order: what lies below must run before a file system above can thaw,
        which writes. A suspend that was begun and has not ended comes last; a resume does
        nothing while it is under way. The kernel announces a resume only of a device that it
        finds suspended; ``found_running`` is a device that was not.
        """
        begun, suspended = self.progress[0], self.progress[1]
        done = True
        for position in [*range(suspended - 1, -1, -1), *range(suspended, begun)]:
            text, command, content = self.resumes[position]
            try:
                answer = fcntl.ioctl(self.control, command, content)
                flags = int.from_bytes(answer[_FLAGS_AT], sys.byteorder)
                if not flags & _FLAG_UEVENT_GENERATED:
                    self.found_running = text
            except OSError as error:
                # A device that is gone holds nothing.
                done = done and error.errno == errno.ENXIO
        return done


class _Watchdog:
    """A child process that resumes the window's devices when its parent dies or is late.

    On entering it is ready; its deadline runs from ``go`` on. It inherits the descriptor of the
    volume group's lock and of standard output, which so stay open until it, too, is done.
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
        return self

    def go(self) -> None:
        """I/O will be held from now on."""
        os.write(self.pipe, _GO)
        os.sched_yield()  # on a single processor the watchdog looks at its clock now, not later

    def dismiss(self) -> None:
        """All devices run again: nothing is left to watch."""
        try:
            os.write(self.pipe, _FINISHED)
        except BrokenPipeError:
            pass

    def __exit__(self, *_: object) -> None:
        """Without a ``dismiss`` before, this is what makes the watchdog resume the devices."""
        os.close(self.pipe)
        os.waitpid(self.pid, 0)

    def _watch(self, pipe: int, freezer: int) -> None:
        if os.read(pipe, 1) != _GO:
            return
        waiting = select.poll()
        waiting.register(pipe, select.POLLIN)
        late = False
        if waiting.poll(self.deadline * 1000):
            if os.read(pipe, 1) == _FINISHED:
                time.sleep(_SETTLE)
                _run_among_others()
                return
        elif os.getppid() == freezer:
            late = True
            os.kill(freezer, _SIGKILL)
        self._resume_until_alone(pipe)
        if late:  # the freezer can't say it any more
            os.write(1, b"late")

    def _resume_until_alone(self, pipe: int) -> None:
        """Resume until that succeeds with no freezer left that could still suspend.

        A killed freezer ends the suspend that it is in first, and that may take as long as the
        disks like, if it waits for a file system.
        """
        end = select.poll()
        end.register(pipe, 0)  # the end of file only
        attempts = 0
        while attempts < _RESUME_ATTEMPTS:
            alone = bool(end.poll(0))
            if self.window.resume() and alone:
                return
            if alone:
                attempts += 1
                time.sleep(_RESUME_PAUSE)
            else:
                end.poll(_RESUME_PAUSE * 1000)


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
    try:
        # To be spared when memory runs out: not vital either, and not allowed in every container.
        with open("/proc/self/oom_score_adj", "w") as adjust:
            adjust.write("-1000")
    except OSError:
        pass


def _run_before_others() -> None:
    """Don't wait for a processor behind other processes, where that is allowed.

    Only for the freeze itself: locking the memory takes far longer, and would hold up others.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError:
        pass


def _run_among_others() -> None:
    """The end of ``_run_before_others``: what is left to do is in no hurry."""
    try:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.nice(_NICENESS)
    except OSError:
        pass
