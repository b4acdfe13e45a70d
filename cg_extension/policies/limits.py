# SPDX-License-Identifier: Apache-2.0
"""The rule of the limits call, under the name that Cinder has for it."""

from oslo_policy import policy

from cg_extension.policies import base

GET = "limits_extension:used_limits"

RULES: list[policy.RuleDefault] = [
    base.rule(
        GET,
        base.PROJECT_READER,
        "See the limits and the usage of one's own project.",
        "GET /limits",
    ),
]
