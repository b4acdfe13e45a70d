# SPDX-License-Identifier: Apache-2.0
"""The policy enforcer of the host: the rules in code, changed by the deployer's policy file."""

import time

from oslo_config import cfg
from oslo_policy import opts, policy

from cg_extension import policies

# Seconds between two looks at the policy files.
_LOOK_INTERVAL = 1.0


class Enforcer(policy.Enforcer):
    """oslo's, which looks for changed files at most once a second instead of for each check.

    The search goes over several directories; it is most of what a check costs.
    """

    _next_look = 0.0

    def load_rules(self, force_reload: bool = False) -> None:
        now = time.monotonic()
        if force_reload or now >= self._next_look:
            super().load_rules(force_reload)
            self._next_look = now + _LOOK_INTERVAL


def make_enforcer(conf: cfg.ConfigOpts) -> policy.Enforcer:
    """An enforcer that knows every rule and reads the files that ``[oslo_policy]`` names."""
    opts.set_defaults(conf, policy_file="policy.yaml")
    enforcer = Enforcer(conf)
    enforcer.register_defaults(list(policies.list_rules()))
    return enforcer


def get_enforcer() -> policy.Enforcer:
    """For oslo.policy's command line tools: an enforcer with the deployed configuration."""
    conf = cfg.ConfigOpts()
    conf([], project="cg_extension")
    return make_enforcer(conf)
