"""Moments: as people write them, and as they are told."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from headgate.control.http.problems import Problem
from headgate.core.section import Duration

__all__ = ["ago_ns", "ahead_ns", "moment", "seconds_of"]

_NS = 1_000_000_000
_LAST_NS = 2**63 - 1
"""Moments are kept as 64-bit nanoseconds since 1970."""


def moment(ns: int) -> datetime:
    """Nanoseconds since 1970 as a moment in UTC, to the microsecond."""
    return datetime.fromtimestamp(ns // _NS, tz=UTC).replace(microsecond=ns % _NS // 1000)


def ago_ns(text: str, param: str) -> int:
    """`24h` (so long ago), a date, or a moment, as nanoseconds since 1970. Raises Problem."""
    seconds = _seconds(text)
    if seconds is not None:
        return max(time.time_ns() - int(seconds * 1e9), 0)
    return _date_ns(text, param)


def ahead_ns(text: str, param: str) -> int:
    """`90d` (from now), a date, or a moment, as nanoseconds since 1970; must lie ahead. Raises Problem."""
    seconds = _seconds(text)
    ns = _date_ns(text, param) if seconds is None else time.time_ns() + int(seconds * 1e9)
    if ns <= time.time_ns():
        raise Problem(
            "invalid_request", f"`{param}` is over already: say a moment that lies ahead", param=param
        )
    if ns >= _LAST_NS:
        raise Problem("invalid_request", f"`{param}` is beyond the year 2262: leave it out", param=param)
    return ns


def seconds_of(text: str, param: str, *, most: float) -> float:
    """`30m` as seconds. Raises Problem, also if it is more than `most`."""
    try:
        seconds = float(Duration.parse(text))
    except ValueError:
        raise Problem(
            "invalid_request", f"`{param}` is not a duration: write one like 90s, 30m, 24h or 7d", param=param
        ) from None
    if seconds > most:
        raise Problem("invalid_request", f"`{param}` is {most / 3600:g} hours at most", param=param)
    return seconds


def _seconds(text: str) -> float | None:
    # `7` alone would be seven seconds to Duration, and seven days to whoever typed it.
    if not text[-1:].isalpha() or "-" in text:
        return None
    try:
        return float(Duration.parse(text))
    except ValueError:
        return None


def _date_ns(text: str, param: str) -> int:
    try:
        found = datetime.fromisoformat(text if "-" in text else "")
    except ValueError:
        raise Problem(
            "invalid_request",
            f"`{param}` is neither like 90m, 24h or 7d nor a date like 2027-01-31 or 2027-01-31T08:00:00Z",
            param=param,
        ) from None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return min(max(int(found.timestamp()) * _NS, 0), _LAST_NS)
