# SPDX-License-Identifier: Apache-2.0
"""``cg-lvm selftest`` tells torn from whole on real volumes, and leaves nothing."""

import json
from typing import Any

from cg_extension.tests.lvm import base


class SelftestCase(base.LVMTestCase):
    thin: bool

    def setUp(self) -> None:
        super().setUp()
        self.eng = self.use_engine(self.thin)

    def assert_tells_torn_from_whole(self) -> None:
        answer = self._test()
        self.assertEqual("pool" if self.thin else None, answer["pool"])
        self.assertEqual((True, 2), (answer["ok"], answer["members"]))
        group, loop = answer["group_snapshot"], answer["lvcreate"]
        self.assertEqual((1, 0), (group["rounds"], group["torn"]))
        self.assertEqual((1, 1), (loop["rounds"], loop["torn"]))
        self.assertGreater(min(group["held_ms"]), 0)
        self.assert_sound(self.eng, [])

    def _test(self, *options: str) -> Any:
        arguments = (self.vg.name, "--rounds", "1", "--json", *options)
        done = base.cg_lvm("selftest", *arguments)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertRegex(done.stderr, "takes at most [0-9]+ minutes")
        return json.loads(done.stdout)


class ThinTest(SelftestCase):
    thin = True

    def test_group_snapshots_are_whole_where_those_of_lvcreate_are_torn(self) -> None:
        self.assert_tells_torn_from_whole()


class ThickTest(SelftestCase):
    thin = False

    def test_too_little_room_is_refused_with_what_it_needs(self) -> None:
        self.eng.create_volume("v", 1480 * base.MIB)
        done = base.cg_lvm("selftest", self.vg.name, "--members", "9")
        self.assertEqual(1, done.returncode)
        self.assertRegex(done.stderr, "a selftest of 9 members needs 108 MiB meanwhile")
        self.assert_sound(self.eng, ["v"])
