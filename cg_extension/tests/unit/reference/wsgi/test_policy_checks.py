# SPDX-License-Identifier: Apache-2.0
"""Rules made of other checks allow what oslo.policy says that they allow."""

import itertools
from typing import Any
from unittest import mock

from oslo_policy import _checks, policy

from cg_extension.reference.wsgi import policy_checks
from cg_extension.tests.unit.reference.wsgi import base

# Each in the place of a rule that guards a call.
RULES = (
    "role:a and role:b",
    "role:a or role:b",
    "not role:a",
    "not (role:a and (role:b or role:c))",
    "rule:other and not role:b",
    "rule:other or role:b",
    "old:a",
    "old:a or role:b",
    "not old:a and role:b",
    "own:a",
    "own:a or role:b",
    "@",
    "!",
)
# Checks of an attribute, of a part of one and of a constant.
COMPARISONS = (
    "project_id:%(project_id)s",
    "project_id:%(missing)s",
    "missing:%(project_id)s",
    "roles:%(project_id)s",
    "is_admin:True",
    "token.project_id:%(project_id)s",
    "token:%(project_id)s",
    "'p':%(project_id)s",
    "True:%(admin)s",
    "None:%(project_id)s",
    "None:None",
)
CALL = "consistencygroup:get_all"


class OldCheck(policy.Check):
    """A plugin's check that does not take the name of the rule."""

    def __call__(self, target: Any, creds: Any, enforcer: Any) -> bool:  # type: ignore[override]
        return self.match in creds["roles"]


class OwnCheck(policy.RuleCheck):
    """A plugin's check that is one of oslo's, and decides in its own way."""

    def __call__(self, target: Any, creds: Any, enforcer: Any, current_rule: Any = None) -> bool:
        return self.match in creds["roles"]


class PolicyChecksTest(base.HostTestCase):
    def test_a_rule_allows_what_oslo_policy_itself_allows(self) -> None:
        plugins = mock.patch.dict(_checks.registered_checks, {"old": OldCheck, "own": OwnCheck})
        plugins.start()
        self.addCleanup(plugins.stop)
        roles = [
            list(chosen)
            for count in (1, 2, 3)
            for chosen in itertools.combinations(("a", "b", "c"), count)
        ]
        for rule in RULES:
            rules = {CALL: rule, "other": "role:a and role:c"}
            self.set_rules(rules)
            self.application = self.load()
            oslo = policy.Enforcer(self.conf, use_conf=False)
            oslo.set_rules(policy.Rules.from_dict(rules), use_conf=False)
            for chosen in roles:
                allowed = oslo.enforce(CALL, {}, {"roles": chosen})
                answer = self.call("GET", "/consistencygroups", roles=",".join(chosen))
                expected = 200 if allowed else 403
                self.assertEqual(expected, answer.status_int, (rule, chosen))

    def test_a_comparison_says_what_that_of_oslo_policy_says(self) -> None:
        targets = ({"project_id": "p", "admin": True}, {"project_id": "None"}, {})
        callers: tuple[dict[str, Any], ...] = (
            {
                "project_id": "p",
                "roles": ["a", "p"],
                "is_admin": True,
                "token": {"project_id": "p"},
            },
            {"project_id": "q", "roles": [], "is_admin": False, "token": [{"project_id": "p"}]},
            {"project_id": ["q", 1, "p"], "roles": [["p"]], "token": {}},
        )
        allowed = set()
        for rule, target, creds in itertools.product(COMPARISONS, targets, callers):
            check = policy.RuleDefault("any", rule).check
            expected = check(target, creds, None)
            got = policy_checks.prepared(check)(target, creds, None, "any")
            self.assertIs(expected, got, (rule, target, creds))
            allowed.add(expected)
        self.assertEqual({True, False}, allowed)
