# SPDX-License-Identifier: Apache-2.0
"""More of what may become of a group snapshot, and of ``cg-lvm verify``: in long runs."""

import os
import shutil
from unittest import mock

from cg_extension.drivers.lvm import low_stall, thin_space
from cg_extension.tests.long import load_tests  # noqa: F401
from cg_extension.tests.lvm import base, callers, test_verify


class More:
    def test_a_member_that_was_removed_is_missed(self) -> None:
        self.snapshot("one")
        base.run("lvremove", "--yes", f"{self.vg.name}/xfs.one")
        (wrong,) = self.wrong("one")
        self.assertIn("1 of 2 volumes are there", wrong)

    def test_the_copy_goes_when_the_check_is_killed(self) -> None:
        self.snapshot("one")
        before = self.everything()
        with callers.Caller(callers.verify_and_wait, [self.vg.name, "one"]) as caller:
            self.assertEqual("looking\n", caller.line(), caller.complaint())
            caller.kill()
        left = self.everything() - before
        self.assertEqual(2, len(left))
        self.snapshot("two")
        self.assertEqual({"ext.two", "xfs.two"}, self.everything() - before)
        self.assertNotIn("cgtmp", base.run("dmsetup", "ls"))
        self.assert_sound(self.eng, [*before - {"pool"}, "ext.two", "xfs.two"])


class ThinTest(More, test_verify.VerifyCase):
    thin = True

    def test_what_may_change_makes_nothing_wrong(self) -> None:
        self.snapshot("one")
        base.run("lvrename", self.vg.name, "ext", "renamed")
        self.eng.snapshot_group(self.copies(["renamed"], "t-"))
        status, answer = self.verify("one")
        self.assertEqual(0, status, answer)
        self.assertIn("is called renamed now", answer["volumes"][0]["notes"][0])
        base.run("lvrename", self.vg.name, "renamed", "ext")

    def test_what_a_power_cut_left_of_a_look_into_the_pool_is_dropped(self) -> None:
        self.snapshot("one")
        for point in self.points:
            base.run("umount", str(point))
        looking = os.fork()
        if not looking:  # ended as thin_ls is about to be run
            with mock.patch("subprocess.run", lambda *_words, **_options: os._exit(0)):
                thin_space.created(self.vg.name, "pool")
        os.waitpid(looking, 0)
        base.run("vgchange", "--activate", "n", self.vg.name)
        shutil.rmtree(low_stall.OURS)
        base.run("vgchange", "--activate", "y", self.vg.name)
        held = base.run("dmsetup", "status", f"{self.vg.device_prefix}pool-tpool").split()[6]
        self.assertNotEqual("-", held)
        status, answer = self.verify("one")
        self.assertEqual(0, status, answer)
        for name, point in zip(self.names, self.points, strict=True):
            base.run("mount", self.eng.device_path(name), str(point))

    def test_a_pool_that_was_repaired_since_is_told(self) -> None:
        self.snapshot("one")
        for point in self.points:
            base.run("umount", str(point))
        pool = f"{self.vg.name}/pool"
        base.run("vgchange", "--activate", "n", self.vg.name)
        (wrong, *_rest) = self.wrong("one")
        self.assertIn("is not active", wrong)
        base.run("lvconvert", "--yes", "--repair", pool)
        base.run("vgchange", "--activate", "y", self.vg.name)
        found = self.wrong("one")
        self.assertEqual(2, len(found), found)
        self.assertTrue(all("repaired since" in wrong for wrong in found), found)
        for name, point in zip(self.names, self.points, strict=True):
            base.run("mount", self.eng.device_path(name), str(point))


class ThickTest(More, test_verify.VerifyCase):
    thin = False
