"""The time that is looked at: `?range=24h`, or `?from=…&to=…`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

__all__ = ["RANGES", "USUAL", "Stretch", "stretch_of"]

RANGES = {"1h": 3600, "6h": 6 * 3600, "24h": 86_400, "7d": 7 * 86_400, "30d": 30 * 86_400}
"""What the control offers, in seconds."""
_WORDS = {"1h": "hour", "6h": "6 hours", "24h": "24 hours", "7d": "7 days", "30d": "30 days"}
USUAL = "24h"
_STEPS = (60, 120, 300, 600, 1800, 3600, 2 * 3600, 6 * 3600, 86_400)
_POINTS = 150
"""On a plot, about."""
_LONGEST = 366 * 86_400


@dataclass(frozen=True, slots=True)
class Stretch:
    """Seconds since 1970 UTC, and how it was asked for."""

    since: int
    until: int
    name: str = ""
    """One of RANGES; "" for one with its own ends."""

    @property
    def seconds(self) -> int:
        return self.until - self.since

    @property
    def step(self) -> int:
        """Seconds of one point of a plot; a multiple of a minute, and of an hour where rollups of hours will do."""
        return next((step for step in _STEPS if self.seconds / step <= _POINTS), 86_400)

    @property
    def query(self) -> dict[str, str]:
        """As parameters."""
        return {"range": self.name} if self.name else {"from": str(self.since), "to": str(self.until)}

    @property
    def words(self) -> str:
        """For people."""
        if self.name:
            return f"the last {_WORDS[self.name]}"
        return f"{_moment(self.since)} to {_moment(self.until)} UTC"

    @property
    def since_text(self) -> str:
        """For an input of type `datetime-local`."""
        return _moment(self.since).replace(" ", "T")

    @property
    def until_text(self) -> str:
        """As `since_text`."""
        return _moment(self.until).replace(" ", "T")

    def before(self) -> Stretch:
        """The same length just before, to compare with."""
        return Stretch(self.since - self.seconds, self.since)


def stretch_of(query: Mapping[str, str], now: int, usual: str = USUAL) -> Stretch:
    """What a query asks for; nonsense is the usual stretch. now: seconds since 1970."""
    since, until = _seconds(query.get("from", "")), _seconds(query.get("to", ""))
    if since is not None:
        end = min(until if until is not None else now, now + 86_400)
        if 0 <= since < end:
            return Stretch(max(since, end - _LONGEST), end)
    name = query.get("range", usual)
    name = name if name in RANGES else usual
    return Stretch(now - RANGES[name], now, name)


def _seconds(text: str) -> int | None:
    """Seconds since 1970, or a moment such as 2026-01-31T08:00 (UTC)."""
    if text.isascii() and text.isdigit() and len(text) <= 12:
        return int(text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return int(found.timestamp())


def _moment(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, tz=UTC):%Y-%m-%d %H:%M}"
