# SPDX-License-Identifier: Apache-2.0
"""Rules of what the API tells every project about the deployment."""

from oslo_policy import policy

from cg_extension.policies import base

LIST_ZONES = "volume:availability_zone_list"
LIST_EXTENSIONS = "volume:extension_list"

RULES: list[policy.RuleDefault] = [
    base.rule(
        LIST_ZONES, base.PROJECT_READER, "List the availability zones.", "GET /os-availability-zone"
    ),
    base.rule(
        LIST_EXTENSIONS,
        base.PROJECT_READER,
        "List the API extensions, or show one.",
        "GET /extensions",
        "GET /extensions/{alias}",
    ),
]
