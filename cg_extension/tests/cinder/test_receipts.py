# SPDX-License-Identifier: Apache-2.0
"""Receipts in Cinder: kept with the snapshots, seen by administrators alone."""

import datetime
import json

from oslotest import base

from cg_extension.cinder import receipts
from cg_extension.contract import records
from cg_extension.tests import http_client
from cg_extension.tests.cinder import shared

RECEIPT = records.Receipt(
    instant=datetime.datetime(2026, 11, 27, 2, 34, 36, 961880), held_seconds=0.001234
)


def _group_snapshot(member: http_client.Client) -> str:
    """Take a snapshot of a new group of two volumes; its id."""
    gold = shared.TYPES[0]
    group = {"consistencygroup": {"volume_types": gold, "name": "database"}}
    group_id = member.create("/consistencygroups", group)
    volume = {"volume": {"size": 1, "volume_type": gold}}
    volumes = ",".join(member.create("/volumes", volume) for _ in range(2))
    member.put(f"/consistencygroups/{group_id}", {"consistencygroup": {"add_volumes": volumes}})
    member.wait_for(f"/consistencygroups/{group_id}", "available")
    return member.create("/cgsnapshots", {"cgsnapshot": {"consistencygroup_id": group_id}})


class NoteTest(base.BaseTestCase):
    def test_what_was_noted_is_read(self) -> None:
        [text] = receipts.note(RECEIPT).values()
        self.assertLessEqual(len(text), 255)
        self.assertEqual(RECEIPT, receipts.read(text))

    def test_what_others_put_there_is_no_receipt(self) -> None:
        for text in (
            None,
            "",
            "nqn.2016-06.io.spdk:cnode1",
            "17",
            "[]",
            "{}",
            json.dumps({"cg-receipt": None}),
            json.dumps({"cg-receipt": {"instant": "monday", "held_seconds": 1, "consistency": ""}}),
        ):
            self.assertIsNone(receipts.read(text), text)

    def test_nothing_is_noted_of_no_receipt_nor_what_has_no_room(self) -> None:
        self.assertEqual({}, receipts.note(None))
        long = records.Receipt(instant=RECEIPT.instant, held_seconds=0.0, consistency="x" * 255)
        self.assertEqual({}, receipts.note(long))


class ReceiptsTest(base.BaseTestCase):
    def setUp(self) -> None:
        # Before oslotest's temporary directory, in which Cinder must not live.
        self.endpoint = shared.cinder().endpoint
        super().setUp()

    def _client(self, project: str, *roles: str) -> http_client.Client:
        token = shared.token(project, *roles)
        return http_client.Client(lambda: self.endpoint, project, token, timeout=60)

    def test_an_administrator_sees_it_though_a_member_changed_all_that_one_can(self) -> None:
        project = shared.new_project()
        member = self._client(project, "member", "reader")
        admin = self._client(project, "admin", "member", "reader")
        before = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        taken = _group_snapshot(member)
        for snapshot in member.get("/snapshots")["snapshots"]:
            member.put(f"/snapshots/{snapshot['id']}", {"snapshot": {"name": "mine"}})
            metadata = {"metadata": {"cg-receipt": "forged", "provider_id": "forged"}}
            member.post(f"/snapshots/{snapshot['id']}/metadata", metadata)
        shown = admin.get(f"/cgsnapshots/{taken}")["cgsnapshot"]
        instant = datetime.datetime.fromisoformat(shown["OS-CG-RECEIPT:instant"])
        self.assertLess(before, instant)
        self.assertEqual(0.000523, shown["OS-CG-RECEIPT:held_seconds"])
        self.assertEqual("crash-consistent", shown["OS-CG-RECEIPT:consistency"])
        [listed] = admin.get("/cgsnapshots/detail")["cgsnapshots"]
        self.assertEqual(shown, listed)
        seen = json.dumps([member.get(f"/cgsnapshots/{taken}"), member.get("/cgsnapshots/detail")])
        self.assertNotIn("RECEIPT", seen)
        self.assertNotIn('cg-receipt": {', json.dumps(member.get("/snapshots/detail")))
