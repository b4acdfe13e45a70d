# SPDX-License-Identifier: Apache-2.0
"""Rules of availability zones."""

from oslo_policy import policy

from cg_extension.policies import base

LIST = "volume:availability_zone_list"

RULES: list[policy.RuleDefault] = [
    base.rule(
        LIST, base.PROJECT_READER, "List the availability zones.", "GET /os-availability-zone"
    ),
]
