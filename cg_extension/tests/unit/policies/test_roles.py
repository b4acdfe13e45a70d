# SPDX-License-Identifier: Apache-2.0
"""Each rule, through the calls that it guards, for each role, in one's own project and another's.

In another project a real service finds nothing; here it finds all, so that the rule itself shows.
"""

from typing import Any

from oslo_policy import policy

from cg_extension import policies
from cg_extension.policies import cgsnapshots, consistencygroups
from cg_extension.tests.unit.api import base

RESET = {"reset_status": {"status": "error"}}

READERS = {"reader", "member", "admin"}
MEMBERS = {"member", "admin"}
ADMINS = {"admin"}
NOBODY = "auditor"

FROM_SRC = {"consistencygroup-from-src": {"source_cgid": base.GROUP_ID}}
CREATE = {"consistencygroup": {"volume_types": "gold"}}
UPDATE = {"consistencygroup": {"name": "n"}}
SNAPSHOT = {"cgsnapshot": {"consistencygroup_id": base.GROUP_ID}}

# Rule → who may, and the bodies of the calls that it guards.
CASES: dict[str, tuple[set[str], Any]] = {
    consistencygroups.CREATE: (MEMBERS, [CREATE, FROM_SRC]),
    consistencygroups.DELETE: (MEMBERS, [None, None]),
    consistencygroups.UPDATE: (MEMBERS, [UPDATE, UPDATE]),
    consistencygroups.GET: (READERS, [None]),
    consistencygroups.GET_ALL: (READERS, [None, None]),
    consistencygroups.RESET_STATUS: (ADMINS, [RESET]),
    cgsnapshots.CREATE: (MEMBERS, [SNAPSHOT]),
    cgsnapshots.DELETE: (MEMBERS, [None]),
    cgsnapshots.GET: (READERS, [None]),
    cgsnapshots.GET_ALL: (READERS, [None, None]),
    cgsnapshots.RESET_STATUS: (ADMINS, [RESET]),
}
RULES = {
    rule.name: rule
    for rule in (*consistencygroups.RULES, *cgsnapshots.RULES)
    # It guards no call, but attributes of answers: see tests of api.receipts.
    if rule.name != cgsnapshots.GET_RECEIPT
}


class RolesTest(base.APITestCase):
    def _calls(self, rule: str) -> list[tuple[str, str, Any]]:
        operations = RULES[rule].operations
        bodies = CASES[rule][1]
        return [
            (
                operation["method"],
                operation["path"]
                .split(" ")[0]
                .format(
                    id=base.CGSNAPSHOT_ID if "cgsnapshots" in operation["path"] else base.GROUP_ID
                ),
                body,
            )
            for operation, body in zip(operations, bodies, strict=True)
        ]

    def test_every_rule_has_its_cases(self) -> None:
        self.assertEqual(set(RULES), set(CASES))

    def test_each_role_may_do_what_it_should_in_its_own_project(self) -> None:
        for rule, (allowed, _) in CASES.items():
            for role in (*READERS, NOBODY):
                for method, path, body in self._calls(rule):
                    with self.subTest(rule=rule, role=role, path=path):
                        answer = self.call(method, path, body, role=role)
                        if role in allowed:
                            self.assertIn(answer.status_int, (200, 202))
                        else:
                            self.assert_fault(answer, 403, "forbidden", rule)

    def test_only_an_administrator_touches_another_projects_resources(self) -> None:
        for rule, (allowed, _) in CASES.items():
            for role in allowed:
                for method, path, body in self._calls(rule):
                    if "-" not in path:
                        continue  # Lists and creations are of the caller's own project.
                    with self.subTest(rule=rule, role=role, path=path):
                        answer = self.call(
                            method, path, body, role=role, project="x", path_project="x"
                        )
                        self.assertEqual(role != "admin", answer.status_int == 403)


class RulesTest(base.APITestCase):
    def test_no_rule_is_kept_from_tokens_of_another_scope_than_a_projects(self) -> None:
        """What they may do is what the rule says, also where a deployer asks for such a token."""
        for rule in policies.list_rules():
            self.assertIsNone(rule.scope_types, rule.name)

    def test_every_rule_that_guards_a_call_says_which(self) -> None:
        for rule in policies.list_rules():
            if rule.name != "context_is_admin":
                self.assertIsInstance(rule, policy.DocumentedRuleDefault)
