# SPDX-License-Identifier: Apache-2.0
"""What ``cg-lvm`` spends before and after the freeze, and what it does not spare for that."""

import argparse
import importlib
import subprocess
import sys
from unittest import mock

from oslotest import base

from cg_extension.cmd.lvm import making, parser
from cg_extension.tests.unit.drivers.lvm import fake_lvm

# What takes longer to import than two ``lvcreate -s`` take.
SLOW = {"debtcollector", "eventlet", "oslo_config", "oslo_log", "oslo_privsep", "stevedore"}
# What together takes a quarter of all other imports, and what only other actions need.
NEEDLESS = {"concurrent.futures", "hashlib", "shutil", "statistics", "tempfile", "tomllib", "uuid"}
NEEDLESS |= {f"cg_extension.cmd.lvm.{name}" for name in ("profiles", "selftest", "verifying")}


def _options(name: str) -> argparse.Namespace:
    words = ["snapshot", "vg/a", "vg/b", "--name", name]
    options = parser.get_parser().parse_args(words)
    options.left = []
    return options


class ImportsTest(base.BaseTestCase):
    def test_the_command_imports_nothing_that_only_services_need(self) -> None:
        code = (
            "import sys, cg_extension.cmd.lvm; print(*{n.partition('.')[0] for n in sys.modules})"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        self.assertEqual(set(), SLOW & set(done.stdout.split()))

    def test_a_group_snapshot_imports_nothing_that_only_other_actions_need(self) -> None:
        code = "import sys, cg_extension.cmd.lvm.making; print(*sys.modules)"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        self.assertEqual(set(), NEEDLESS & set(done.stdout.split()))

    def test_every_action_is_there(self) -> None:
        (actions,) = (
            action
            for action in parser.get_parser()._actions
            if isinstance(action, argparse._SubParsersAction)
        )
        self.assertLess(10, len(actions.choices))
        for action in actions.choices.values():
            module, function = action.get_default("function").args
            found = importlib.import_module(f"cg_extension.cmd.lvm.{module}")
            self.assertTrue(callable(getattr(found, function)))


class ProcessesTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.lvm = self.useFixture(fake_lvm.FakeLVM(thin=True))
        for name in ("a", "b"):
            self.lvm.volumes[name] = fake_lvm.Volume(set(), pool="pool")

    def test_a_group_snapshot_takes_five_and_one_report_under_the_lock(self) -> None:
        making.take(_options("monday"))
        # The report that the re-take makes under LVM's lock is not made here.
        self.assertEqual(5, self.lvm.processes)
        self.assertEqual({"pool", "a", "b", "a.monday", "b.monday"}, set(self.lvm.volumes))

    def test_the_disks_are_asked_for_again_if_the_group_changed_before_the_re_take(
        self,
    ) -> None:
        group = self.lvm.groups["vg"]
        with mock.patch.object(self.lvm, "seqnos", lambda: {"vg": group.seqno + 1}):
            making.take(_options("monday"))
        self.assertEqual(6, self.lvm.processes)
        self.assertEqual(group.volumes, group.flushed[0])

    def test_what_a_crash_left_is_put_right_before(self) -> None:
        tags = {"cg_ext", "cg_ext.set=dead"}
        self.lvm.volumes["a.sunday"] = fake_lvm.Volume(tags, pool="pool", origin="a")
        self.lvm.groups["vg"].tags.add("cg_ext.begun=dead:0-1-0")
        making.take(_options("monday"))
        self.assertNotIn("a.sunday", self.lvm.volumes)
        self.assertEqual(set(), self.lvm.groups["vg"].tags)

    def test_what_lvm_still_does_for_a_killed_caller_is_waited_for_before(self) -> None:
        self.lvm.orphan = "vgchange --addtag cg_ext.begun=dead:0-1-0 vg"
        making.take(_options("monday"))
        self.assertEqual("", self.lvm.orphan)
        self.assertEqual(set(), self.lvm.groups["vg"].tags)
