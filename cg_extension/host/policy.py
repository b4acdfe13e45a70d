# SPDX-License-Identifier: Apache-2.0
"""The policy enforcer of the host: the rules in code, changed by the deployer's policy file."""

from oslo_config import cfg
from oslo_policy import opts, policy

from cg_extension import policies


def make_enforcer(conf: cfg.ConfigOpts) -> policy.Enforcer:
    """An enforcer that knows every rule and reads the files that ``[oslo_policy]`` names."""
    opts.set_defaults(conf, policy_file="policy.yaml")
    enforcer = policy.Enforcer(conf)
    enforcer.register_defaults(list(policies.list_rules()))
    return enforcer


def get_enforcer() -> policy.Enforcer:
    """For oslo.policy's command line tools: an enforcer with the deployed configuration."""
    conf = cfg.ConfigOpts()
    conf([], project="cg_extension")
    return make_enforcer(conf)
