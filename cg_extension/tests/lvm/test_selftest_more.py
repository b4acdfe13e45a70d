# SPDX-License-Identifier: Apache-2.0
"""More of ``cg-lvm selftest``: in long runs."""

from cg_extension.tests.long import load_tests  # noqa: F401
from cg_extension.tests.lvm import base, callers, test_selftest


class ThinTest(test_selftest.SelftestCase):
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


class ThickTest(test_selftest.SelftestCase):
    thin = False

    def test_group_snapshots_are_whole_where_those_of_lvcreate_are_torn(self) -> None:
        self.assert_tells_torn_from_whole()
