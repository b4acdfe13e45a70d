# SPDX-License-Identifier: Apache-2.0
"""Rules of the list of API extensions."""

from oslo_policy import policy

from cg_extension.policies import base

LIST = "volume:extension_list"

RULES: list[policy.RuleDefault] = [
    base.rule(
        LIST,
        base.PROJECT_READER,
        "List the API extensions, or show one.",
        "GET /extensions",
        "GET /extensions/{alias}",
    ),
]
