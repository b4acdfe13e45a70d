# SPDX-License-Identifier: Apache-2.0
"""``cg-cinder-status`` where there is no Cinder; the rest of it is tested in Cinder."""

import subprocess
import sys

from oslotest import base

_WITHOUT_CINDER = """\
import sys
sys.modules["cinder"] = None
from cg_extension.cinder import check
check.main()
"""


class CinderStatusTest(base.BaseTestCase):
    def test_without_cinder_it_says_where_to_run_it(self) -> None:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", _WITHOUT_CINDER], capture_output=True, text=True
        )
        self.assertEqual(2, done.returncode, done.stderr)
        self.assertRegex(done.stderr, r"^cg-cinder-status: There is no Cinder for /\S+;.*\n$")
