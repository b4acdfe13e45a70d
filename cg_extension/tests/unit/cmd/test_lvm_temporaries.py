# SPDX-License-Identifier: Apache-2.0
"""Stand-ins and scratch volumes go with the process that made them, wherever it is cut."""

import argparse
from unittest import mock

import fixtures
from oslotest import base

from cg_extension.cmd.lvm import machinery, naming, programs, stand_ins, temporaries
from cg_extension.drivers.lvm import device_mapper, engine, thin
from cg_extension.tests.unit.drivers.lvm import fake_lvm

NAMES = ["v0", "v1"]
# More than any call has steps.
MANY = 60


class TemporariesTest(base.BaseTestCase):
    def _start(self, is_thin: bool) -> engine.Engine:
        self.lvm = self.useFixture(fake_lvm.FakeLVM(is_thin))
        for module, name in ((device_mapper, "Control"), (thin, "check_pool")):
            self.useFixture(fixtures.MockPatchObject(module, name, mock.MagicMock()))
        self.useFixture(fixtures.MockPatchObject(programs, "run", lambda *_: ""))
        eng = engine.Engine(
            engine.Settings(volume_group="vg", pool="pool" if is_thin else None, clear_size=None)
        )
        for name in NAMES:
            eng.create_volume(name, fake_lvm.MIB)
        eng.snapshot_group(
            [
                engine.Copy(
                    source=name,
                    target=f"{name}.one",
                    tags=naming.tags(naming.SNAPSHOT, "one", name, len(NAMES)),
                )
                for name in NAMES
            ]
        )
        return eng

    def _groups(self) -> machinery.Groups:
        """As the next command sees the volume group, put right."""
        return machinery.Groups(["vg"], argparse.Namespace(left=[]))

    def test_they_go_with_their_process_and_no_others(self) -> None:
        for is_thin in (True, False):
            eng = self._start(is_thin)
            before = set(self.lvm.volumes)
            eng.create_volume("gone", fake_lvm.MIB, [temporaries.tag()])
            eng.create_volume("kept", fake_lvm.MIB, ["cg-lvm.temporary=something else"])
            self._groups()
            self.assertEqual({*before, "gone", "kept"}, set(self.lvm.volumes))
            self.lvm.restart()
            eng.create_volume("living", fake_lvm.MIB, [temporaries.tag()])
            self._groups()
            self.assertEqual({*before, "kept", "living"}, set(self.lvm.volumes))

    def test_a_luks_that_a_killed_mount_has_opened_is_closed_first(self) -> None:
        ran: list[tuple[str, ...]] = []
        for is_thin, opened in ((True, "vg-gone-luks"), (False, "vg-gone-overlay-luks")):
            eng = self._start(is_thin)
            self.useFixture(fixtures.MockPatchObject(programs, "run", lambda *c: ran.append(c)))
            eng.create_volume("gone", fake_lvm.MIB, [temporaries.tag()])
            self.lvm.restart()
            with mock.patch("os.path.exists", lambda path: path == f"/dev/mapper/{opened}"):  # noqa: B023
                self._groups()
            self.assertEqual([("cryptsetup", "close", opened)], ran)
            self.assertNotIn("gone", self.lvm.volumes)
            ran.clear()

    def test_wherever_a_look_is_cut_the_next_command_removes_its_stand_ins(self) -> None:
        for kill in (True, False):
            self._start(is_thin=True)
            before = set(self.lvm.volumes)
            for steps in range(MANY):
                self.lvm.cut_after(steps, kill)
                try:
                    groups = self._groups()
                    family = naming.find(groups.volumes, "one")
                    with stand_ins.made(groups, family) as made:
                        self.assertEqual(len(NAMES), len(made))
                except fake_lvm.Cut:
                    self.lvm.restart()
                    self._groups()
                    self.assertEqual((before, set()), (set(self.lvm.volumes), self.lvm.tags))
                    continue
                break
            self.lvm.restart()
            self.assertGreater(steps, 5)
            self.assertEqual((before, set()), (set(self.lvm.volumes), self.lvm.tags))

    def test_without_room_thick_ones_are_refused_with_what_they_need(self) -> None:
        self._start(is_thin=False)
        before = set(self.lvm.volumes)
        groups = self._groups()
        family = naming.find(groups.volumes, "one")
        self.lvm.free = 9
        refusal = self.assertRaises(naming.UsageError, stand_ins.make, groups, family, [])
        self.assertIn("has 0 MiB free", str(refusal))
        self.assertIn("needs 128 MiB", str(refusal))
        self.assertEqual(before, set(self.lvm.volumes))

    def test_inactive_thick_ones_are_refused_with_how_to_activate_them(self) -> None:
        self._start(is_thin=False)
        before = set(self.lvm.volumes)
        self.lvm.volumes["v1.one"].active = False
        groups = self._groups()
        family = naming.find(groups.volumes, "one")
        refusal = self.assertRaises(naming.UsageError, stand_ins.make, groups, family, [])
        self.assertIn("lvchange -ay -K vg/v1.one", str(refusal))
        self.assertEqual(before, set(self.lvm.volumes))
