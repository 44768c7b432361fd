"""When a series changed. Figures of this method are in docs/design/drift.md; here are its promises."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, pi, sin
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.quality.drift import DAY, HOUR, LEAST_POINTS, Change, Point, changes

__all__: list[str] = []

BEGIN = 1_790_000_000 // (7 * DAY) * 7 * DAY


def hours(
    seed: int, *, days: int = 28, level: Callable[[int], float] = lambda _: 0.0, count: int = 50
) -> list[Point]:
    """Noise of 1, a rhythm of the day and of the week, and a level that changes."""
    chance = Random(seed)
    points = []
    for at in range(BEGIN, BEGIN + days * DAY, HOUR):
        rhythm = 1.5 * sin(2 * pi * (at % DAY) / DAY) - (1.0 if at // DAY % 7 in (2, 3) else 0.0)
        points.append(Point(at, 10 + rhythm + chance.gauss(0, 1) + level(at - BEGIN), count))
    return points


def test_a_rhythm_of_days_and_weeks_is_no_change() -> None:
    """Nights and weekends come back; of these twenty series one may be taken for changed by chance."""
    alarms = sum(bool(changes(hours(seed))) for seed in range(20))
    assert alarms <= 1


def test_a_level_that_changes_is_found_where_it_changes() -> None:
    """Within a few hours, with what it was before and after, in an interval each."""
    at = 20 * DAY + 13 * HOUR
    for seed in range(5):
        (found,) = changes(hours(seed, level=lambda since: -1.0 if since >= at else 0.0))
        assert abs(found.at - BEGIN - at) <= 12 * HOUR
        assert found.p <= 0.001 and not found.young
        assert abs(found.after - found.before + 1) < 0.35
        assert found.before_interval[0] < found.before < found.before_interval[1]
        assert -1.4 < found.sigmas < -0.6


def test_two_changes_are_two() -> None:
    """Up, and down again."""

    def level(since: int) -> float:
        return 2.0 if 9 * DAY <= since < 19 * DAY else 0.0

    found = changes(hours(3, level=level))
    assert [round((each.at - BEGIN) / DAY) for each in found] == [9, 19]
    assert [each.sigmas > 0 for each in found] == [True, False]


def test_factors_are_compared_as_factors() -> None:
    """A latency that doubles; what is told is the latency itself."""
    points = [Point(each.at, exp((each.value - 10) / 4), each.count) for each in hours(4)]
    slower = [
        Point(each.at, each.value * (2 if each.at >= BEGIN + 15 * DAY else 1), each.count) for each in points
    ]
    (found,) = changes(slower, positive=True)
    assert 1.8 < found.after / found.before < 2.2


def test_a_small_change_is_not_worth_a_word() -> None:
    """However sure it is."""
    series = hours(5, level=lambda since: 0.8 if since >= 14 * DAY else 0.0)
    assert changes(series) and not changes(series, least_share=0.2)


def test_nothing_is_said_before_a_week_is_known() -> None:
    """Unless it is asked for, and then it says so."""
    series = hours(6, days=10, level=lambda since: 6.0 if since >= 5 * DAY else 0.0)
    assert changes(series) == []
    assert any(each.young and each.sigmas > 2 for each in changes(series, young=True))


def test_the_same_series_has_the_same_changes() -> None:
    """Chance is drawn the same each time; the order of points and gaps between them do not matter."""
    series = [each for each in hours(7, level=lambda since: 1.5 * (since > 14 * DAY)) if each.at // HOUR % 5]
    found = changes(series)
    assert found and found == changes(list(reversed(series)))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(
            Point,
            st.integers(0, 400).map(lambda hour: BEGIN + hour * HOUR),
            st.floats(-1e9, 1e9) | st.just(0.0),
            st.integers(0, 1000),
        ),
        max_size=120,
        unique_by=lambda point: point.at,
    ),
    st.booleans(),
)
def test_any_series_is_read(points: list[Point], positive: bool) -> None:
    """Gaps, constants, zeros, few points: an answer in order of time, and finite."""
    found: list[Change] = changes(points, positive=positive, young=True)
    assert [each.at for each in found] == sorted({each.at for each in found})
    assert len(points) >= LEAST_POINTS or not found
    for each in found:
        assert 0 < each.p <= 0.001 and each.sigmas == each.sigmas
