# SPDX-License-Identifier: Apache-2.0
"""Rules of the consistency groups, under the names that Cinder had for them."""

from oslo_policy import policy

from cg_extension.policies import base

CREATE = "consistencygroup:create"
DELETE = "consistencygroup:delete"
UPDATE = "consistencygroup:update"
GET = "consistencygroup:get"
GET_ALL = "consistencygroup:get_all"

RULES: list[policy.RuleDefault] = [
    policy.DocumentedRuleDefault(
        name=CREATE,
        check_str=base.PROJECT_MEMBER,
        description="Create a consistency group, empty or from a source.",
        operations=[
            {"method": "POST", "path": "/consistencygroups"},
            {"method": "POST", "path": "/consistencygroups/create_from_src"},
        ],
        scope_types=base.SCOPE_TYPES,
    ),
    policy.DocumentedRuleDefault(
        name=DELETE,
        check_str=base.PROJECT_MEMBER,
        description="Delete a consistency group, with force also its volumes.",
        operations=[
            {"method": "POST", "path": "/consistencygroups/{id}/delete"},
            {"method": "DELETE", "path": "/consistencygroups/{id}"},
        ],
        scope_types=base.SCOPE_TYPES,
    ),
    policy.DocumentedRuleDefault(
        name=UPDATE,
        check_str=base.PROJECT_MEMBER,
        description="Change a consistency group's name, description or volumes.",
        operations=[
            {"method": "PUT", "path": "/consistencygroups/{id}/update"},
            {"method": "PUT", "path": "/consistencygroups/{id}"},
        ],
        scope_types=base.SCOPE_TYPES,
    ),
    policy.DocumentedRuleDefault(
        name=GET,
        check_str=base.PROJECT_READER,
        description="Show a consistency group.",
        operations=[{"method": "GET", "path": "/consistencygroups/{id}"}],
        scope_types=base.SCOPE_TYPES,
    ),
    policy.DocumentedRuleDefault(
        name=GET_ALL,
        check_str=base.PROJECT_READER,
        description="List consistency groups.",
        operations=[
            {"method": "GET", "path": "/consistencygroups"},
            {"method": "GET", "path": "/consistencygroups/detail"},
        ],
        scope_types=base.SCOPE_TYPES,
    ),
]
