# SPDX-License-Identifier: Apache-2.0
"""The ``cg-lvm`` command from a shell: thin and thick, snapshot, list, clone, delete."""

import concurrent.futures
import json
import os
from typing import Any

import fixtures

from cg_extension.tests.lvm import base, writer


class CommandTest(base.LVMTestCase):
    def _call(self, *arguments: str, status: int = 0) -> Any:
        done = base.cg_lvm(*arguments, "--json")
        self.assertEqual(status, done.returncode, done.stderr)
        return done.stderr if status else json.loads(done.stdout)

    def _live(self, thin: bool) -> None:
        eng = self.use_engine(thin)
        vg = self.vg.name
        names, devices = self.make_volumes(eng, 2)
        members = [f"{vg}/{name}" for name in names]
        with writer.Writer(devices):
            taken = self._call("snapshot", *members, "--name", "monday")
            cloned = self._call("clone", *members, "--name", "live")
        self.assertGreater(taken["held_seconds"], 0)
        self.assertEqual(0, writer.gap(self.readable(eng, ["v0.monday", "v1.monday"])))
        self.assertEqual(0, writer.gap([volume["path"] for volume in cloned["volumes"]]))
        self._call("clone", vg, "--from", "monday", "--name", "tuesday")
        self.assertEqual(0, writer.gap([eng.device_path(f"{n}.tuesday") for n in names]))
        listed = self._call("list", vg)["volumes"]
        self.assertEqual({"monday"}, {v["snapshot"] for v in listed if "snapshot" in v})
        self.assertIn(
            "there already", self._call("snapshot", *members, "--name", "monday", status=1)
        )
        self.assertTrue(all(v["complete"] for v in listed))
        base.run("lvchange", "--addtag", "cg_ext.unfinished=0-1-0", f"{vg}/v0.monday")
        refused = ("clone", vg, "--from", "monday", "--name", "wednesday")
        self.assertIn("not complete", self._call(*refused, status=1))
        base.run("lvremove", "--yes", f"{vg}/v0.monday")
        self.assertIn("not complete", self._call(*refused, status=1))
        listed = self._call("list", vg)["volumes"]
        self.assertEqual({False}, {v["complete"] for v in listed if "snapshot" in v})
        self._call("delete", vg, "monday")
        self.assertIn("no group snapshot", self._call("delete", vg, "monday", status=1))
        copies = [f"{name}.{clone}" for name in names for clone in ("live", "tuesday")]
        self.assert_sound(eng, [*names, *copies])

    def test_the_whole_life_of_a_thin_group_snapshot(self) -> None:
        self._live(thin=True)

    def test_the_whole_life_of_a_thick_group_snapshot(self) -> None:
        self._live(thin=False)

    def _name_after_cut(self, thin: bool) -> None:
        eng = self.use_engine(thin)
        names, _devices = self.make_volumes(eng, 2)
        members = [f"{self.vg.name}/{name}" for name in names]
        self._call("snapshot", *members, "--name", "monday")
        base.run("lvchange", "--addtag", "cg_ext.unfinished=0-1-0", f"{self.vg.name}/v0.monday")
        self._call("snapshot", *members, "--name", "tuesday")
        self._call("snapshot", *members, "--name", "monday")
        taken = [f"{name}.{day}" for name in names for day in ("monday", "tuesday")]
        self.assert_sound(eng, [*names, *taken])

    def test_a_name_is_free_again_after_a_cut_of_an_earlier_version_thin(self) -> None:
        self._name_after_cut(thin=True)

    def test_a_name_is_free_again_after_a_cut_of_an_earlier_version_thick(self) -> None:
        self._name_after_cut(thin=False)

    def test_of_two_commands_at_once_one_has_the_name(self) -> None:
        eng = self.use_engine(thin=True)
        names, _devices = self.make_volumes(eng, 2)
        for number in range(3):
            words = [
                ("snapshot", f"{self.vg.name}/{name}", "--name", f"n{number}") for name in names
            ]
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                done = list(pool.map(lambda given: base.cg_lvm(*given), words))
            self.assertEqual([0, 1], sorted(each.returncode for each in done))
            listed = self._call("list", self.vg.name)["listed"]
            self.assertEqual({"complete"}, {each["state"] for each in listed})
            self.assertEqual(number + 1, len(listed))

    def test_a_volume_that_is_not_there_is_named(self) -> None:
        self.use_engine(thin=False, size=100)
        complaint = self._call("snapshot", f"{self.vg.name}/b", "--name", "x", status=1)
        self.assertIn(f"there is no volume b in volume group {self.vg.name}", complaint)


class NoTerminalTest(base.LVMTestCase):
    def test_under_sudo_without_a_terminal_lvms_shell_has_nothing_to_complain_of(self) -> None:
        """It calls that one unknown. A complaint is logged, and costs a report of all volumes."""
        eng = self.use_engine(thin=False, size=100)
        self.useFixture(fixtures.EnvironmentVariable("TERM", "unknown"))
        self.assertEqual("", eng.group.run_all([["lvs"]]))

    def test_lvms_shell_leaves_no_history(self) -> None:
        eng = self.use_engine(thin=False, size=100)
        home = self.useFixture(fixtures.TempHomeDir()).path
        eng.group.run_all([["lvs"]])
        self.assertEqual([], os.listdir(home))
