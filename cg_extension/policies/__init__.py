# SPDX-License-Identifier: Apache-2.0
"""All policy rules in code, one module per subject; deployers override them in a policy file."""

import itertools
from collections.abc import Iterator

from oslo_policy import policy

from cg_extension.policies import (
    availability_zones,
    base,
    cgsnapshots,
    consistencygroups,
    extensions,
    limits,
    quotas,
    services,
    snapshots,
    volume_types,
    volumes,
)

_MODULES = (
    base,
    consistencygroups,
    cgsnapshots,
    volumes,
    snapshots,
    volume_types,
    quotas,
    limits,
    services,
    availability_zones,
    extensions,
)


def list_rules() -> Iterator[policy.RuleDefault]:
    """Every rule with its default, for an enforcer and for the sample file's generator."""
    return itertools.chain.from_iterable(module.RULES for module in _MODULES)
