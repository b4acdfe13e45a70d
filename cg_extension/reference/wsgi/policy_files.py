# SPDX-License-Identifier: Apache-2.0
"""What a policy file must be like, beyond what oslo.policy asks of it.

oslo.policy takes what it does not understand for a rule that nobody passes, and a name without a
rule for one that everybody passes.
"""

import collections
import logging as python_logging
import pathlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import yaml
from oslo_log import log as logging
from oslo_policy import _checks, policy

from cg_extension.conf import errors

LOG = logging.getLogger(__name__)
# What it could not parse it tells with a traceback; it is told here in a line.
python_logging.getLogger("oslo_policy._parser").disabled = True


def check_syntax(path: str) -> None:
    """See to it that a file holds nothing but rules that can be understood.

    :raises errors.StartError: it does not; with the place in it.
    """
    with errors.blaming(f"Policy file {path}"):
        text = pathlib.Path(path).read_text("utf-8")
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # The latter two for what looks like a date and is none, and for brackets without end.
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}:" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise errors.StartError(f"Policy file {path}:{line} It is not YAML: {problem}") from error
    if content is None:  # Nothing but comments.
        return
    if not isinstance(content, dict):
        raise errors.StartError(
            f"Policy file {path}: It must hold lines NAME: RULE, not {content!r:.40}"
        )
    for name, rule in content.items():
        if not isinstance(name, str) or not _is_rule(rule):
            raise errors.StartError(
                f"Policy file {path}: {name}: {rule!r:.80} is not a rule. A rule is text such as "
                '"role:admin or project_id:%(project_id)s", "@" for all or "!" for nobody'
            )


def _is_rule(rule: Any) -> bool:
    """Whether oslo.policy understands all of it."""
    if isinstance(rule, str):
        words = [word.strip("()") for word in rule.split()]
    elif isinstance(rule, list):
        # The old form: alternatives, each a check or a list of checks that must all pass.
        inner = [[each] if isinstance(each, str) else each for each in rule]
        if not all(isinstance(each, list) for each in inner):
            return False
        words = [word for each in inner for word in each]
        if not all(isinstance(word, str) for word in words):
            return False
    else:
        return False
    try:
        checks = list(_walk(policy.RuleDefault("name", rule).check))
    except RecursionError:
        return False
    if not all(map(_can_be_asked, checks)):
        return False
    nobody = [check for check in checks if isinstance(check, _checks.FalseCheck)]
    # All of the text in one "nobody" is how it reports what it could not parse.
    is_unparsed = len(words) > 1 and len(checks) == 1 and checks == nobody
    return len(nobody) == words.count("!") and not is_unparsed


def _can_be_asked(check: Any) -> bool:
    """Whether a check, or the URL that it asks at, can be made of what is acted upon."""
    if isinstance(check, policy.RuleCheck) or not isinstance(check, policy.Check):
        return True
    try:
        text = check.match % collections.defaultdict(str)
    except (TypeError, ValueError):
        return False
    is_remote = check.kind in ("http", "https")
    return not is_remote or bool(re.match("//[^/:?#]", check.match) and text)


def check_references(enforcer: policy.Enforcer) -> None:
    """See to it that the rules in force lead somewhere; warn of those that nothing asks for.

    :raises errors.StartError: one refers to a rule that there is not, or in the end to itself.
    """
    used: set[str] = set()
    for name in enforcer.registered_rules:
        _follow(enforcer, name, (), used)
    if unused := sorted(set(enforcer.file_rules) - used):
        LOG.warning(
            "Rules of the policy files that nothing asks for, for a wrong name or another service: "
            "%s",
            ", ".join(unused),
        )


def _follow(enforcer: policy.Enforcer, name: str, way: Sequence[str], used: set[str]) -> None:
    if name in way:
        raise errors.StartError(
            f"Policy files: The rule {name} refers to itself: {' -> '.join((*way, name))}"
        )
    if name in used:
        return
    if name not in enforcer.rules and enforcer.default_rule in enforcer.rules:
        name = str(enforcer.default_rule)  # Which holds for whatever there is no rule for.
    if name not in enforcer.rules:
        raise errors.StartError(
            f"Policy files: The rule {way[-1]} refers to rule:{name}, which there is not"
        )
    for check in _walk(enforcer.rules[name]):
        if type(check) is policy.RuleCheck:  # A subclass is a plugin's own affair.
            _follow(enforcer, check.match, (*way, name), used)
    used.add(name)


def _walk(check: Any) -> Iterator[Any]:
    """The single checks that a rule is made of."""
    parts: Iterable[Any] = getattr(check, "rules", None) or filter(
        None, [getattr(check, "rule", None)]
    )
    parts = list(parts)
    if not parts:
        yield check
    for part in parts:
        yield from _walk(part)
