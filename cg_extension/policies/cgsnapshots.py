# SPDX-License-Identifier: Apache-2.0
"""Rules of the group snapshots, under the names that Cinder had for them."""

from oslo_policy import policy

from cg_extension.policies import base

CREATE = "consistencygroup:create_cgsnapshot"
DELETE = "consistencygroup:delete_cgsnapshot"
GET = "consistencygroup:get_cgsnapshot"
GET_ALL = "consistencygroup:get_all_cgsnapshots"

RULES: list[policy.RuleDefault] = [
    policy.DocumentedRuleDefault(
        name=CREATE,
        check_str=base.PROJECT_MEMBER,
        description="Take a snapshot of a consistency group.",
        operations=[{"method": "POST", "path": "/cgsnapshots"}],
        scope_types=base.SCOPE_TYPES,
    ),
    policy.DocumentedRuleDefault(
        name=DELETE,
        check_str=base.PROJECT_MEMBER,
        description="Delete a group snapshot.",
        operations=[{"method": "DELETE", "path": "/cgsnapshots/{id}"}],
        scope_types=base.SCOPE_TYPES,
    ),
    policy.DocumentedRuleDefault(
        name=GET,
        check_str=base.PROJECT_READER,
        description="Show a group snapshot.",
        operations=[{"method": "GET", "path": "/cgsnapshots/{id}"}],
        scope_types=base.SCOPE_TYPES,
    ),
    policy.DocumentedRuleDefault(
        name=GET_ALL,
        check_str=base.PROJECT_READER,
        description="List group snapshots.",
        operations=[
            {"method": "GET", "path": "/cgsnapshots"},
            {"method": "GET", "path": "/cgsnapshots/detail"},
        ],
        scope_types=base.SCOPE_TYPES,
    ),
]
