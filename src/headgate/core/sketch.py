"""How numbers are spread, in little room: counts of logarithmic buckets. Sketches of two minutes added up are the sketch of both.

Eight buckets for each doubling: a quantile is off by at most 4.5 % of its value. Numbers are whole and at least 0; what unit they
are in is the user's affair.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import ceil, log2
from typing import Final

__all__ = ["Sketch", "bucket_of", "counts_of", "value_of"]

_PER_DOUBLING: Final = 8
_HALF = 2 ** (0.5 / _PER_DOUBLING)


def bucket_of(number: float) -> int:
    """The bucket of a number: -1 for less than 1."""
    return int(log2(number) * _PER_DOUBLING) if number >= 1 else -1


def value_of(bucket: int) -> float:
    """The number that stands for a bucket: the middle between its ends, on the logarithmic scale."""
    return 2 ** (bucket / _PER_DOUBLING) * _HALF if bucket >= 0 else 0.0


def counts_of(numbers: list[int]) -> dict[int, int]:
    """How many of them are in each bucket."""
    counts: dict[int, int] = {}
    for number in numbers:
        bucket = int(log2(number) * _PER_DOUBLING) if number >= 1 else -1
        counts[bucket] = counts.get(bucket, 0) + 1
    return counts


class Sketch:
    """Counts by bucket."""

    __slots__ = ("counts",)

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self.counts: dict[int, int] = dict(counts or {})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sketch) and self.counts == other.counts

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Sketch({self.counts!r})"

    @property
    def count(self) -> int:
        """How many numbers were added."""
        return sum(self.counts.values())

    def add(self, number: float) -> None:
        """One number more."""
        bucket = int(log2(number) * _PER_DOUBLING) if number >= 1 else -1
        self.counts[bucket] = self.counts.get(bucket, 0) + 1

    def merge(self, others: Iterable[Sketch]) -> Sketch:
        """These added to it; it is returned."""
        counts = self.counts
        for other in others:
            for bucket, count in other.counts.items():
                counts[bucket] = counts.get(bucket, 0) + count
        return self

    def quantile(self, share: float) -> float | None:
        """The number that this share (0 to 1) of all is not above, within 4.5 %; None without numbers."""
        total = self.count
        if not total:
            return None
        rank = max(ceil(share * total), 1)
        seen = 0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen >= rank:
                return value_of(bucket)
        raise AssertionError("counts add up to the total")

    def above(self, number: float) -> int:
        """How many are above this number; of its own bucket the part that lies above it, as if they were spread evenly there."""
        own = bucket_of(number)
        found = sum(count for bucket, count in self.counts.items() if bucket > own)
        inside = self.counts.get(own, 0)
        if inside and own >= 0:
            low, high = 2 ** (own / _PER_DOUBLING), 2 ** ((own + 1) / _PER_DOUBLING)
            found += round(inside * (high - number) / (high - low))
        return found
