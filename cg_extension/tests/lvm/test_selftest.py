# SPDX-License-Identifier: Apache-2.0
"""``cg-lvm selftest`` tells torn from whole on real volumes, and leaves nothing."""

import json
from typing import Any

from cg_extension.tests.lvm import base, callers


class Selftest:
    thin: bool

    def setUp(self) -> None:
        super().setUp()
        self.eng = self.use_engine(self.thin)

    def _test(self, *options: str) -> Any:
        arguments = (self.vg.name, "--rounds", "2", "--json", *options)
        done = base.cg_lvm("selftest", *arguments)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertRegex(done.stderr, "takes at most [0-9]+ minutes")
        return json.loads(done.stdout)

    def test_group_snapshots_are_whole_where_those_of_lvcreate_are_torn(self) -> None:
        answer = self._test()
        self.assertEqual("pool" if self.thin else None, answer["pool"])
        self.assertEqual((True, 2), (answer["ok"], answer["members"]))
        group, loop = answer["group_snapshot"], answer["lvcreate"]
        self.assertEqual((2, 0), (group["rounds"], group["torn"]))
        self.assertEqual((2, 2), (loop["rounds"], loop["torn"]))
        self.assertGreater(min(group["held_ms"]), 0)
        self.assert_sound(self.eng, [])


class ThinTest(Selftest, base.LVMTestCase):
    thin = True

    def test_what_a_killed_one_leaves_is_removed_by_the_next_command(self) -> None:
        with callers.Caller(callers.selftest_and_wait, [self.vg.name]) as caller:
            self.assertEqual("judging\n", caller.line(), caller.complaint())
            caller.kill()
        self.assertEqual(5, len(self.eng.volumes()))
        self.eng.create_volume("v", base.MIB)
        done = base.cg_lvm("snapshot", f"{self.vg.name}/v", "--name", "one")
        self.assertEqual(0, done.returncode, done.stderr)
        self.assert_sound(self.eng, ["v", "v.one"])


class ThickTest(Selftest, base.LVMTestCase):
    thin = False

    def test_too_little_room_is_refused_with_what_it_needs(self) -> None:
        self.eng.create_volume("v", 1480 * base.MIB)
        done = base.cg_lvm("selftest", self.vg.name, "--members", "9")
        self.assertEqual(1, done.returncode)
        self.assertRegex(done.stderr, "a selftest of 9 members needs 108 MiB meanwhile")
        self.assert_sound(self.eng, ["v"])
