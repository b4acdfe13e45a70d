# SPDX-License-Identifier: Apache-2.0
"""Which group snapshots a profile keeps: as ``restic forget`` does."""

import datetime
import zoneinfo
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from oslotest import base

from cg_extension.cmd.lvm.profiles import retention

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
RULES = ("last", "hourly", "daily", "weekly", "monthly")

# A few years, close enough together that periods are shared, over changes of the clock.
_MOMENTS = st.one_of(
    st.datetimes(datetime.datetime(2026, 10, 24), datetime.datetime(2026, 10, 27)),
    st.datetimes(datetime.datetime(2025, 12, 20), datetime.datetime(2026, 1, 20)),
    st.datetimes(datetime.datetime(2023, 1, 1), datetime.datetime(2026, 12, 31)),
)
_COUNTS = st.integers(-1, 6)


def _candidates(moments: Sequence[datetime.datetime]) -> list[retention.Candidate]:
    return [
        retention.Candidate(f"s{number}", moment.replace(tzinfo=datetime.UTC))
        for number, moment in enumerate(moments)
    ]


def _period(rule: str, moment: datetime.datetime) -> str:
    """The period that a moment falls into, as text."""
    forms = {"hourly": "%Y-%m-%d %H", "daily": "%Y-%m-%d", "weekly": "%G-%V", "monthly": "%Y-%m"}
    return moment.astimezone(BERLIN).strftime(forms[rule])


def _model(candidates: Sequence[retention.Candidate], rule: str, count: int) -> set[str]:
    """What one rule keeps, said another way: the newest of each of the newest periods."""
    ordered = sorted(candidates, key=lambda each: (each.instant, each.name))
    newest = {
        each.name if rule == "last" else _period(rule, each.instant): each.name for each in ordered
    }
    kept = list(newest.values())
    if count == retention.ALL:
        return {*kept, ordered[0].name}
    few = len(kept) < count
    return {*kept[len(kept) - min(count, len(kept)) :], *([ordered[0].name] if few else [])}


class RetentionTest(base.BaseTestCase):
    @settings(max_examples=300, deadline=None)
    @given(
        st.lists(_MOMENTS, min_size=1, max_size=40, unique=True),
        st.fixed_dictionaries(dict.fromkeys(RULES, _COUNTS)),
    )
    def test_each_rule_keeps_the_newest_of_each_of_its_newest_periods(
        self, moments: list[datetime.datetime], counts: dict[str, int]
    ) -> None:
        candidates = _candidates(moments)
        decisions = retention.decide(candidates, retention.Policy(**counts), BERLIN)
        self.assertEqual({c.name for c in candidates}, {d.candidate.name for d in decisions})
        if not any(counts.values()):
            self.assertTrue(all(decision.rules for decision in decisions))
            return
        for rule, count in counts.items():
            kept = {d.candidate.name for d in decisions if rule in d.rules}
            self.assertEqual(_model(candidates, rule, count), kept, rule)

    def _kept(self, times: Sequence[str], **policy: int) -> list[str]:
        candidates = [
            retention.Candidate(time, datetime.datetime.fromisoformat(time).replace(tzinfo=BERLIN))
            for time in times
        ]
        decisions = retention.decide(candidates, retention.Policy(**policy), BERLIN)
        return [decision.candidate.name for decision in decisions if decision.rules]

    def test_days_without_any_dont_count(self) -> None:
        """The example of restic's manual: only Sundays, and 4 daily ones are kept."""
        sundays = [f"2026-11-{day:02}T11:00" for day in (1, 8, 15, 22, 29)]
        self.assertEqual(sundays[:0:-1], self._kept(sundays, daily=4))

    def test_the_oldest_is_kept_while_a_rule_has_not_kept_enough(self) -> None:
        times = ["2026-11-01T01:00", "2026-11-01T02:00", "2026-11-02T01:00"]
        self.assertEqual([times[2], times[1], times[0]], self._kept(times, daily=3))
        self.assertEqual([times[2], times[1]], self._kept(times, daily=2))

    def test_a_day_is_one_of_local_time(self) -> None:
        before_midnight, after = (
            retention.Candidate(name, datetime.datetime(2026, 7, 1, hour, tzinfo=datetime.UTC))
            for name, hour in (("before", 21), ("after", 22))
        )
        policy = retention.Policy(daily=2)
        in_berlin = retention.decide([before_midnight, after], policy, BERLIN)
        self.assertEqual([("daily",), ("daily",)], [each.rules for each in in_berlin])
        third = retention.Candidate("first", datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC))
        in_utc = retention.decide([before_midnight, after, third], policy, datetime.UTC)
        self.assertEqual([("daily",), (), ("daily",)], [each.rules for each in in_utc])

    def test_weeks_are_iso_weeks_over_the_turn_of_the_year(self) -> None:
        times = ["2025-12-28T12:00", "2025-12-29T12:00", "2026-01-04T12:00", "2026-01-05T12:00"]
        self.assertEqual([times[3], times[2]], self._kept(times, weekly=2))

    def test_the_hour_that_comes_twice_in_autumn_is_one(self) -> None:
        first, second, earlier = (
            retention.Candidate(name, datetime.datetime(2026, 10, 25, *time, tzinfo=datetime.UTC))
            for name, time in (("first", (0, 30)), ("second", (1, 30)), ("earlier", (0, 10)))
        )
        policy = retention.Policy(hourly=1)
        kept = [d for d in retention.decide([first, second, earlier], policy, BERLIN) if d.rules]
        self.assertEqual(["second"], [each.candidate.name for each in kept])

    def test_without_a_rule_all_are_kept(self) -> None:
        times = ["2026-11-01T01:00", "2026-11-02T01:00"]
        self.assertEqual(times[::-1], self._kept(times))
