"""How many calls each feature has had today: for rules such as "beyond 10,000 a day use our own server".

Counted by this process since it started: after a restart the day begins anew, and each of several processes counts its own.
`restore` lets whoever starts the gateway say what the records know.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["DayVolume"]

_MOST_NAMES = 10_000
_NONE: Mapping[str, int] = MappingProxyType({})


class DayVolume:
    """Calls by name, zone and day; a day is its number, counted from 0001-01-01. Yesterday's are forgotten."""

    __slots__ = ("_days",)

    def __init__(self) -> None:
        self._days: dict[str, tuple[int, dict[str, int]]] = {}

    def so_far(self, name: str, zone: str, day: int) -> int:
        """Calls of `name` on that day."""
        of, calls = self._days.get(zone, (0, _NONE))
        return calls.get(name, 0) if of == day else 0

    def count(self, name: str, zone: str, day: int) -> None:
        """One more."""
        calls = self._day(zone, day)
        if name in calls or len(calls) < _MOST_NAMES:
            calls[name] = calls.get(name, 0) + 1

    def restore(self, zone: str, day: int, calls: Mapping[str, int]) -> None:
        """Take over what is known from before; what was counted since is added."""
        mine = self._day(zone, day)
        for name, number in calls.items():
            mine[name] = mine.get(name, 0) + number

    def _day(self, zone: str, day: int) -> dict[str, int]:
        of, calls = self._days.get(zone, (0, {}))
        if of == day:
            return calls
        fresh: dict[str, int] = {}
        # A call that began before midnight may come to be counted after it: it is nobody's any more.
        if of < day:
            self._days[zone] = (day, fresh)
        return fresh
