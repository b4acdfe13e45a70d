# SPDX-License-Identifier: Apache-2.0
"""The checks of oslo.policy that are made of others, which here just call these.

oslo's own inspect the signature of each part at every call, since a plugin's may be of the old form
without the rule's name: that takes longer than the checks. Here it is done once, when the rules are
read. What is allowed is the same.
"""

import inspect
from typing import Any

from oslo_policy import policy


def prepared(check: Any) -> Any:
    """The same check, with all that it is made of ready to be called with four arguments."""
    kind = type(check)  # A plugin's subclass decides in its own way.
    if kind is policy.AndCheck:
        return _And([prepared(part) for part in check.rules])
    if kind is policy.OrCheck:
        return _Or([prepared(part) for part in check.rules])
    if kind is policy.NotCheck:
        return _Not(prepared(check.rule))
    if kind is policy.RuleCheck:
        return _Rule(check.kind, check.match)
    # ``self``, target, creds, enforcer, and the rule; oslo's own leave that out if it is not taken.
    takes_rule = len(inspect.getfullargspec(check.__call__).args) > 4
    return check if takes_rule else policy.AndCheck([check])


class _And(policy.AndCheck):
    def __call__(self, target: Any, creds: Any, enforcer: Any, current_rule: Any = None) -> bool:
        return all(part(target, creds, enforcer, current_rule) for part in self.rules)


class _Or(policy.OrCheck):
    def __call__(self, target: Any, creds: Any, enforcer: Any, current_rule: Any = None) -> bool:
        return any(part(target, creds, enforcer, current_rule) for part in self.rules)


class _Not(policy.NotCheck):
    def __call__(self, target: Any, creds: Any, enforcer: Any, current_rule: Any = None) -> bool:
        return not self.rule(target, creds, enforcer, current_rule)


class _Rule(policy.RuleCheck):
    def __call__(self, target: Any, creds: Any, enforcer: Any, current_rule: Any = None) -> bool:
        try:
            return bool(enforcer.rules[self.match](target, creds, enforcer, current_rule))
        except KeyError:  # There is no such rule, which nobody passes.
            return False
