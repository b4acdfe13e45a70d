# SPDX-License-Identifier: Apache-2.0
"""Which group snapshots are kept: counted as ``restic forget`` counts, and pure.

As restic's documentation and its ``ApplyPolicy`` have it: from the newest to the oldest, each rule
keeps the newest of an hour, day, ISO week or month of local time, until it has kept as many as it
is to; hours and so on of which there is none don't count. A rule that has not kept enough by then
keeps the oldest as well. A policy without any rule keeps all.
"""

import dataclasses
import datetime
from collections.abc import Callable, Hashable, Iterable

ALL = -1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How many each rule keeps; ALL for all, 0 for none."""

    last: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is no rule."""
        return not any(dataclasses.astuple(self))


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """A group snapshot and its instant, with its time zone."""

    name: str
    instant: datetime.datetime


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """By which rules a group snapshot is kept; by none: it is not."""

    candidate: Candidate
    rules: tuple[str, ...]


# By rule: what those of which it keeps one have in common, of their moment and their number.
_PERIODS: dict[str, Callable[[datetime.datetime, int], Hashable]] = {
    "last": lambda _moment, number: number,
    "hourly": lambda moment, _number: (moment.date(), moment.hour),
    "daily": lambda moment, _number: moment.date(),
    "weekly": lambda moment, _number: moment.isocalendar()[:2],
    "monthly": lambda moment, _number: (moment.year, moment.month),
}
NO_RULE = "no rule"


def decide(
    candidates: Iterable[Candidate], policy: Policy, zone: datetime.tzinfo | None = None
) -> list[Decision]:
    """What becomes of each, the newest first.

    :param zone: the time zone of hours, days and so on; None: this machine's.
    """
    ordered = sorted(candidates, key=lambda each: (each.instant, each.name), reverse=True)
    if policy.is_empty:
        return [Decision(each, (NO_RULE,)) for each in ordered]
    left = {rule: getattr(policy, rule) for rule in _PERIODS}
    latest: dict[str, Hashable] = {}
    decisions = []
    for number, candidate in enumerate(ordered):
        local = candidate.instant.astimezone(zone)
        is_oldest = number == len(ordered) - 1
        rules = []
        for rule, period_of in _PERIODS.items():
            period = period_of(local, number)
            if left[rule] and (latest.get(rule) != period or is_oldest):
                latest[rule] = period
                left[rule] -= left[rule] > 0
                rules.append(rule)
        decisions.append(Decision(candidate, tuple(rules)))
    return decisions
