"""The hours of a day in which work may be done, and how fast."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

__all__ = ["Hours", "hours_of", "seconds_between"]

_BETWEEN = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*(s|m|h)")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class Hours:
    """From one time of day to another, perhaps over midnight."""

    since: time
    until: time
    zone: tzinfo | None
    """None: this machine's."""
    words: str
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def wait_seconds(self) -> float:
        """Until they begin; 0: it is time now."""
        now = self.now().astimezone(self.zone)
        here = now.time()
        inside = (
            self.since <= here < self.until
            if self.since < self.until
            else here >= self.since or here < self.until
        )
        if inside:
            return 0.0
        begins = now.replace(hour=self.since.hour, minute=self.since.minute, second=0, microsecond=0)
        if begins <= now:
            begins += timedelta(days=1)
        # By the wall: a night in which the clock is put back is an hour longer.
        return max((begins.astimezone(UTC) - now.astimezone(UTC)).total_seconds(), 1.0)


def hours_of(text: str, zone: str, now: Callable[[], datetime] | None = None) -> Hours:
    """`01:00-06:00`. zone: `Europe/Berlin`; "": this machine's. Raises ValueError."""
    found = _BETWEEN.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError
        since, until = time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4]))
    except ValueError:
        raise ValueError(f"--between {text}: write hours of a day, such as 01:00-06:00") from None
    if since == until:
        raise ValueError(f"--between {text}: this is no time at all; leave it out for all day")
    try:
        place = ZoneInfo(zone) if zone else None
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"--tz {zone}: no such time zone; write one like Europe/Berlin, or UTC") from None
    words = f"{text.strip()} {zone}".strip()
    return Hours(since, until, place, words, now) if now is not None else Hours(since, until, place, words)


def seconds_between(rate: str) -> float:
    """`2/s` -> 0.5. Raises ValueError."""
    found = _RATE.fullmatch(rate.strip())
    if found is None or not float(found[1]):
        raise ValueError(f"--rate {rate}: write how many in what time, such as 2/s, 30/m or 500/h")
    return _SECONDS[found[2]] / float(found[1])
