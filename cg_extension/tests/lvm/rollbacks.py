# SPDX-License-Identifier: Apache-2.0
"""Volumes to be rolled back by ``cg-lvm``, for tests."""

import json
import pathlib
import signal
from typing import Any

from cg_extension.cmd.lvm import pending
from cg_extension.drivers import steps
from cg_extension.drivers.lvm import commands, device_mapper, engine
from cg_extension.tests.lvm import base, callers

_NOTES = pathlib.Path("/etc/cg-lvm")


class RollbackTestCase(base.LVMTestCase):
    """Three volumes in two volume groups: one thin, two thick."""

    def setUp(self) -> None:
        super().setUp()
        # The notes for the boot belong to this guest, whose /etc may be the machine's.
        _NOTES.mkdir(exist_ok=True)
        base.run("mount", "-t", "tmpfs", "none", str(_NOTES))
        self.addCleanup(base.run, "umount", str(_NOTES))
        self.use_engine(thin=True, size=400, pool_size=120)
        self.one, self.other = self.vg.name, f"{self.vg.name}-b"
        self.vg.add_group(self.other, 300)
        self.groups = [self.one, self.other]
        self.members, self.devices = [], []
        for group, pool, name in (
            (self.one, "pool", "data"),
            (self.one, None, "wal"),
            (self.other, None, "conf"),
        ):
            eng = engine.Engine(engine.Settings(volume_group=group, pool=pool))
            eng.create_volume(name, 8 * base.MIB)
            self.members.append((group, name))
            self.devices.append(eng.device_path(name))
        base.run("lvchange", "--addtag", "mine", f"{self.one}/data")

    def call(self, *arguments: str, status: int = 0) -> Any:
        """Run ``cg-lvm``; its answer, or its complaint."""
        done = base.cg_lvm(*arguments, "--json")
        self.assertEqual(status, done.returncode, done.stderr)
        return done.stderr if status else json.loads(done.stdout)

    def snapshot(self, name: str) -> None:
        """Take a group snapshot of all three."""
        self.call("snapshot", *("/".join(member) for member in self.members), "--name", name)

    def write(self, content: bytes) -> None:
        """Write one byte all over the first MiB of each."""
        for device in self.devices:
            with open(device, "r+b") as file:
                file.write(content * base.MIB)

    def content(self) -> set[bytes]:
        """The bytes that are there."""
        found = set()
        for device in self.devices:
            with open(device, "rb") as file:
                found |= {bytes([byte]) for byte in set(file.read(base.MIB))}
        return found

    def assert_nothing_pending(self) -> None:
        """Nothing is left of any rollback, or under way."""
        with device_mapper.Control() as control:
            for group in self.groups:
                for volume in commands.VolumeGroup(group).volumes().values():
                    self.assertEqual(frozenset(), volume.group_tags)
                    self.assertFalse(volume.name.startswith("cgback-"), volume.name)
                    self.assertEqual([], [t for t in volume.tags if t.startswith("cg_ext.takes")])
                    if volume.active:
                        self.assertFalse(control.is_suspended(volume.device_name))
                base.run("vgck", group)
        self.assertEqual([], list((_NOTES / "rollbacks").iterdir()))
        self.assert_pool_sound()

    def kill(self, boundary: str, keep: str, command: str) -> None:
        """Let ``cg-lvm`` die there as it rolls back to ``one``; then run another command.

        :param keep: the name of the state before.
        :param command: ``finish``, or the volume of which a group snapshot is taken then.
        """
        file = self.vg.system_dir / "fault"
        file.write_text(f"test/lvm.{boundary}")
        fault = {steps.FAULT_VARIABLE: str(file)}
        arguments = ["rollback", "one", "--keep-as", keep]
        with callers.Caller(callers.run_cg_lvm, arguments, fault) as caller:
            self.assertEqual(-signal.SIGKILL, caller.wait(), caller.complaint())
        if command == "finish":
            self.call("finish")
        else:
            self.call("snapshot", command, "--name", "next")
            self.call("delete", "next")
            pending.clear()

    def assert_all(self, content: bytes, keep: str | None, where: str) -> None:
        """All have this content, the state before is there or not, and nothing is under way.

        :param keep: its name; None: all are old.
        """
        self.assertEqual({content}, self.content(), where)
        self.assert_nothing_pending()
        names = {group: set(commands.VolumeGroup(group).volumes()) for group in self.groups}
        kept = [name for group, name in self.members if f"{name}.{keep}" in names[group]]
        self.assertEqual([name for _group, name in self.members] if keep else [], kept, where)
