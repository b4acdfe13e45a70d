# SPDX-License-Identifier: Apache-2.0
"""The checks of oslo.policy, with what oslo's do at every call done once, when the rules are read.

Those that are made of others inspect the signature of each part, since a plugin's may be of the old
form without the rule's name: that takes longer than the checks. Those that compare an attribute of
the caller's parse its name, which may be a constant. What is allowed is the same.
"""

import inspect
import keyword
from typing import Any

from oslo_policy import policy

# oslo's class of checks that compare an attribute of the caller's, which has no public name.
_GENERIC = type(policy.RuleDefault("any", "project_id:%(project_id)s").check)


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
    if kind is _GENERIC and _is_attribute(check.kind):
        return _Attribute(check.kind, check.match)
    # ``self``, target, creds, enforcer, and the rule; oslo's own leave that out if it is not taken.
    takes_rule = len(inspect.getfullargspec(check.__call__).args) > 4
    return check if takes_rule else policy.AndCheck([check])


def _is_attribute(kind: str) -> bool:
    """Whether a check's left side is the plain name of an attribute, not True, False or None."""
    return kind.isidentifier() and not keyword.iskeyword(kind)


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


class _Attribute(policy.Check):
    def __call__(self, target: Any, creds: Any, enforcer: Any, current_rule: Any = None) -> bool:
        try:
            match, value = self.match % target, creds[self.kind]
        except KeyError:  # One of the two has none.
            return False
        return match in (map(str, value) if isinstance(value, list) else (str(value),))
