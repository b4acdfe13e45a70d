# SPDX-License-Identifier: Apache-2.0
import pathlib
import subprocess
import sys

from oslotest import base

import cg_extension
from cg_extension.contract import exceptions, statuses

ROOT = pathlib.Path(cg_extension.__file__).parents[1]
MACHINES = (statuses.GROUP, statuses.CGSNAPSHOT, statuses.VOLUME, statuses.SNAPSHOT)


class MachineTest(base.BaseTestCase):
    def test_a_status_under_way_is_left_by_the_two_ends_of_its_work_alone(self) -> None:
        for machine in MACHINES:
            for status, action in machine.under_way.items():
                leaving = [event for event, each in machine.transitions() if status in each.sources]
                self.assertEqual([f"{action} succeeds", f"{action} fails"], leaving)

    def test_every_source_is_a_status_that_a_resource_can_get_to(self) -> None:
        for machine in MACHINES:
            sources = {status for _, each in machine.transitions() for status in each.sources}
            self.assertLessEqual(sources, machine.statuses)

    def test_a_hand_sets_whatever_no_work_is_under_way_in(self) -> None:
        at_rest = {"available", "error", "error_deleting"}
        for machine in MACHINES:
            more = {"in-use"} if machine is statuses.VOLUME else set()
            self.assertEqual(at_rest | more, machine.resettable)
            for seen in machine.statuses:
                for status in machine.resettable:
                    change = machine.reset(seen, status)
                    self.assertEqual(({seen}, status), (change.sources, change.target))
            for status in ("creating", "deleting", "deleted", "shiny"):
                error = self.assertRaises(exceptions.InvalidInput, machine.reset, "error", status)
                self.assertIn("must be one of available, error, error_deleting", error.msg)

    def test_a_refusal_says_what_is_and_what_must_be(self) -> None:
        allowed = statuses.SNAPSHOTTABLE_VOLUME
        self.assertIsNone(statuses.VOLUME.check("v", "in-use", allowed))
        error = self.assertRaises(
            exceptions.InvalidState, statuses.VOLUME.check, "v", "error", allowed
        )
        self.assertEqual("Volume v is error; it must be available or in-use.", error.msg)

    def test_a_group_is_renamed_in_every_status_but_deleting(self) -> None:
        self.assertEqual({"deleting"}, statuses.GROUP.statuses - statuses.RENAMABLE_GROUP)


class DiagramTest(base.BaseTestCase):
    def test_the_diagrams_show_what_the_code_has(self) -> None:
        """Else run ``tools/draw_statuses.py``."""
        kept = (ROOT / "docs" / "operations.md").read_text()
        drawn = pathlib.Path(self.create_tempfiles([("operations", kept)], ".md")[0])
        subprocess.run([sys.executable, ROOT / "tools" / "draw_statuses.py", drawn], check=True)
        self.assertEqual(kept, drawn.read_text())
