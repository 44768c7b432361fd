"""Where the time of a request went: one bar after the other, reckoned from its rows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import msgspec

from headgate.stores.spans import GIVEN, AttemptRow, Outcome, RequestRow

__all__ = ["KINDS", "Bar", "Kind", "Lane", "Waterfall", "waterfall"]

Kind = Literal["queue", "own", "pause", "memory", "joined", "connect", "send", "wait", "begin", "stream"]

KINDS: dict[Kind, str] = {
    "queue": "waited for room in a limit",
    "own": "our own work: who asks, limits, route, encoding",
    "pause": "between two attempts",
    "memory": "the answer was there already, and was looked for",
    "joined": "waited for the call of another request that asked the same",
    "connect": "connecting to the provider",
    "send": "sending the request",
    "wait": "the provider was silent",
    "begin": "from the first byte to the first content",
    "stream": "content came",
}


class Bar(msgspec.Struct, frozen=True):
    """A stretch of time; microseconds since the request came."""

    kind: Kind
    start_us: int
    end_us: int

    @property
    def us(self) -> int:
        """How long it is."""
        return self.end_us - self.start_us


class Lane(msgspec.Struct, frozen=True):
    """The request itself (`number` 0), memory (0, too) or one of its attempts. Its bars follow each other and do not overlap."""

    number: int
    name: str
    outcome: Outcome
    bars: Sequence[Bar]

    @property
    def start_us(self) -> int:
        """Where its first bar begins."""
        return self.bars[0].start_us if self.bars else 0

    @property
    def end_us(self) -> int:
        """Where its last bar ends."""
        return self.bars[-1].end_us if self.bars else 0


class Waterfall(msgspec.Struct, frozen=True):
    """All of it. The first lane holds what was nobody else's time; attempts that ran side by side overlap one another."""

    total_us: int
    lanes: Sequence[Lane]


def waterfall(request: RequestRow, attempts: Sequence[AttemptRow]) -> Waterfall:
    """From rows as they are stored. What did not happen has no bar; of a stretch of no length there is none either."""
    total = max([request.total_us, *(one.ended_us for one in attempts)])
    lanes = [Lane(one.number, _name(one), one.outcome, tuple(_bars(one))) for one in attempts]
    if request.cache in GIVEN and not attempts:
        lanes.append(Lane(0, _MEMORY[request.cache], request.outcome, tuple(_given(request))))
    own = Lane(0, "request", request.outcome, tuple(_between(request, lanes, total)))
    return Waterfall(total, (own, *lanes))


_MEMORY = {
    "exact": "memory",
    "semantic": "memory, other words",
    "stale": "memory, stale",
    "joined": "another one's call",
}


def _given(request: RequestRow) -> Iterator[Bar]:
    """An answer that no attempt has made."""
    begun = min(max(request.first_content_us or request.total_us, request.queued_us), request.total_us)
    if begun > request.queued_us:
        yield Bar("joined" if request.cache == "joined" else "memory", request.queued_us, begun)
    if request.total_us > begun:
        yield Bar("stream", begun, request.total_us)


def _name(attempt: AttemptRow) -> str:
    return " ".join(part for part in (attempt.kind, f"{attempt.provider}/{attempt.model}") if part)


def _bars(attempt: AttemptRow) -> Iterator[Bar]:
    """An attempt, phase by phase. A connection that was open already took no time."""
    at = attempt.started_us
    end = max(attempt.ended_us, at)
    phases: list[tuple[Kind, int]] = [
        ("connect", attempt.connected_us),
        ("send", attempt.sent_us),
        ("wait", attempt.first_byte_us),
        ("begin", attempt.first_content_us),
        ("stream", end),
    ]
    happened = [(kind, moment) for kind, moment in phases[:-1] if moment]
    # What it was in when it ended, is the phase after the last that was over.
    last = happened[-1][0] if happened else None
    after: dict[Kind | None, Kind] = {
        None: "connect",
        "connect": "send",
        "send": "wait",
        "wait": "begin",
        "begin": "stream",
    }
    for kind, moment in [*happened, (after[last], end)]:
        upto = min(max(moment, at), end)
        if upto > at:
            yield Bar(kind, at, upto)
            at = upto


def _between(request: RequestRow, lanes: Iterable[Lane], total: int) -> Iterator[Bar]:
    """What no attempt covers: the queue and our own work before the first, pauses between, our own work at the end."""
    taken = sorted((lane.start_us, lane.end_us) for lane in lanes if lane.bars)
    first = taken[0][0] if taken else total
    queued = min(request.queued_us, first)
    if queued:
        yield Bar("queue", 0, queued)
    if first > queued:
        yield Bar("own", queued, first)
    at = first
    for start, end in taken:
        if start > at:
            yield Bar("pause", at, start)
        at = max(at, end)
    if total > at:
        yield Bar("own", at, total)
