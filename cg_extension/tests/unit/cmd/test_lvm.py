# SPDX-License-Identifier: Apache-2.0
"""What ``cg-lvm`` says, apart from what it does (tests/lvm/test_command.py)."""

import contextlib
import io

import testtools
from oslotest import base

from cg_extension.cmd import lvm
from cg_extension.cmd.lvm import text


class IdentifiersTest(base.BaseTestCase):
    """A clone may be found in its original's place: whoever makes one is told."""

    def test_the_help_of_clone_tells_of_them(self) -> None:
        output = io.StringIO()
        with contextlib.redirect_stdout(output), testtools.ExpectedException(SystemExit):
            lvm.main(["clone", "--help"])
        self.assertIn("/dev/disk/by-uuid may point to either", " ".join(output.getvalue().split()))

    def test_a_new_clone_is_told_with_them_and_a_snapshot_without(self) -> None:
        volumes = [{"volume": "v.x", "path": "/dev/mapper/vg-v.x"}]
        cloned = text.text({"clone": "x", "volumes": volumes})
        self.assertIn("path=/dev/mapper/vg-v.x\nA clone has the UUIDs", cloned)
        self.assertNotIn("UUID", text.text({"snapshot": "x", "volumes": volumes}))
