"""Requests added up, from which every metric is worked out; what was added can be taken away again, for windows that slide."""

from __future__ import annotations

from collections import Counter
from math import ceil

from headgate.core.sketch import value_of
from headgate.stores.rollups import Rolled

__all__ = ["Tally"]

_SUMS = ("failovers", "degraded", "cached", "refusals", "cost_nanos")
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
        for name in _SUMS:
            found.sums[name] = getattr(row, name)
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
    def of_scores(cls, total: float, scores: int) -> Tally:
        """Scores: their sum, and how many."""
        found = cls()
        # A Counter of whole numbers to the type checker; it adds whatever can be added.
        found.sums["score"] = total  # type: ignore[assignment]
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
