"""What a vendor's reply headers say when little more may be asked. Pure; anything unreadable says nothing.

Read are the headers of OpenAI (also Azure, Groq and most servers that speak its format), Anthropic, and Mistral.
Gemini and Bedrock send none. All these vendors refill continuously and send the time until everything is refilled.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

__all__ = ["TELLING", "Allowance", "RateHints", "hints_of"]

MOST_SECONDS = 86_400.0
"""A vendor may say nonsense: until all is there again takes no longer than a day. Nobody waits that long, see `Health`."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much is left of one of the vendor's limits."""

    subject: str
    """`requests`, or the kind of tokens: `tokens`, `input tokens`, `output tokens`."""
    remaining: int
    limit: int
    """0: not said."""
    full_in: float
    """Seconds until all of it is there again; -1.0: not said, or said as `full_at`."""
    full_at: float
    """Wall clock, seconds since 1970; -1.0: not said, or said as `full_in`."""

    def seconds_to_full(self, wall_now: float) -> float:
        """Seconds until all of it is there again; -1.0: not said."""
        return min(max(self.full_at - wall_now, 0.0), MOST_SECONDS) if self.full_at >= 0 else self.full_in


RateHints = tuple[Allowance, ...]
"""One for each limit that a reply told of, if one of them is nearly used up; never empty."""

_REMAINING, _LIMIT, _FULL = range(3)
_SUBJECTS = ("requests", "tokens", "input tokens", "output tokens")


def _known() -> dict[bytes, tuple[int, int]]:
    parts = ((b"remaining", _REMAINING), (b"limit", _LIMIT), (b"reset", _FULL))
    known = {}
    for part, what in parts:
        for at, subject in enumerate(_SUBJECTS):
            name = subject.replace(" ", "-").encode()
            known[b"anthropic-ratelimit-%b-%b" % (name, part)] = (at, what)
            known[b"x-ratelimit-%b-%b" % (part, name)] = (at, what)
        known[b"x-ratelimit-%b-req-minute" % part] = (0, what)  # Mistral
        known[b"x-ratelimit-%b-tokens-minute" % part] = (1, what)
    return known


_KNOWN = _known()
TELLING = frozenset(name for name, (_, what) in _KNOWN.items() if what == _REMAINING)
"""Without one of these a reply tells nothing."""
_FEW_DIGITS = 3
"""With a thousand or more left of everything nobody needs to know how many: such replies cost one look per header."""
_MOST_COUNT = 10**12
_DURATION = re.compile(
    rb"(?:([0-9]{1,6})d)?(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,9}(?:\.[0-9]{1,9})?)s)?(?:([0-9]{1,9}(?:\.[0-9]{1,9})?)ms)?"
)
_NUMBER = re.compile(rb"[0-9]{1,15}(?:\.[0-9]{1,9})?")
_UNITS = (86_400.0, 3600.0, 60.0, 1.0, 0.001)


def hints_of(headers: Sequence[tuple[bytes, bytes]]) -> RateHints | None:
    """What the headers (names in lower case) say; None: nothing, or that there is plenty."""
    for name, value in headers:
        if name in TELLING and len(value) <= _FEW_DIGITS:
            break
    else:
        return None
    found: dict[int, list[bytes | None]] = {}
    for name, value in headers:
        known = _KNOWN.get(name)
        if known is not None:
            found.setdefault(known[0], [None, None, None])[known[1]] = value
    read = (_allowance(_SUBJECTS[at], *values) for at, values in found.items())
    return tuple(one for one in read if one is not None) or None


def _allowance(
    subject: str, remaining: bytes | None, limit: bytes | None, full: bytes | None
) -> Allowance | None:
    left = _count(remaining)
    if left is None:
        return None
    full_in, full_at = _moment(full)
    return Allowance(subject, left, _count(limit) or 0, full_in, full_at)


def _count(text: bytes | None) -> int | None:
    """A whole number from 0; None for all else. Azure says -1 when it does not know."""
    if text is None or not text.isdigit() or len(text) > 12:
        return None
    return min(int(text), _MOST_COUNT)


def _moment(text: bytes | None) -> tuple[float, float]:
    """(seconds from now, wall clock), the one that was not said as -1.0."""
    text = text.strip() if text else b""
    if not text:
        return -1.0, -1.0
    if _NUMBER.fullmatch(text):
        seconds = float(text)
        # Some servers send the moment itself, in seconds or milliseconds since 1970.
        if seconds > 1e12:
            return -1.0, seconds / 1000
        if seconds > 1e9:
            return -1.0, seconds
        return min(seconds, MOST_SECONDS), -1.0
    found = _DURATION.fullmatch(text)
    if found:
        total = sum(float(part) * unit for part, unit in zip(found.groups(), _UNITS, strict=True) if part)
        return min(total, MOST_SECONDS), -1.0
    return -1.0, _date(text)


def _date(text: bytes) -> float:
    """An RFC 3339 moment as seconds since 1970; -1.0 for all else."""
    if len(text) > 40:
        return -1.0
    try:
        moment = datetime.fromisoformat(text.decode("ascii"))
        if moment.tzinfo is None:
            return -1.0
        seconds = moment.timestamp()
    except (ValueError, OverflowError):
        return -1.0
    return seconds if math.isfinite(seconds) and seconds >= 0 else -1.0
