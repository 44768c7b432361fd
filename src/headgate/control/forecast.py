"""What a month may come to, from what its days cost: a figure, and the range it ends in four times out of five.

Method. Days of the last four weeks that are over, from the first one on that anything was spent. A day to come costs what such a
day cost on average; with two weeks or more, weekdays and weekends (Saturday and Sunday) have an average each. The range is that of a
prediction: days scatter around their average as those before did, the average itself is known only so well, and a day is like the
day before it (the scatter of a sum of days is widened by what neighbours have in common). 80 %, two-sided, by Student's t.
If the last week was another one than those before it, it alone counts.
Less than three days: no range, since nobody could know it; none: no figure. No growth is assumed: who grows will see the
figure follow with a delay. Simulated in `tests/unit/control/test_forecast.py`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

__all__ = ["DAYS", "Forecast", "forecast", "month_of"]

DAYS = 28
"""Of which the forecast is made, at most."""
_FEWEST = 3
_WEEK = 7
_TWO_KINDS = 14
_CHANGED = 2.6
"""Standard errors: chance alone does that about once in a hundred times."""
_DAY = 86_400
_T80 = (
    3.078,
    1.886,
    1.638,
    1.533,
    1.476,
    1.440,
    1.415,
    1.397,
    1.383,
    1.372,
    1.363,
    1.356,
    1.350,
    1.345,
    1.341,
)
"""90th percentiles of Student's t with 1, 2, 3 … degrees of freedom; beyond, near enough the normal one's."""
_NORMAL80 = 1.30


@dataclass(frozen=True, slots=True)
class Forecast:
    """Nano-dollars of a month of UTC."""

    so_far: int
    likely: int | None
    """None: nothing was spent on any day that is over."""
    low: int | None
    """None: too few days to say."""
    high: int | None
    days: int
    """Days it is made of."""
    left: float
    """Days to come, with what is left of today."""


def month_of(second: int) -> tuple[int, int]:
    """Where the month begins that a moment lies in, and the next one; seconds since 1970, UTC."""
    first = datetime.fromtimestamp(second, tz=UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = (first + timedelta(days=32)).replace(day=1)
    return int(first.timestamp()), int(following.timestamp())


def forecast(by_day: Mapping[int, int], now: int) -> Forecast:
    """Of the month of `now`. by_day: where a day of UTC begins -> what it has cost; days that are missing cost nothing."""
    begins, ends = month_of(now)
    today = now // _DAY * _DAY
    so_far = sum(cost for day, cost in by_day.items() if begins <= day <= today)
    known = _lately(_days_over(by_day, today))
    left = (today + _DAY - now) / _DAY
    to_come = [(_kind(today), left), *((_kind(day), 1.0) for day in range(today + _DAY, ends, _DAY))]
    total_left = sum(part for _, part in to_come)
    if not known:
        return Forecast(so_far, None, None, None, 0, total_left)
    kinds = _means(known)
    likely = so_far + sum(part * kinds[kind] for kind, part in to_come)
    if len(known) < _FEWEST:
        return Forecast(so_far, round(likely), None, None, len(known), total_left)
    half = _half_width(known, kinds, to_come)
    return Forecast(
        so_far, round(likely), max(round(likely - half), so_far), round(likely + half), len(known), total_left
    )


def _days_over(by_day: Mapping[int, int], today: int) -> list[tuple[int, float]]:
    """(kind of day, cost) of those before today, in order, from the first one on that cost anything."""
    days = range(today - DAYS * _DAY, today, _DAY)
    costs = [(_kind(day), float(by_day.get(day, 0))) for day in days]
    first = next((place for place, (_, cost) in enumerate(costs) if cost), None)
    return [] if first is None else costs[first:]


def _lately(known: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """The last week alone, if it cost another amount than the weeks before, by more than they scatter."""
    week, before = known[-7:], known[:-7]
    if len(before) < _WEEK:
        return known
    # A week has each weekday once; what was before it has them about evenly.
    apart = _mean(week) - _mean(before)
    freedom = len(known) - 2
    scatter = sum((cost - _mean(some)) ** 2 for some in (week, before) for _, cost in some) / freedom
    return week if abs(apart) > _CHANGED * math.sqrt(scatter * (1 / len(week) + 1 / len(before))) else known


def _mean(known: Sequence[tuple[int, float]]) -> float:
    return sum(cost for _, cost in known) / len(known)


def _kind(day: int) -> int:
    """0: a weekday, 1: a Saturday or Sunday."""
    return int(datetime.fromtimestamp(day, tz=UTC).weekday() >= 5)


def _means(known: Sequence[tuple[int, float]]) -> tuple[float, float]:
    """What a weekday costs, and a day of a weekend."""
    everything = _mean(known)
    if len(known) < _TWO_KINDS:
        return everything, everything
    of_kind = [[cost for kind, cost in known if kind == wanted] for wanted in (0, 1)]
    return sum(of_kind[0]) / len(of_kind[0]), sum(of_kind[1]) / len(of_kind[1])


def _half_width(
    known: Sequence[tuple[int, float]], kinds: tuple[float, float], to_come: Sequence[tuple[int, float]]
) -> float:
    off = [cost - kinds[kind] for kind, cost in known]
    freedom = len(off) - (2 if len(off) >= _TWO_KINDS else 1)
    scatter = sum(each * each for each in off) / freedom
    if not scatter:
        return 0.0
    likeness = sum(one * after for one, after in itertools.pairwise(off)) / (scatter * len(off))
    # Of few days it is hardly known, and comes out too low: then some is taken for granted.
    likeness = min(max(likeness + 1 / len(off), 0.0), 0.8)
    widened = (1 + likeness) / (1 - likeness)
    ahead = sum(part for _, part in to_come)
    # A sum of days to come scatters, and so does the average it is made of, once for each of them.
    variance = scatter * widened * (ahead + ahead * ahead / len(off))
    student = _T80[freedom - 1] if freedom <= len(_T80) else _NORMAL80
    return student * math.sqrt(variance)
