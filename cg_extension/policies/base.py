# SPDX-License-Identifier: Apache-2.0
"""Who is who: the check strings that the rules of every subject are made of.

Keystone gives an administrator the member role, too, and a member the reader role. A token that
is believed as it stands (``noauth``) may name the higher role alone, so the rules name both.

As in Cinder, no rule has scope types: with them oslo.policy would refuse every token but a
project's, even where a deployer's rule asks for another (``system_scope:all``).
"""

from oslo_policy import policy

ADMIN = "rule:context_is_admin"
PROJECT_MEMBER = f"{ADMIN} or (role:member and project_id:%(project_id)s)"
PROJECT_READER = f"{ADMIN} or ((role:reader or role:member) and project_id:%(project_id)s)"

RULES = [
    policy.RuleDefault(
        name="context_is_admin",
        check_str="role:admin",
        description="Who counts as an administrator: sees and changes every project's resources.",
    ),
]


def rule(
    name: str, check_str: str, description: str, *operations: str
) -> policy.DocumentedRuleDefault:
    """A rule of one subject; ``operations`` are calls such as ``GET /volumes/{id}``."""
    calls = [operation.split(" ", 1) for operation in operations]
    return policy.DocumentedRuleDefault(
        name=name,
        check_str=check_str,
        description=description,
        operations=[{"method": method, "path": path} for method, path in calls],
    )
