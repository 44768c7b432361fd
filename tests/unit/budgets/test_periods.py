"""Days, weeks and months by a calendar, whatever clocks do."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.budgets.periods import Calendar, Cycle, period_of

__all__: list[str] = []

ZONES = sorted(available_timezones())
CYCLES: tuple[Cycle, ...] = ("day", "week", "month")
MOMENTS = st.integers(0, int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()))


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(CYCLES), st.sampled_from(ZONES), MOMENTS)
def test_periods_follow_each_other_without_gap_or_overlap(cycle: Cycle, name: str, moment: int) -> None:
    """In every time zone: a moment is in its period, and so are its first and its last second; the next begins at its end."""
    zone = ZoneInfo(name)
    found = period_of(cycle, zone, moment)
    assert found.begins <= moment < found.ends
    assert period_of(cycle, zone, found.begins) == found
    assert period_of(cycle, zone, found.ends - 1) == found
    assert period_of(cycle, zone, found.ends).begins == found.ends
    assert period_of(cycle, zone, found.begins - 1).ends == found.begins


@pytest.mark.parametrize(
    ("cycle", "zone", "moment", "begins", "ends"),
    [
        ("day", "UTC", "2026-11-21T13:00+00:00", "2026-11-21T00:00+00:00", "2026-11-22T00:00+00:00"),
        # 25 and 23 hours long.
        (
            "day",
            "Europe/Berlin",
            "2026-10-25T12:00+01:00",
            "2026-10-25T00:00+02:00",
            "2026-10-26T00:00+01:00",
        ),
        (
            "day",
            "Europe/Berlin",
            "2026-03-29T12:00+02:00",
            "2026-03-29T00:00+01:00",
            "2026-03-30T00:00+02:00",
        ),
        # Midnight is left out: the day begins when the clock jumps.
        (
            "day",
            "America/Sao_Paulo",
            "2018-11-04T12:00-02:00",
            "2018-11-04T03:00+00:00",
            "2018-11-05T02:00+00:00",
        ),
        # Midnight comes twice: the day begins with the first.
        (
            "day",
            "America/Havana",
            "2026-11-01T12:00-05:00",
            "2026-11-01T04:00+00:00",
            "2026-11-02T05:00+00:00",
        ),
        # One minute into the new day clocks went back to the old one.
        (
            "day",
            "America/St_Johns",
            "2010-11-07T02:35+00:00",
            "2010-11-07T00:00-02:30",
            "2010-11-08T00:00-03:30",
        ),
        # A day that never was.
        ("day", "Pacific/Apia", "2011-12-31T09:00+14:00", "2011-12-30T10:00+00:00", "2011-12-31T10:00+00:00"),
        (
            "week",
            "America/New_York",
            "2026-11-22T23:00-05:00",
            "2026-11-16T00:00-05:00",
            "2026-11-23T00:00-05:00",
        ),
        ("month", "Asia/Tokyo", "2026-11-30T15:30+00:00", "2026-12-01T00:00+09:00", "2027-01-01T00:00+09:00"),
        ("month", "UTC", "2024-02-29T23:59:59+00:00", "2024-02-01T00:00+00:00", "2024-03-01T00:00+00:00"),
    ],
)
def test_a_period_is_one_of_the_calendar(
    cycle: Cycle, zone: str, moment: str, begins: str, ends: str
) -> None:
    """Of the zone's, weeks from Monday."""
    assert period_of(cycle, ZoneInfo(zone), at(moment)) == (at(begins), at(ends))


def test_a_calendar_turns_its_page_by_itself() -> None:
    """It remembers the period it was asked for last, and no longer than that lasts; a clock that is put back is followed."""
    calendar = Calendar("day", ZoneInfo("UTC"))
    for moment in (
        at("2026-11-21T23:59:59+00:00"),
        at("2026-11-22T00:00+00:00"),
        at("2026-11-20T08:00+00:00"),
    ):
        assert calendar.at(moment) == period_of("day", ZoneInfo("UTC"), moment)
