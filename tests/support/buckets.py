"""What callers can prove of a limit that fills up evenly, from when they asked and what they were told.

Nobody outside sees when a request was counted, only that it was between question and answer. So what is said here holds
wherever in between that was: on a machine that stands still for a second, too."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Asked", "Bucket"]

_ROOM = 1.5
"""Room beyond which a refusal was without need: one request, and what clocks may differ by."""


class Asked(NamedTuple):
    """A request: when it was asked and answered, in seconds, and with which status."""

    asked: float
    answered: float
    status: int


class Bucket(NamedTuple):
    """So many requests at once, and `rate` more each second."""

    burst: float
    rate: float

    def excess(self, requests: Sequence[Asked], *, tolerance: float = 0.0) -> float:
        """By how many too many passed in the worst stretch of time. Negative: fewer than may.

        tolerance: the part of what may pass that may pass besides."""
        passed = sorted(one for one in requests if one.status == 200)
        worst = -self.burst
        for at, first in enumerate(passed):
            # All of these were counted after the first was asked, the first `count` of them before `answered`.
            for count, answered in enumerate(sorted(one.answered for one in passed[at:]), 1):
                may = self.burst + self.rate * (answered - first.asked)
                worst = max(worst, count - (1 + tolerance) * may)
        return worst

    def needless(self, requests: Sequence[Asked], *, empty_at: float | None = None) -> list[Asked]:
        """Refusals at whose time there was room, whenever in between the others were counted.

        empty_at: nothing is known of the time before this moment; otherwise it was full at the beginning.
        A request that was answered with neither 200 nor 429 may have been counted, and given back at any time or never."""
        passed = sorted(one for one in requests if one.status == 200)
        unclear = sorted(one.asked for one in requests if one.status not in (200, 429))
        return [
            one
            for one in requests
            if one.status == 429
            and all(
                self._least_room(passed, unclear, moment, empty_at) > _ROOM
                for moment in _moments(one, passed)
            )
        ]

    def _least_room(
        self, passed: list[Asked], unclear: list[float], moment: float, empty_at: float | None
    ) -> float:
        begun = passed[: bisect_left(passed, (moment, moment, 1000))]
        used = 0.0
        # Each as late as can be: then the least has come back.
        for count, answered in enumerate(sorted((one.answered for one in begun), reverse=True), 1):
            used = max(used, count - self.rate * max(moment - answered, 0.0))
        if empty_at is not None:
            used = max(used, self.burst + len(begun) - self.rate * (moment - empty_at))
        return self.burst - used - bisect_left(unclear, moment)


def _moments(refused: Asked, passed: list[Asked]) -> list[float]:
    """When there may have been least room for it: as it was asked, and as each other was that came meanwhile."""
    since, until = (bisect_left(passed, (at, at, 1000)) for at in (refused.asked, refused.answered))
    return [refused.asked, *(one.asked + 1e-9 for one in passed[since:until])]
