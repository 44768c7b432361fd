"""What a month may come to: right where days are alike, wide where they scatter, silent where nobody could know."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime

import pytest

from headgate.control.forecast import forecast, month_of

__all__: list[str] = []

DAY = 86_400


def moment(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


NOON = moment("2026-11-16T12:00")
TODAY = moment("2026-11-16")


def days(costs: list[int], until: int = TODAY) -> dict[int, int]:
    """The last of them the day before `until`."""
    return {until - (len(costs) - place) * DAY: cost for place, cost in enumerate(costs)}


def test_a_month_ends_where_the_next_one_begins() -> None:
    """Of UTC, in December too."""
    assert month_of(NOON) == (moment("2026-11-01"), moment("2026-12-01"))
    assert month_of(moment("2026-12-31T23:59")) == (moment("2026-12-01"), moment("2027-01-01"))


def test_days_that_are_alike_go_on_so() -> None:
    """And leave no doubt: fifteen days and a half are over, fourteen and a half come."""
    found = forecast(days([100] * 28), NOON)
    assert (found.so_far, found.likely, found.low, found.high) == (1500, 2950, 2950, 2950)
    assert (found.days, found.left) == (28, 14.5)


def test_weekends_are_days_of_their_own() -> None:
    """Once there were enough of them; ten weekdays and four days of weekends, and the rest of today."""
    week = [
        0 if datetime.fromtimestamp(TODAY - n * DAY, tz=UTC).weekday() >= 5 else 100 for n in range(28, 0, -1)
    ]
    found = forecast(days(week), NOON)
    assert found.likely == found.so_far + 50 + 10 * 100


def test_too_few_days_make_no_range_and_none_no_figure() -> None:
    """What came before the first day that cost anything was no use of it, and counts for nothing."""
    empty = forecast({TODAY: 70}, NOON)
    assert (empty.so_far, empty.likely, empty.low, empty.days) == (70, None, None, 0)
    two = forecast(days([0, 0, 0, 100, 140]), NOON)
    assert (two.days, two.low, two.high) == (2, None, None)
    assert two.likely == 240 + round(120 * 14.5)
    three = forecast(days([100, 140, 90]), NOON)
    assert three.low is not None and three.high is not None and three.likely is not None
    assert three.so_far <= three.low < three.likely < three.high


def test_the_last_day_leaves_little_open() -> None:
    """What is spent cannot be unspent: the range never goes below it."""
    last = moment("2026-11-30T23:00")
    costs = days([80, 120, 300, 20] * 7, moment("2026-11-30"))
    found = forecast(costs, last)
    assert found.low is not None and found.high is not None
    assert found.so_far <= found.low and found.high - found.so_far < 200
    assert found.left == pytest.approx(1 / 24)


def test_a_week_that_is_another_counts_alone() -> None:
    """A dearer model since last Monday is no reason to expect the old one's days; a week that is somewhat above is."""
    before = [100, 110, 90, 105, 95, 100, 100] * 3
    dearer = forecast(days([*before, *(300, 310, 290, 305, 295, 300, 300)]), NOON)
    assert dearer.days == 7 and dearer.likely == dearer.so_far + round(300 * 14.5)
    usual = forecast(days([*before, *(105, 115, 95, 110, 100, 105, 105)]), NOON)
    assert usual.days == 28


@pytest.mark.parametrize(
    ("known", "likeness", "least"),
    [(5, 0.0, 0.72), (14, 0.0, 0.74), (28, 0.0, 0.74), (28, 0.5, 0.66)],
    ids=["5 days", "14 days", "28 days", "28 days that follow one another"],
)
def test_the_range_holds_about_as_often_as_it_says(known: int, likeness: float, least: float) -> None:
    """Days that scatter log-normally around a weekly pattern, 400 months of each kind. With much in common between days it is
    somewhat too narrow, which the page says."""
    chance = random.Random(20261116)
    held = 0
    end = moment("2026-12-01")
    for _ in range(400):
        carried, costs = 0.0, {}
        for day in range(TODAY - known * DAY, end, DAY):
            own = chance.gauss(0, 0.4)
            carried = likeness * carried + math.sqrt(1 - likeness**2) * own
            usual = 500_000 if datetime.fromtimestamp(day, tz=UTC).weekday() >= 5 else 1_000_000
            costs[day] = round(usual * math.exp(carried))
        seen = {day: cost for day, cost in costs.items() if day < TODAY}
        found = forecast(seen | {TODAY: 0}, TODAY)
        true = sum(cost for day, cost in costs.items() if day >= moment("2026-11-01"))
        assert found.low is not None and found.high is not None
        held += found.low <= true <= found.high
    assert least <= held / 400 <= 0.97, held / 400
