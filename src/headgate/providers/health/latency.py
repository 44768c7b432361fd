"""How long an endpoint takes to its first content: as it has been lately, and how it spreads."""

from __future__ import annotations

from math import exp, inf, log

__all__ = ["Latency"]

FADE_SECONDS = 10.0
"""A peak is down to 37 % after so long."""
STALE_SECONDS = 3 * FADE_SECONDS
UNKNOWN_SECONDS = 3600.0
KEPT = 256
"""So many of the newest measurements make up the spread."""
ENOUGH = 20
"""Fewer say nothing about the spread."""
FRESH = 32
"""So many new measurements until the spread is worked out again."""
RECENT = 16
FAILURE_FACTOR = 4.0
FAILURE_LEAST = 1.0
FAILURE_MOST = 60.0


class Latency:
    """Peak-sensitive: a slow call counts at once, and is forgotten slowly; faster ones are believed slowly.

    While nothing is measured the figure fades towards 0, so that an endpoint which was slow is tried again."""

    __slots__ = ("_at", "_count", "_kept", "_sorted", "_sorted_count", "_value", "rank")

    def __init__(self) -> None:
        self._value = 0.0
        self._at = 0.0
        self.rank = -inf
        """Orders endpoints as `expected` would, at any moment: all fade alike, so what is left of each needs no moment.
        -inf: never measured."""
        self._kept: list[float] = []
        self._count = 0
        self._sorted: list[float] = []
        self._sorted_count = 0

    def observe(self, now: float, seconds: float) -> None:
        """A call took so long to its first content."""
        value = self._value
        if seconds > value:
            self._value = seconds
        else:
            kept = exp((self._at - now) / FADE_SECONDS) if now > self._at else 1.0
            self._value = value * kept + seconds * (1.0 - kept)
        self._at = now
        self._rank()
        if self._count < KEPT:
            self._kept.append(seconds)
        else:
            self._kept[self._count % KEPT] = seconds
        self._count += 1

    def failed(self, now: float) -> None:
        """Count a failure as a very slow call: an endpoint that fails fast must not win by it."""
        expected = self.expected(now)
        penalty = max(expected, min(max(FAILURE_FACTOR * expected, FAILURE_LEAST), FAILURE_MOST))
        self._value, self._at = penalty, now
        self._rank()

    def _rank(self) -> None:
        self.rank = log(self._value) + self._at / FADE_SECONDS if self._value > 0.0 else -inf

    def expected(self, now: float) -> float:
        """Seconds to the first content; 0.0: never measured."""
        if not self._value:
            return 0.0
        return self._value * exp((self._at - now) / FADE_SECONDS) if now > self._at else self._value

    def pressure(self, now: float, in_flight: int) -> float:
        """Seconds one more call has to expect beside those under way. Where nothing is known, or nothing was measured for
        so long that it says next to nothing, one call is to find out while the others go elsewhere."""
        value, passed = self._value, now - self._at
        if not value or passed > STALE_SECONDS:
            return in_flight * UNKNOWN_SECONDS
        return (value * exp(-passed / FADE_SECONDS) if passed > 0.0 else value) * (in_flight + 1)

    def quantile(self, share: float) -> float:
        """Seconds that `share` of the kept calls stayed below; 0.0: too few."""
        if self._count < ENOUGH:
            return 0.0
        if not self._sorted or self._count - self._sorted_count >= FRESH:
            self._sorted = sorted(self._kept)
            self._sorted_count = self._count
        return self._sorted[min(int(share * len(self._sorted)), len(self._sorted) - 1)]

    def recent(self) -> float:
        """The median of the newest 16 measurements; 0.0: there are fewer."""
        if self._count < RECENT:
            return 0.0
        newest = sorted(self._kept[at % KEPT] for at in range(self._count - RECENT, self._count))
        return newest[RECENT // 2]

    def forget(self) -> None:
        """What was measured holds no longer: the spread is to be measured anew."""
        self._kept, self._sorted = [], []
        self._count = self._sorted_count = 0
