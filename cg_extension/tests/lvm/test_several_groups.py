# SPDX-License-Identifier: Apache-2.0
"""Two volume groups, thin and thick volumes together: one instant, and all or nothing over all."""

import json
import signal
import time
from typing import Any

import fixtures

from cg_extension.drivers import steps
from cg_extension.drivers.lvm import commands, device_mapper, engine, together, transaction
from cg_extension.tests import long
from cg_extension.tests.lvm import base, callers, writer

# By the boundary at which the caller dies, whether the snapshots are there after recovery.
_DEATHS = {"retaken": False, "decided": True, "prepared": True, "going": False}
if long.WANTED:
    _DEATHS |= {"begun": False, "snapshots_made": False, "finished": True, "removed": False}


class SeveralGroupsTest(base.LVMTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.use_engine(thin=True, size=600, pool_size=200)
        self.one, self.other = self.vg.name, f"{self.vg.name}-b"
        self.vg.add_group(self.other, 400, pool_size=100)
        self.engines = {}
        self.members, self.devices = [], []
        for group in (self.one, self.other):
            for pool, name in (("pool", "thin"), (None, "thick")):
                eng = engine.Engine(engine.Settings(volume_group=group, pool=pool))
                eng.create_volume(name, 8 * base.MIB)
                self.engines[group, pool] = eng
                self.members.append(f"{group}/{name}")
                self.devices.append(eng.device_path(name))

    def _call(self, *arguments: str, status: int = 0) -> Any:
        done = base.cg_lvm(*arguments, "--json")
        self.assertEqual(status, done.returncode, done.stderr)
        return done.stderr if status else json.loads(done.stdout)

    def _assert_one_instant(self, made: dict[str, Any]) -> None:
        """Judge the volumes in the order of those that were written to."""
        paths = {}
        for volume in made["volumes"]:
            group, name = volume["volume_group"], volume["volume"]
            self.engines[group, None].activate([name])
            paths[f"{group}/{name.partition('.')[0]}"] = volume["path"]
        self.assertEqual(0, writer.gap([paths[member] for member in self.members]))

    def _assert_there(self, *suffixes: str) -> None:
        """The volumes, and those named after them; nothing is held or under way."""
        names = {name + suffix for name in ("thin", "thick") for suffix in ("", *suffixes)}
        with device_mapper.Control() as control:
            for group in (self.one, self.other):
                found = commands.VolumeGroup(group).volumes()
                self.assertEqual(names | {"pool"}, set(found))
                self.assertEqual(set(), {t for v in found.values() for t in v.group_tags})
                held = [v.name for v in found.values() if v.active]
                held = [n for n in held if control.is_suspended(found[n].device_name)]
                self.assertEqual([], held)
                base.run("vgck", group)

    def test_the_whole_life_of_a_group_snapshot_over_two_volume_groups(self) -> None:
        self.useFixture(fixtures.EnvironmentVariable("SUDO_USER", "alice"))
        with writer.Writer(self.devices):
            time.sleep(0.3)
            taken = self._call("snapshot", *self.members, "--name", "monday")
            live = self._call("clone", *self.members, "--name", "live")
        self.assertGreater(taken["held_seconds"], 0)
        self._assert_one_instant(taken)
        self._assert_one_instant(live)
        self._assert_one_instant(
            self._call("clone", self.other, "--from", "monday", "--name", "made")
        )
        self._assert_receipt(taken)
        self._call("delete", self.other, "monday")
        self._assert_there(".live", ".made")

    def _assert_receipt(self, taken: dict[str, Any]) -> None:
        shown = self._call("show", "monday")
        summary = shown["shown"]
        self.assertEqual(
            (4, [self.one, self.other], "complete", "alice", "crash-consistent"),
            tuple(
                summary[key] for key in ("members", "volume_groups", "state", "by", "consistency")
            ),
        )
        self.assertEqual(round(taken["held_seconds"], 6), summary["held_seconds"])
        self.assertRegex(summary["instant"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$")
        uuids = base.run("lvs", "--noheadings", "-o", "vg_name,lv_name,lv_uuid").split()
        known = {uuids[n + 2]: (uuids[n], uuids[n + 1]) for n in range(0, len(uuids), 3)}
        for volume in shown["volumes"]:
            group = volume["volume_group"]
            self.assertEqual((group, volume["volume"]), known[volume["uuid"]])
            self.assertEqual((group, volume["source"]), known[volume["source_uuid"]])
            # What the clone of it shares is not its own any more.
            self.assertIsInstance(volume["used"], int, volume)
        listed = {each.get("snapshot"): each for each in self._call("list")["listed"]}
        self.assertEqual(summary["used"], listed["monday"]["used"])
        self.assertEqual(self._call("show", "made")["shown"]["instant"], summary["instant"])

    def test_group_snapshots_over_two_volume_groups_are_never_torn(self) -> None:
        parts = [
            eng.part([engine.Copy(source=name, target=f"{name}.s")])
            for (_group, pool), eng in self.engines.items()
            for name in ["thin" if pool else "thick"]
        ]
        names = ["thin.s", "thick.s"]
        with writer.Writer(self.devices):
            for _ in range(20 if long.WANTED else 1):
                time.sleep(0.05)
                together.snapshot_group(parts)
                paths = []
                for eng in (self.engines[self.one, None], self.engines[self.other, None]):
                    paths += self.readable(eng, names)
                self.assertEqual(0, writer.gap(paths))
                transaction.delete(
                    [
                        (self.engines[group, None].maker.removal, names)
                        for group in (self.one, self.other)
                    ]
                )
        self._assert_there()

    def test_killed_at_any_step_it_is_complete_in_both_or_gone_in_both(self) -> None:
        arguments = [
            f"{group},{pool or ''},{'thin' if pool else 'thick'}" for group, pool in self.engines
        ]
        file = self.vg.system_dir / "fault"
        for turn, (boundary, there) in enumerate(_DEATHS.items()):
            file.write_text(f"test/lvm.{boundary}:1")
            fault = {steps.FAULT_VARIABLE: str(file)}
            with callers.Caller(callers.take_and_delete_together, arguments, fault) as caller:
                self.assertEqual(-signal.SIGKILL, caller.wait(), caller.complaint())
            # The next command on either puts both right.
            group = (self.one, self.other)[turn % 2]
            eng = self.engines[group, None]
            self._call("snapshot", f"{group}/thin", "--name", "next")
            self.assertEqual(there, "s-thin" in eng.volumes(), boundary)
            eng.delete(["thin.next"])
            if there:
                transaction.delete(
                    [
                        (self.engines[group, None].maker.removal, ["s-thin", "s-thick"])
                        for group in (self.one, self.other)
                    ]
                )
            self._assert_there()
