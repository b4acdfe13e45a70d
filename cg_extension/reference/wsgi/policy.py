# SPDX-License-Identifier: Apache-2.0
"""The policy enforcer of the host: the rules in code, changed by the deployer's policy files."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

from oslo_config import cfg
from oslo_log import log as logging
from oslo_policy import opts, policy

from cg_extension import policies
from cg_extension.conf import errors
from cg_extension.contract import exceptions
from cg_extension.reference.wsgi import policy_checks, policy_files, watched

LOG = logging.getLogger(__name__)


class Enforcer(policy.Enforcer):
    """oslo's, which keeps the rules in force when the files come to hold something else than rules.

    ``files`` are the policy files, from the first use on.

    :raises errors.StartError: at the first use, by whatever asks for rules: a file is broken.
    """

    files: watched.Watched[policy.Enforcer] | None = None
    _had_file = False

    def load_rules(self, force_reload: bool = False) -> None:
        """Read the files, if that was not done since they changed."""
        if self.files is None:
            self._warn_of_missing()
            self.files = watched.Watched(lambda: list(self._paths()), self._read)
        current = self.files.get()
        if self.rules is not current.rules:
            self.rules, self.file_rules = current.rules, current.file_rules

    def allows(self, rule: str, target: Mapping[str, Any], creds: dict[str, Any]) -> bool:
        """What oslo's ``authorize`` says, without what it does besides for each question.

        :param creds: the caller's policy values.
        :raises policy.PolicyNotRegistered: there is no such rule.
        :raises exceptions.ServiceUnavailable: a server that a rule ``http:`` asks does not answer,
            or can't be asked.
        """
        if rule not in self.registered_rules:
            raise policy.PolicyNotRegistered(rule)
        self.load_rules()
        if scope := creds.get("system_scope"):
            creds["system"] = scope  # Its name in rules of old.
        try:
            allowed = bool(self.rules[rule](target, creds, self, rule))
        except (OSError, RuntimeError) as error:
            LOG.error("A server that policy rules ask can't be asked: %s", error)
            raise exceptions.ServiceUnavailable(
                reason="A server that the policy's rules ask can't be asked now; try again later."
            ) from error
        LOG.debug("Rule %s on %s by %s: %s", rule, target, creds, allowed)
        return allowed

    def _read(self) -> policy.Enforcer:
        """oslo's own enforcer, fresh from the files."""
        for path in self._files():
            policy_files.check_syntax(path)
        with errors.blaming("Policy files"):
            return self._read_checked()

    def _read_checked(self) -> policy.Enforcer:
        fresh = policy.Enforcer(self.conf, default_rule=self.default_rule)
        fresh.suppress_deprecation_warnings = self.suppress_deprecation_warnings
        # oslo would warn of what is refused below, and of rules that nothing asks for.
        fresh.skip_undefined_check = True
        fresh.register_defaults(list(self.registered_rules.values()))
        fresh.load_rules(force_reload=True)
        policy_files.check_references(fresh)
        fresh.rules.update(
            (name, policy_checks.prepared(each)) for name, each in fresh.rules.items()
        )
        self._had_file = self.conf.find_file(self.policy_file) is not None
        return fresh

    def _paths(self) -> Iterator[str]:
        """Where rules may be: the file, the directories, and what is in those."""
        for name in (self.policy_file, *self.conf.oslo_policy.policy_dirs):
            # Where it would be, if it is not there.
            path = self.conf.find_file(name) or os.path.abspath(name)
            yield path
            with contextlib.suppress(OSError):
                yield from sorted(os.path.join(path, each) for each in os.listdir(path))

    def _files(self) -> Iterator[str]:
        """The files that oslo.policy reads, of which it leaves out in silence what it can't read.

        :raises errors.StartError: one is gone, or a directory can't be read.
        """
        path = self.conf.find_file(self.policy_file)
        if path is not None:
            yield path
        elif self._had_file:
            raise errors.StartError(f"Policy file {self.policy_file}: It is gone")
        for directory in filter(None, map(self.conf.find_file, self.conf.oslo_policy.policy_dirs)):
            with errors.blaming("[oslo_policy] policy_dirs"):
                names = sorted(os.listdir(directory))
            paths = (os.path.join(directory, name) for name in names if not name.startswith("."))
            yield from (path for path in paths if not os.path.isdir(path))

    def _warn_of_missing(self) -> None:
        """Of what the deployer named, oslo.policy leaves out in silence what is not there."""
        for option, names, what in (
            ("policy_file", [self.policy_file], "file, so the defaults hold"),
            ("policy_dirs", self.conf.oslo_policy.policy_dirs, "directory, so it changes no rule"),
        ):
            location = self.conf.get_location(option, "oslo_policy")
            if location is None or not location.location.is_user_controlled:
                continue
            for name in names:
                if not self.conf.find_file(name):
                    LOG.warning("[oslo_policy] %s = %s: There is no such %s", option, name, what)


def make_enforcer(conf: cfg.ConfigOpts) -> Enforcer:
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
