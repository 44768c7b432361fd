"""What has been taken of limits: how much is left, and when there will be more."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Protocol, runtime_checkable

import msgspec

__all__ = ["Gauge", "ImmediateMeters", "Meters", "Mirror", "Reading", "Want", "refused"]


class Gauge(msgspec.Struct, frozen=True, gc=False):
    """One thing that a limit counts, the same for everybody it is counted for. Two of a name are the same count."""

    name: str
    most: float
    """Units that may be taken at once, at most: what there is after a long rest."""
    interval: float
    """Seconds in which one unit comes back by itself. 0.0: none does; what was taken is held until it is given back."""


Want = tuple[Gauge, str, int]
"""Gauge, whom it is counted for (any text), units. Of what is held until given back one unit at a time."""


class Reading(msgspec.Struct, frozen=True, gc=False):
    """What came of asking for some units; each list has one entry for each want, in order."""

    ok: bool
    """All were taken. False: none was."""
    left: list[float]
    """Units left now."""
    waits: list[float]
    """Seconds until there is room for each, if nobody else takes it: 0.0 where there is, infinity where nobody can tell.
    Empty if all were taken."""


def refused(wants: Sequence[Want], left: list[float]) -> Reading:
    """The reading when there was not room for all."""
    return Reading(False, left, [_wait(want, room) for want, room in zip(wants, left, strict=True)])


def _wait(want: Want, room: float) -> float:
    gauge, _, units = want
    lacking = units - room
    if lacking <= 0:
        return 0.0
    return lacking * gauge.interval if gauge.interval and units <= gauge.most else inf


class Meters(Protocol):
    """Counts that many requests, and with a shared store many nodes, take from at the same time.

    What comes back by itself is counted as one moment, the one at which all will be back (GCRA): in any stretch of T seconds
    at most `most + T / interval` units are taken."""

    async def take(self, wants: Sequence[Want], holder: int) -> Reading:
        """Check all, then take all or none, in one step. holder: the request, for what it holds; ids are unique.

        Raises StoreUnavailable: then nothing counts as taken. May be cancelled; then nothing is taken either."""
        ...

    def settle(self, changes: Sequence[Want], holder: int) -> None:
        """Correct what was taken: so many units more, or fewer if negative (never by more than were taken); -1 gives back
        what is held. Nothing is refused: who used more than they asked for leaves a debt. Never waits, never raises."""
        ...

    async def aclose(self) -> None:
        """Let go of connections. Idempotent."""
        ...


@runtime_checkable
class ImmediateMeters(Protocol):
    """Meters that need not be waited for."""

    def take_now(self, wants: Sequence[Want]) -> Reading:
        """As `Meters.take`."""
        ...


class Mirror(Meters, Protocol):
    """Meters in this process that can be told what a shared store has counted, to go on from there without it."""

    def know(self, wants: Sequence[Want], left: Sequence[float]) -> None:
        """These were taken elsewhere, where so much is left."""
        ...
