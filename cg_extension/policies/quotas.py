# SPDX-License-Identifier: Apache-2.0
"""Rules of the quotas, under the names that Cinder has for them."""

from oslo_policy import policy

from cg_extension.policies import base

SHOW = "volume_extension:quotas:show"
UPDATE = "volume_extension:quotas:update"
DELETE = "volume_extension:quotas:delete"

RULES: list[policy.RuleDefault] = [
    base.rule(
        SHOW,
        base.PROJECT_READER,
        "See a project's limits, and with usage=True what it uses.",
        "GET /os-quota-sets/{id}",
        "GET /os-quota-sets/{id}/defaults",
    ),
    base.rule(UPDATE, base.ADMIN, "Set a project's limits.", "PUT /os-quota-sets/{id}"),
    base.rule(
        DELETE,
        base.ADMIN,
        "Reset a project's limits to the defaults.",
        "DELETE /os-quota-sets/{id}",
    ),
]
