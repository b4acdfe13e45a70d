# SPDX-License-Identifier: Apache-2.0
"""What the audit after a power cut makes of requests and rows that don't agree."""

from typing import Any

from oslotest import base

from cg_extension.tests.power_cuts.service import audit, ledger, work
from cg_extension.tests.power_cuts.service.ledger import GROUPS, VOLUMES


class RequestsAndRowsTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.ledger = ledger.Ledger()
        self.rows: audit.Rows = {kind: {} for kind in ledger.KINDS}
        for name in work.MEMBERS:
            self._accept(name, VOLUMES, name, consistencygroup_id="base")
            self._row(name, VOLUMES, name, consistencygroup_id="base")
        for kind, name in ((GROUPS, "base"), (GROUPS, "spare"), (VOLUMES, "in"), (VOLUMES, "out")):
            self._accept(name, kind, name)
            self._row(name, kind, name)

    def _accept(self, identity: str, kind: str, name: str, **facts: Any) -> None:
        self.ledger.begin(ledger.Request(ledger.CREATE, kind, name, facts))
        self.ledger.done(identity)

    def _row(self, identity: str, kind: str, name: str, **columns: Any) -> None:
        self.rows[kind][identity] = {"id": identity, "name": name, "consistencygroup_id": None}
        self.rows[kind][identity] |= columns

    def _findings(self) -> str:
        return "\n".join(audit.reconcile(self.ledger, self.rows))

    def test_what_was_accepted_must_be_there_as_it_was_asked_for(self) -> None:
        self.assertEqual("", self._findings())
        self._accept("lost", VOLUMES, "lost")
        self.assertIn("volumes lost was accepted, and there is no row", self._findings())
        self._row("lost", VOLUMES, "another")
        self.assertIn("volumes lost has {'name': 'another'}", self._findings())

    def test_what_was_deleted_must_be_gone_and_what_nobody_asked_for_not_be_there(self) -> None:
        self.ledger.begin(ledger.Request(ledger.DELETE, VOLUMES, "out"))
        self.ledger.done("out")
        self.assertEqual("volumes out was deleted, and is there", self._findings())
        del self.rows[VOLUMES]["out"]
        self._row("x", VOLUMES, "x")
        self.assertEqual("volumes x was not asked for: x", self._findings())

    def test_a_group_made_of_another_must_have_all_its_volumes(self) -> None:
        self._accept("copy", GROUPS, "copy", source_cgid="base")
        self._row("copy", GROUPS, "copy", source_cgid="base")
        for name in work.MEMBERS:
            self.assertIn("group copy, made of base, has the volumes", self._findings())
            self._row(f"c-{name}", VOLUMES, name, consistencygroup_id="copy", source_volid=name)
        self.assertEqual("", self._findings())

    def test_a_request_without_an_answer_may_be_carried_out_or_not(self) -> None:
        request = ledger.Request(ledger.CREATE, VOLUMES, "open")
        for is_there in (False, True):
            self.ledger.begin(request)
            if is_there:
                self._row("o", VOLUMES, "open")
            self.assertEqual("", self._findings())
            self.assertIsNone(self.ledger.open)
            self.assertEqual(is_there, "o" in self.ledger.there)

    def test_but_not_in_part(self) -> None:
        self.ledger.begin(
            ledger.Request(
                ledger.UPDATE, GROUPS, "spare-1", {"id": "spare", "add": ["in"], "remove": []}
            )
        )
        self.rows[GROUPS]["spare"]["name"] = "spare-1"
        self.assertIn("volumes in has {'consistencygroup_id': None}", self._findings())
        self.rows[VOLUMES]["in"]["consistencygroup_id"] = "spare"
        self.assertEqual("", self._findings())
