# SPDX-License-Identifier: Apache-2.0
"""Programs that call the engine and LVM, for tests that kill them or need processes of their own.

``Caller`` starts one, as ``tests.deployment.warm`` starts programs.
"""

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from unittest import mock

from cg_extension.cmd import lvm
from cg_extension.cmd.lvm import file_systems, mounting, temporaries, writer
from cg_extension.drivers import steps
from cg_extension.drivers.lvm import commands, engine, privileged, together, transaction
from cg_extension.tests.deployment import warm

# Seconds for a program that ends by itself.
_PATIENCE = 600


def take_and_delete() -> None:
    """Take a group snapshot and delete it, over and over: ``[helped] VG POOL VOLUME…``."""
    group, pool, *names = _arguments()
    eng = engine.Engine(engine.Settings(volume_group=group, pool=pool or None, freeze_deadline=20))
    copies = [engine.Copy(source=name, target=f"k-{name}") for name in names]
    print("ready", flush=True)
    while True:
        eng.snapshot_group(copies)
        print("taken", flush=True)
        eng.delete(copy.target for copy in copies)


def take_then_delete() -> None:
    """Take a group snapshot, then delete volumes, step by step: ``VG POOL DELETED VOLUME…``."""
    group, pool, deleted, *names = _arguments()
    eng = engine.Engine(engine.Settings(volume_group=group, pool=pool or None))
    with steps.guarded(_Guard()):
        eng.snapshot_group([engine.Copy(source=name, target=f"s-{name}") for name in names])
        eng.delete(deleted.split())


def take_and_delete_together() -> None:
    """Take a group snapshot over volume groups, then delete it: ``GROUP,POOL,VOLUME…``."""
    parts = []
    for argument in _arguments():
        group, pool, volume = argument.split(",")
        eng = engine.Engine(engine.Settings(volume_group=group, pool=pool or None))
        parts.append(eng.part([engine.Copy(source=volume, target=f"s-{volume}")]))
    wanted: dict[str, list[str]] = {}
    for part in parts:
        wanted.setdefault(part.maker.group.name, []).extend(part.targets)
    removals = {part.maker.group.name: part.maker.removal for part in parts}
    with steps.guarded(_Guard()):
        together.snapshot_group(parts)
        transaction.delete([(removals[group], names) for group, names in wanted.items()])


def run_cg_lvm() -> None:
    """Run ``cg-lvm``, step by step."""
    with steps.guarded(_Guard()):
        sys.exit(lvm.main(sys.argv[1:]))


def make_a_volume() -> None:
    """Run lvcreate: ``[helped] VG ARGUMENT…``."""
    group, *arguments = _arguments()
    commands.VolumeGroup(group).run("lvcreate", *arguments)


def verify_and_wait() -> None:
    """``cg-lvm verify --deep`` whose look at a file system never ends: ``VG NAME``."""

    def look(_device: str) -> None:
        print("looking", flush=True)
        time.sleep(_PATIENCE)

    with mock.patch.object(file_systems, "check", look):
        lvm.main(["verify", *_arguments(), "--deep"])


def selftest_and_wait() -> None:
    """``cg-lvm selftest`` that never ends to judge its first snapshots: ``VG``."""

    def judge(_devices: Sequence[str]) -> None:
        print("judging", flush=True)
        time.sleep(_PATIENCE)

    with mock.patch.object(writer, "gap", judge):
        lvm.main(["selftest", *_arguments()])


def mount_and_wait() -> None:
    """``cg-lvm mount`` that never ends once all is mounted: ``VG NAME DIR OPTION…``."""
    _mount_until(temporaries, "keep_until_reboot", "mounted")


def open_and_wait() -> None:
    """``cg-lvm mount`` that never begins to mount what it has opened: ``VG NAME DIR OPTION…``."""
    _mount_until(mounting, "mount_all", "opened")


def _mount_until(module: ModuleType, function: str, told: str) -> None:
    """``cg-lvm mount`` that says ``told`` where it would call a function, and then waits."""

    def keep(*_arguments: object) -> None:
        print(told, flush=True)
        time.sleep(_PATIENCE)

    with mock.patch.object(module, function, keep):
        lvm.main(["mount", *_arguments()])


class _Guard:
    """Of an operation that nobody else takes over."""

    kind = "test"

    def check(self) -> None:
        """It is still ours."""


HELPED = "helped"
"""First argument of one that has a privileged helper of its own."""


def _arguments() -> list[str]:
    arguments = sys.argv[1:]
    if arguments[0] == HELPED:
        privileged.configure()
        return arguments[1:]
    privileged.run_in_process()
    return arguments


class Caller:
    """One of these programs, running; killed at the end of a ``with`` statement."""

    def __init__(
        self,
        program: Callable[[], None],
        arguments: Sequence[str],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start it.

        :param environment: variables besides those of this process.
        """
        with contextlib.ExitStack() as files:
            self._complaints = files.enter_context(tempfile.TemporaryFile("w+"))
            read, write = os.pipe()
            self._printed = files.enter_context(open(read))
            with open(write, "wb") as output:
                self._process = warm.start(
                    f"{__name__}:{program.__name__}",
                    arguments,
                    modules=warm.LVM,
                    environment={**os.environ, **(environment or {})},
                    stdout=output,
                    stderr=self._complaints,
                )
            self._files = files.pop_all()
        self.pid = self._process.pid

    def line(self) -> str:
        """The next line that it prints; empty when it has ended."""
        return self._printed.readline()

    def wait(self) -> int:
        """Its exit code, negative for a signal."""
        return self._process.wait(_PATIENCE)

    def complaint(self) -> str:
        """What it has written to standard error."""
        self._complaints.seek(0)
        return self._complaints.read()

    def kill(self) -> None:
        """Kill it and nothing else, and wait until it has gone."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> "Caller":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._files.close()
