# SPDX-License-Identifier: Apache-2.0
"""Receipts are for administrators, and nothing else of an answer changes with them."""

import dataclasses
import datetime

from cg_extension.contract import records
from cg_extension.tests.unit.api import base

MEMBER = f"/cgsnapshots/{base.CGSNAPSHOT_ID}"
RECEIPT = records.Receipt(
    instant=datetime.datetime(2026, 11, 27, 2, 34, 36, 961880), held_seconds=0.0012
)
SEEN = {
    "OS-CG-RECEIPT:instant": "2026-11-27T02:34:36.961880",
    "OS-CG-RECEIPT:held_seconds": 0.0012,
    "OS-CG-RECEIPT:consistency": "crash-consistent",
}
OTHER_ID = "44444444-4444-4444-8444-444444444444"


class ReceiptsTest(base.APITestCase):
    def setUp(self) -> None:
        super().setUp()
        self.service.get_receipts.return_value = {base.CGSNAPSHOT_ID: RECEIPT}

    def test_an_administrator_sees_the_receipt_of_one_beside_what_a_member_sees(self) -> None:
        shown = self.call("GET", MEMBER, role="admin").json["cgsnapshot"]
        self.assertEqual({**self.call("GET", MEMBER).json["cgsnapshot"], **SEEN}, shown)

    def test_whoever_is_no_administrator_causes_no_query_for_it(self) -> None:
        for path in (MEMBER, "/cgsnapshots/detail"):
            for role in ("member", "reader"):
                self.assertNotIn("OS-CG-RECEIPT", self.call("GET", path, role=role).text)
        self.service.get_receipts.assert_not_called()

    def test_a_list_asks_once_for_all_of_a_page(self) -> None:
        other = dataclasses.replace(base.CGSNAPSHOT, id=OTHER_ID)
        page = records.Page((base.CGSNAPSHOT, other), has_more=False)
        self.service.list_cgsnapshots.return_value = page
        answer = self.call("GET", "/cgsnapshots/detail", role="admin")
        first, second = answer.json["cgsnapshots"]
        self.assertEqual(SEEN, {key: first[key] for key in SEEN})
        self.assertEqual(dict.fromkeys(SEEN), {key: second[key] for key in SEEN})
        [(_context, ids)] = [call.args for call in self.service.get_receipts.call_args_list]
        self.assertEqual([base.CGSNAPSHOT_ID, OTHER_ID], ids)

    def test_one_without_a_receipt_has_null_in_its_place(self) -> None:
        self.service.get_receipts.return_value = {}
        shown = self.call("GET", MEMBER, role="admin").json["cgsnapshot"]
        self.assertEqual(dict.fromkeys(SEEN), {key: shown[key] for key in SEEN})

    def test_lists_without_detail_and_creations_have_none(self) -> None:
        body = {"cgsnapshot": {"consistencygroup_id": base.GROUP_ID}}
        for answer in (
            self.call("GET", "/cgsnapshots", role="admin"),
            self.call("POST", "/cgsnapshots", body, role="admin"),
        ):
            self.assertNotIn("OS-CG-RECEIPT", answer.text)

    def test_a_head_request_costs_and_tells_as_much_as_a_get(self) -> None:
        lengths = {
            self.call(method, MEMBER, role="admin").headers["Content-Length"]
            for method in ("GET", "HEAD")
        }
        self.assertEqual(1, len(lengths))
