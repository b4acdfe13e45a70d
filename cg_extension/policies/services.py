# SPDX-License-Identifier: Apache-2.0
"""Rules of the managers' backends, under the names that Cinder has for them."""

from oslo_policy import policy

from cg_extension.policies import base

LIST = "volume_extension:services:index"
UPDATE = "volume_extension:services:update"
FREEZE = "volume:freeze_host"
THAW = "volume:thaw_host"

RULES: list[policy.RuleDefault] = [
    base.rule(LIST, base.ADMIN, "List the backends with their state.", "GET /os-services"),
    base.rule(
        UPDATE,
        base.ADMIN,
        "Let a backend take new resources, or take no more of them.",
        "PUT /os-services/enable",
        "PUT /os-services/disable",
        "PUT /os-services/disable-log-reason",
    ),
    base.rule(
        FREEZE,
        base.ADMIN,
        "Freeze a host's backends: nothing new is made there, nothing deleted, no snapshot taken.",
        "PUT /os-services/freeze",
    ),
    base.rule(THAW, base.ADMIN, "Thaw a frozen backend.", "PUT /os-services/thaw"),
]
