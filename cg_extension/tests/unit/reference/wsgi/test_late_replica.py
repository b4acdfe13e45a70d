# SPDX-License-Identifier: Apache-2.0
"""Calls that change something, while the replica of the database knows of nothing yet."""

from typing import Any

from cg_extension.reference.db import engine, migration
from cg_extension.reference.service import ReferenceService
from cg_extension.tests import databases
from cg_extension.tests.unit.reference.wsgi import test_roles

RESET = {"reset_status": {"status": "error"}}
FROM_SRC = "/consistencygroups/create_from_src"
# Method, path and body of each call of the two collections that changes something.
GROUP_CASES: list[tuple[str, str, Any]] = [
    ("PUT", "/consistencygroups/{group}", {"consistencygroup": {"name": "n"}}),
    ("PUT", "/consistencygroups/{group}/update", {"consistencygroup": {"name": "n"}}),
    ("PUT", "/consistencygroups/{group}", {"consistencygroup": {"add_volumes": "{volume}"}}),
    ("POST", "/consistencygroups/{group}/delete", None),
    ("POST", "/consistencygroups/{group}/action", RESET),
    ("DELETE", "/consistencygroups/{group}", None),
    ("POST", FROM_SRC, {"consistencygroup-from-src": {"source_cgid": "{full}"}}),
    ("POST", FROM_SRC, {"consistencygroup-from-src": {"cgsnapshot_id": "{cgsnapshot}"}}),
    ("POST", "/cgsnapshots", {"cgsnapshot": {"consistencygroup_id": "{full}"}}),
    ("POST", "/cgsnapshots/{cgsnapshot}/action", RESET),
    ("DELETE", "/cgsnapshots/{cgsnapshot}", None),
]


class LateReplicaTest(test_roles.CasesTestCase):
    def setUp(self) -> None:
        super().setUp()
        late = databases.new("sqlite")
        empty = engine.Database(databases.configuration(late))
        migration.sync(empty)
        empty.dispose()
        self.conf.set_override("slave_connection", late, group="database")
        self.conf.set_override("synchronous_reader", False, group="database")
        database = engine.Database(self.conf)
        self.addCleanup(database.dispose)
        self.service = ReferenceService(self.conf, database, self.managers)
        self.application = self.load()

    def target(self, kind: str) -> str:
        if kind not in ("group", "full", "cgsnapshot"):
            return super().target(kind)
        group = self.group()
        if kind == "group":
            return group.id
        self.volume(group)
        return group.id if kind == "full" else self.cgsnapshot(group).id

    def test_it_is_asked_where_nothing_changes(self) -> None:
        for case in (("GET", "/volumes/{volume}", None), ("HEAD", "/types/{type}", None)):
            self.assertEqual(404, self.make_call(case, "admin").status_int)

    def test_whatever_leads_to_a_change_is_read_from_the_writers_database(self) -> None:
        cases = [case for _, of_rule in test_roles.CASES.values() for case in of_rule]
        for case in (*GROUP_CASES, *cases):
            if case[0] == "GET":
                continue
            with self.subTest(case=case):
                answer = self.make_call(case, "admin")
                self.assertLess(answer.status_int, 300, answer.text)
