# SPDX-License-Identifier: Apache-2.0
import dataclasses
from collections.abc import Callable
from typing import Any

from oslotest import base

from cg_extension.contract import exceptions, membership

GROUP = membership.Group(id="g", project_id="p", volume_types={"gold", "silver"}, backend="h@one")
FREE = membership.Volume(
    project_id="p", group_id=None, volume_type_id="gold", status="available", backend="h@one"
)
MEMBER = dataclasses.replace(FREE, group_id="g")


def _changed(volume: membership.Volume, **values: Any) -> dict[str, membership.Volume]:
    """A volume ``v`` that is like another but for these values."""
    return {"v": dataclasses.replace(volume, **values)}


class MembershipTest(base.BaseTestCase):
    def _refused(self, reason: str, call: Callable[..., object], *arguments: Any) -> None:
        error = self.assertRaises(exceptions.InvalidState, call, *arguments)
        self.assertEqual(f"Volume v {reason}.", error.msg)

    def _may_not_join(self, reason: str, found: dict[str, membership.Volume]) -> None:
        self._refused(reason, membership.joining, GROUP, ["fit", "v"], {"fit": FREE, **found})

    def _may_not_leave(self, reason: str, found: dict[str, membership.Volume]) -> None:
        self._refused(reason, membership.leaving, "g", ["m", "v"], {"m": MEMBER, **found})

    def test_what_is_fit_joins_in_the_order_asked_for(self) -> None:
        found = {
            "a": dataclasses.replace(FREE, volume_type_id="silver"),
            "b": dataclasses.replace(FREE, status="in-use"),
        }
        self.assertEqual(["b", "a"], membership.joining(GROUP, ["b", "a"], found))

    def test_a_member_is_skipped_whatever_its_state(self) -> None:
        found = _changed(MEMBER, status="error", volume_type_id=None, backend="h@two")
        self.assertEqual([], membership.joining(GROUP, ["v"], found))

    def test_each_reason_not_to_join_comes_before_those_after_it(self) -> None:
        """Each volume has all faults from its own on, so that the order shows, too."""
        faults: list[tuple[str, dict[str, Any]]] = [
            ("could not be found", {"project_id": "q"}),
            ("is in group other", {"group_id": "other"}),
            ("has a volume type that the group does not allow", {"volume_type_id": None}),
            ("is error; it must be available or in-use", {"status": "error"}),
            ("is on another backend than the group", {"backend": "h@two"}),
        ]
        self._may_not_join("could not be found", {})
        for number, (reason, _) in enumerate(faults):
            values = {name: value for _, fault in faults[number:] for name, value in fault.items()}
            self._may_not_join(reason, _changed(FREE, **values))

    def test_members_leave_unless_work_on_them_is_under_way(self) -> None:
        for status in ("available", "in-use", "error", "error_deleting"):
            found = _changed(MEMBER, status=status)
            self.assertEqual(["v"], membership.leaving("g", ["v"], found))
        self._may_not_leave(
            "is creating; it must be available or error or error_deleting or in-use",
            _changed(MEMBER, status="creating"),
        )

    def test_what_is_no_member_does_not_leave(self) -> None:
        for found in ({}, _changed(FREE), _changed(MEMBER, group_id="other", status="creating")):
            self._may_not_leave("is not in the group", found)
