"""How fast a budget of errors goes. Pure.

A promise that 99.9 % are good allows one of a thousand to be bad: that is its budget, for the contract's window. Burning at rate 1
spends it exactly in that time. One window alone cries either too late or too often, so a burn counts when a long window and a
short one both show it: the long one that it matters, the short one that it still goes on. The windows and rates are those of
Google's "The Site Reliability Workbook", chapter 5 (Alerting on SLOs), for a contract of 30 days; rates follow the contract's
window, because what they mean is a part of the budget: 2 % in an hour, 5 % in six, 10 % in three days.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["LEAST_BAD", "LEAST_SHORT", "PACES", "SPANS", "Counted", "Pace", "burn_rate", "burning", "rate_of"]

MINUTE, HOUR, DAY = 60, 3600, 86_400
LEAST_SHORT = 10
"""Of fewer requests the short window shows nothing."""
LEAST_BAD = 3
"""Fewer that were bad in the long window are chance: of sixty requests in an hour one is 17 times what 99.9 % allow."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Requests, streams, answers or scores, and how many of them kept the promise."""

    total: float = 0
    good: float = 0

    @property
    def bad(self) -> float:
        """Those that did not."""
        return self.total - self.good


@dataclass(frozen=True, slots=True)
class Pace:
    """A speed at which somebody should look: both windows show it."""

    name: Literal["fast", "middle", "slow"]
    long: int
    short: int
    """Windows, in seconds."""
    part: float
    """The part of the budget that the long window has spent at that rate."""


PACES = (
    Pace("fast", HOUR, 5 * MINUTE, 0.02),
    Pace("middle", 6 * HOUR, 30 * MINUTE, 0.05),
    Pace("slow", 3 * DAY, 6 * HOUR, 0.10),
)
SPANS: Sequence[int] = tuple(sorted({each for pace in PACES for each in (pace.long, pace.short)}))
"""All windows that are looked at, the shortest first."""


def burn_rate(counted: Counted, allowed: float) -> float | None:
    """How many times as fast as the budget allows; None without requests or without a budget."""
    return counted.bad / counted.total / allowed if counted.total and allowed else None


def rate_of(pace: Pace, window: float, allowed: float) -> float:
    """The rate that counts at this pace: `part` of the budget of `window` seconds in the long window.

    A promise about half of all cannot burn at more than twice its rate: there it is the middle between 1 and everything bad."""
    rate = pace.part * window / pace.long
    return max(min(rate, (1 + 1 / allowed) / 2), 1.0)


def burning(
    spans: Mapping[int, Counted], allowed: float, window: float, *, relief: float = 1.0
) -> Pace | None:
    """The fastest pace at which it burns now; None: none. spans: what was counted in the last so many seconds.

    relief: what was burning goes on until it is below this part of the rate."""
    for pace in PACES:
        if pace.long >= window:
            continue
        rate = relief * rate_of(pace, window, allowed)
        long, short = spans.get(pace.long, Counted()), spans.get(pace.short, Counted())
        rates = burn_rate(long, allowed), burn_rate(short, allowed)
        enough = short.total >= LEAST_SHORT and long.bad > LEAST_BAD - 0.5
        if enough and all(each is not None and each >= rate for each in rates):
            return pace
    return None
