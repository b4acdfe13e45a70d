# SPDX-License-Identifier: Apache-2.0
"""``cg-lvm run`` with real volumes: hooks around the instant, retention, a run that is killed."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
from typing import Any

import cg_extension
from cg_extension.tests import waiting
from cg_extension.tests.lvm import base, writer

HOOKS = pathlib.Path(cg_extension.__file__).parents[1] / "etc" / "cg-lvm" / "hooks"


class ProfilesTest(base.LVMTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.eng = self.use_engine(thin=True, size=800, pool_size=500)
        self.directory = pathlib.Path(self.vg.system_dir)

    def _profile(self, text: str, name: str = "nightly") -> str:
        path = self.directory / f"{name}.toml"
        path.write_text(text)
        return str(path)

    def _run(self, *arguments: str, status: int = 0) -> Any:
        done = base.cg_lvm("run", "--json", *arguments)
        self.assertEqual(status, done.returncode, done.stderr)
        return done.stderr if status else json.loads(done.stdout)

    def test_a_run_under_a_writer_is_of_one_instant_and_takes_the_place_of_the_last(self) -> None:
        names, devices = self.make_volumes(self.eng, 2)
        members = json.dumps([f"{self.vg.name}/{name}" for name in names])
        profile = self._profile(f'members = {members}\nname = "n{{time}}"\nkeep.last = 1')
        self._run(profile)
        with writer.Writer(devices):
            run = self._run(profile)["snapshot"]
        snapshots = [f"{name}.{run}" for name in names]
        self.assertEqual(0, writer.gap(self.readable(self.eng, snapshots)))
        self.assert_sound(self.eng, [*names, *snapshots])

    def test_a_frozen_file_system_above_a_volume_is_whole_and_thawed_even_after_a_kill(
        self,
    ) -> None:
        (name,), (device,) = self.make_volumes(self.eng, 1, 64 * base.MIB)
        sectors = 64 * base.MIB // 512
        above = f"above-{self.vg.name}"
        base.run("dmsetup", "create", above, "--table", f"0 {sectors} linear {device} 0")
        self.addCleanup(base.run, "dmsetup", "remove", "--retry", above)
        base.run("mkfs.ext4", "-q", f"/dev/mapper/{above}")
        point = self.directory / "point"
        point.mkdir()
        base.run("mount", f"/dev/mapper/{above}", str(point))
        self.addCleanup(base.run, "umount", str(point))
        self.addCleanup(base.run, "fsfreeze", "--unfreeze", str(point), check=False)
        (point / "file").write_text("content")
        hook = (
            '[[hooks]]\nname = "fsfreeze"\nuser = "root"\nconsistency = "fsfreeze"\n'
            f'session = ["{HOOKS}/fsfreeze", "{point}"]\n'
            f'after = ["{HOOKS}/fsfreeze", "--thaw", "{point}"]\n'
        )
        taken = self._run(self._profile(f'members = ["{point}"]\n{hook}'))
        self._assert_thawed(point)
        snapshot = f"{name}.{taken['snapshot']}"
        self.assertIn("cg-lvm.consistency=fsfreeze", self.eng.volumes()[snapshot].tags)
        (device,) = self.readable(self.eng, [snapshot])
        # Nothing is to be replayed: it was frozen, not just cut off.
        self.assertNotIn("needs_recovery", base.run("dumpe2fs", "-h", device))

        slow = '[[hooks]]\nname = "slow"\nuser = "root"\nbefore = ["/bin/sleep", "77"]\n'
        profile = self._profile(f'members = ["{point}"]\n{hook}{slow}', "killed")
        process = subprocess.Popen(
            [sys.executable, "-m", "cg_extension.cmd.lvm", "run", profile], start_new_session=True
        )
        with process:
            waiting.eventually(lambda: _runs("sleep\x0077"), "the second hook", 60)
            # As systemd does it: the command and all of its hooks.
            for pid in (process.pid, *_runs("sleep\x0077"), *_runs(f"fsfreeze\x00{point}")):
                os.kill(pid, signal.SIGKILL)
        self.assertEqual(["fsfreeze"], self._run("--after-hooks", profile)["undone"])
        self._assert_thawed(point)
        self.assert_sound(self.eng, [name, snapshot])

    def _assert_thawed(self, point: pathlib.Path) -> None:
        """A file system that is not frozen refuses to be thawed."""
        done = subprocess.run(["fsfreeze", "--unfreeze", point], capture_output=True, text=True)
        self.assertIn("Invalid argument", done.stderr)


def _runs(words: str) -> list[int]:
    """The processes that have these words in their command lines, with NUL between them."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it ends meanwhile
            if words in path.read_text():
                found.append(int(path.parent.name))
    return found
