"""When a budget's day, week or month begins and ends, by the calendar of a time zone. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

__all__ = ["ENDLESS", "Calendar", "Cycle", "Period", "period_of"]

Cycle = Literal["day", "week", "month"]


class Period(NamedTuple):
    """From its first second up to, and without, the first of the next; seconds since 1970 UTC."""

    begins: int
    ends: int
    """0: never."""


ENDLESS = Period(0, 0)
_DAY = timedelta(days=1)


def period_of(cycle: Cycle, zone: ZoneInfo, second: int) -> Period:
    """The period a moment lies in. A day begins with the first moment that is not before its midnight, whatever clocks do then:
    where midnight comes twice with the first, where it is left out with the moment the clock jumps."""
    first, following = _CYCLES[cycle]
    day = first(datetime.fromtimestamp(second, UTC).astimezone(zone).date())
    begins, ends = _midnight(day, zone), _midnight(following(day), zone)
    # Clocks that are put back over midnight show the old date once more: the new one has begun all the same.
    while second >= ends:
        day = following(day)
        begins, ends = ends, _midnight(following(day), zone)
    while second < begins:
        day = first(day - _DAY)
        begins, ends = _midnight(day, zone), begins
    return Period(begins, ends)


class Calendar:
    """The period of now, worked out once in each period."""

    __slots__ = ("_cycle", "_period", "_zone")

    def __init__(self, cycle: Cycle, zone: ZoneInfo) -> None:
        self._cycle = cycle
        self._zone = zone
        self._period = Period(0, 0)

    def at(self, second: int) -> Period:
        """The period that a moment lies in."""
        period = self._period
        if not period.begins <= second < period.ends:
            period = self._period = period_of(self._cycle, self._zone, second)
        return period


def _midnight(day: date, zone: ZoneInfo) -> int:
    return int(datetime.combine(day, time(), zone).timestamp())


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _first_of_month(day: date) -> date:
    return day.replace(day=1)


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


_CYCLES: dict[Cycle, tuple[Callable[[date], date], Callable[[date], date]]] = {
    "day": (lambda day: day, lambda day: day + _DAY),
    "week": (_monday, lambda day: day + 7 * _DAY),
    "month": (_first_of_month, _next_month),
}
