"""Requests added up, from which every metric is worked out; what was added can be taken away again, for windows that slide."""

from __future__ import annotations

from collections import Counter
from math import ceil

from headgate.core.sketch import Sketch, value_of
from headgate.stores.rollups import Rolled

__all__ = ["Tally"]

_ANSWERABLE = frozenset({"ok", "failed", "cut_off"})
"""Neither the caller's mistakes nor callers who left: both say nothing of the feature."""
_OF_ALL = frozenset({"overhead_us", "queued_us"})
"""Sketches that say something of requests without an answer too."""


class Tally:
    """Sums over stretches of time and groups. Times and costs are those of requests that were answered."""

    __slots__ = ("outcomes", "sketches", "sums")

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.sums: Counter[str] = Counter()
        self.sketches: dict[str, Counter[int]] = {}

    @classmethod
    def of_requests(cls, outcome: str, row: Rolled) -> Tally:
        """Requests that ended so."""
        found = cls()
        found.outcomes[outcome] = row.requests
        found.sums["failovers"], found.sums["refusals"] = row.failovers, row.refusals
        found.sums["cost_nanos"] = row.cost_nanos
        if outcome in _ANSWERABLE:
            found.sums["answerable_nanos"] = row.cost_nanos
        if outcome == "ok":
            found.sums["degraded"], found.sums["cached"] = row.degraded, row.cached
            found.sums["cacheable"] = row.cacheable
        else:
            found.sums["declined"] = row.refusals
        for name, sketch in row.sketches.items():
            if outcome == "ok" or name in _OF_ALL:
                found.sketches[name] = Counter(sketch.counts)
        return found

    @classmethod
    def of_errors(cls, errors: int) -> Tally:
        """Requests that ended with the error that is watched."""
        found = cls()
        found.sums["errors"] = errors
        return found

    @classmethod
    def of_scores(cls, total: float, scores: int, squares: float = 0.0) -> Tally:
        """Scores: their sum, how many, and the sum of their squares."""
        found = cls()
        # A Counter of whole numbers to the type checker; it adds whatever can be added.
        found.sums["score"], found.sums["squares"] = total, squares  # type: ignore[assignment]
        found.sums["scores"] = scores
        return found

    def add(self, other: Tally, sign: int = 1) -> Tally:
        """This one more; sign -1: less. Itself."""
        for mine, theirs in ((self.outcomes, other.outcomes), (self.sums, other.sums)):
            for name, count in theirs.items():
                mine[name] += sign * count
        for name, buckets in other.sketches.items():
            own = self.sketches.setdefault(name, Counter())
            for bucket, count in buckets.items():
                own[bucket] += sign * count
        return self

    def count(self, *outcomes: str) -> int:
        """Requests that ended so; without outcomes: all."""
        return sum(self.outcomes[each] for each in outcomes or tuple(self.outcomes))

    def above(self, name: str, number: float) -> tuple[float, int]:
        """Which part of a sketch's numbers is above this one; and of how many."""
        sketch = Sketch(self.sketches.get(name, {}))
        return (sketch.above(number) / sketch.count if sketch.count else 0.0), sketch.count

    def quantile(self, name: str, share: float) -> tuple[float | None, int]:
        """See `Sketch.quantile`; and of how many."""
        counts = self.sketches.get(name, Counter[int]())
        total = sum(counts.values())
        rank, seen = max(ceil(share * total), 1), 0
        for bucket in sorted(counts) if total else ():
            seen += counts[bucket]
            if seen >= rank:
                return value_of(bucket), total
        return None, 0
