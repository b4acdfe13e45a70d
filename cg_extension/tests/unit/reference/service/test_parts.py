# SPDX-License-Identifier: Apache-2.0
import inspect

from oslotest import base

from cg_extension.reference.service import ReferenceService
from cg_extension.reference.service import base as service_base


def _table() -> dict[str, list[str]]:
    """Part → calls, as the table in the docstring has it."""
    rows: dict[str, list[str]] = {}
    part = ""
    for line in str(inspect.getdoc(ReferenceService)).splitlines():
        if line.startswith("``"):
            name, _, line = line.partition("  ")
            part = name.strip("`")
        elif not (part and line.startswith(" ")):
            continue
        calls = line.strip().removesuffix(",").split(", ")
        rows.setdefault(part, []).extend(calls)
    return rows


class PartsTest(base.BaseTestCase):
    def test_the_docstring_says_which_part_has_which_call(self) -> None:
        parts = [each for each in ReferenceService.__bases__ if service_base.Part in each.__mro__]
        calls = {
            part.__module__.rpartition(".")[2]: [name for name in vars(part) if name[0] != "_"]
            for part in parts
        }
        self.assertEqual(list(calls.items()), list(_table().items()))

    def test_no_two_parts_have_the_same_call(self) -> None:
        calls = [call for calls in _table().values() for call in calls]
        self.assertEqual(sorted(set(calls)), sorted(calls))
