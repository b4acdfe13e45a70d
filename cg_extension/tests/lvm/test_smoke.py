# SPDX-License-Identifier: Apache-2.0
"""The least that must hold on a platform: what users do with ``cg-lvm``, under a live writer.

Thin and thick, two members and eight: a group snapshot, clones of it and of the live volumes, their
deletion, one kill and what follows. It needs no setting of LVM's: with CG_TEST_OWN_LVM_CONF the
machine's own holds. Nor does the kernel log an I/O error, which operators' monitoring looks for.
"""

import json
import os
import pathlib
import time
import uuid
from typing import Any

from cg_extension.tests.deployment import warm
from cg_extension.tests.lvm import base, writer

# How much of a call goes by until it is killed.
_PART = 0.6


class Smoke:
    """The rules, for thin and for thick volumes."""

    thin: bool

    def setUp(self) -> None:
        super().setUp()
        self.mark = f"cg_extension: {uuid.uuid4()}"
        pathlib.Path("/dev/kmsg").write_text(self.mark)
        self.addCleanup(self._assert_no_io_error)

    def _assert_no_io_error(self) -> None:
        _before, _, since = base.run("dmesg").rpartition(self.mark)
        self.assertNotIn("I/O error", since)

    def test_snapshots_and_clones_of_two_volumes_are_never_torn(self) -> None:
        self._assert_never_torn(2)

    def test_snapshots_and_clones_of_eight_volumes_are_never_torn(self) -> None:
        self._assert_never_torn(8)

    def _assert_never_torn(self, count: int) -> None:
        eng = self.use_engine(self.thin)
        names, devices = self.make_volumes(eng, count)
        vg, members = self.vg.name, [f"{self.vg.name}/{name}" for name in names]
        with writer.Writer(devices):
            time.sleep(0.5)
            taken = self._call("snapshot", *members, "--name", "taken")
            live = self._call("clone", *members, "--name", "live")
        self.assertGreater(taken["held_seconds"], 0)
        self.readable(eng, [f"{name}.taken" for name in names])
        self._assert_one_instant(taken, count)
        self._assert_one_instant(live, count)
        self._assert_one_instant(
            self._call("clone", vg, "--from", "taken", "--name", "made"), count
        )
        self._call("delete", vg, "taken")
        clones = [f"{name}.{clone}" for name in names for clone in ("live", "made")]
        self.assert_sound(eng, [*names, *clones])
        eng.delete(clones)
        self.assert_sound(eng, names)

    def test_after_a_kill_the_name_is_free_or_the_snapshot_whole(self) -> None:
        eng = self.use_engine(self.thin)
        names, devices = self.make_volumes(eng, 2)
        vg, members = self.vg.name, [f"{self.vg.name}/{name}" for name in names]
        targets = [f"{name}.taken" for name in names]
        with writer.Writer(devices) as writing:
            started = time.monotonic()
            self._call("snapshot", *members, "--name", "taken")
            took = time.monotonic() - started
            self._call("delete", vg, "taken")
            with open(os.devnull, "wb") as nowhere:
                killed = warm.start(
                    base.COMMAND,
                    ["snapshot", *members, "--name", "taken"],
                    modules=warm.LVM,
                    stdout=nowhere,
                    stderr=nowhere,
                )
            time.sleep(_PART * took)
            killed.kill()
            killed.wait()
            self._call("snapshot", *members, "--name", "other")
            listed = self._call("list", vg)["volumes"]
            whole = [v["complete"] for v in listed if v.get("snapshot") == "taken"]
            if not whole:
                self._call("snapshot", *members, "--name", "taken")
        self.assertIn(whole, ([], [True, True]))
        self.assertGreater(writing.result["writes"], 100)
        self.assertEqual(0, writer.gap(self.readable(eng, targets)))
        for name in ("taken", "other"):
            self._call("delete", vg, name)
        self.assert_sound(eng, names)

    def _assert_one_instant(self, made: dict[str, Any], count: int) -> None:
        paths = [volume["path"] for volume in made["volumes"]]
        self.assertEqual(count, len(paths))
        self.assertEqual(0, writer.gap(paths))

    def _call(self, *arguments: str) -> dict[str, Any]:
        done = base.cg_lvm(*arguments, "--json")
        self.assertEqual(0, done.returncode, done.stderr)
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


class ThinTest(Smoke, base.LVMTestCase):
    thin = True


class ThickTest(Smoke, base.LVMTestCase):
    thin = False
