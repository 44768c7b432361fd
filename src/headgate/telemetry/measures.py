"""How long requests took and what they used, by feature, model and outcome: histograms and sums of one process.

A request costs one look into a dictionary and a few bisections of lists, less than 1 µs; everything else is done when somebody
looks. Memory is bounded although callers choose some of the names: see `Names` and `MOST_SERIES`. Sums are whole numbers,
so that nothing is lost in a year. Belongs to one event loop.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final, Literal

from headgate.telemetry.names import (
    CACHE_LOOKUP,
    CACHE_SAVED_SECONDS,
    CACHE_SAVED_USD,
    COST,
    ERRORS,
    FIRST_TOKEN,
    MOST_UNKNOWN,
    OTHER,
    OVERHEAD,
    QUEUED,
    SPEED,
    TOKENS,
    TOOK,
    UNPRICED,
    Metric,
)

__all__ = ["MOST_SERIES", "Distribution", "Distributions", "Measured", "Measures", "Names", "Spent"]

MOST_SERIES: Final = 2_000
"""Combinations of feature, model and outcome that have series of their own."""

_MICROS: Final = 1e6
_NANOS: Final = 1e9

Distribution = tuple[tuple[str, ...], list[int], float]
"""(the labels' values; how many lie in each bucket, the last one without a bound; the sum of all)."""
Distributions = Iterable[Distribution]


def _in_micros(metric: Metric) -> list[float]:
    return [float(round(bound * _MICROS)) for bound in metric.bounds]


_TOOK: Final = _in_micros(TOOK)
_FIRST: Final = _in_micros(FIRST_TOKEN)
_OVERHEAD: Final = _in_micros(OVERHEAD)
_QUEUED: Final = _in_micros(QUEUED)
_SPEED: Final = [float(bound) for bound in SPEED.bounds]
_LOOKUP: Final = [float(bound) for bound in CACHE_LOOKUP.bounds]


def _bucket(bounds: list[float], number: float) -> int:
    """The first bucket whose bound is not below `number`. As `bisect_left`, which compares objects: compiled, this is quicker."""
    low, high = 0, len(bounds)
    while low < high:
        middle = (low + high) >> 1
        if bounds[middle] < number:
            low = middle + 1
        else:
            high = middle
    return low


class Names:
    """Values of one label: those of the configuration, the first `MOST_UNKNOWN` others, and `other` for the rest."""

    __slots__ = ("_known", "_unknown")

    def __init__(self) -> None:
        self._known: set[str] = {""}
        self._unknown: set[str] = set()

    def know(self, values: Collection[str]) -> None:
        """These always stand for themselves."""
        self._known.update(values)

    def __call__(self, value: str) -> str:
        if value in self._known or value in self._unknown:
            return value
        if len(self._unknown) >= MOST_UNKNOWN:
            return OTHER
        self._unknown.add(value)
        return value


class Measured:
    """Requests of one feature, model and outcome. Sums of times are microseconds."""

    __slots__ = (
        "first",
        "first_sum",
        "overhead",
        "overhead_sum",
        "queued",
        "queued_sum",
        "speed",
        "speed_sum",
        "took",
        "took_sum",
    )

    def __init__(self) -> None:
        self.took = [0] * (len(_TOOK) + 1)
        self.first = [0] * (len(_FIRST) + 1)
        self.speed = [0] * (len(_SPEED) + 1)
        self.overhead = [0] * (len(_OVERHEAD) + 1)
        self.queued = [0] * (len(_QUEUED) + 1)
        self.took_sum = self.first_sum = self.overhead_sum = self.queued_sum = 0
        self.speed_sum = 0.0

    def add(
        self, total_us: int, overhead_us: int, queued_us: int, first_us: int, tokens: int, waited_us: int
    ) -> None:
        """One request more. first_us: when a stream's first content came; 0: of no interest. tokens: of the answer, which came
        within `waited_us`."""
        self.took[_bucket(_TOOK, total_us)] += 1
        self.took_sum += total_us
        self.overhead[_bucket(_OVERHEAD, overhead_us)] += 1
        self.overhead_sum += overhead_us
        if queued_us:
            self.queued[_bucket(_QUEUED, queued_us)] += 1
            self.queued_sum += queued_us
        else:
            self.queued[0] += 1
        if first_us:
            self.first[_bucket(_FIRST, first_us)] += 1
            self.first_sum += first_us
        if tokens and waited_us > 0:
            speed = tokens * _MICROS / waited_us
            self.speed[_bucket(_SPEED, speed)] += 1
            self.speed_sum += speed


class Spent:
    """What calls of one feature and model to one provider have used, and cost with one certainty."""

    __slots__ = ("cache_read", "cache_write", "calls", "input", "nanos", "output", "reasoning")

    def __init__(self) -> None:
        self.calls = self.nanos = 0
        self.input = self.cache_read = self.cache_write = self.output = self.reasoning = 0


class Measures:
    """All of a gateway's."""

    def __init__(self) -> None:
        self.features = Names()
        self.models = Names()
        self.requests: dict[tuple[str, str, str], Measured] = {}
        """By feature, model and outcome."""
        self.spent: dict[tuple[str, str, str, str], Spent] = {}
        """By feature, model, provider and how certain the cost is."""
        self.errors: dict[tuple[str, str, str], int] = {}
        """By feature, model and group of errors."""
        self.saved: dict[str, tuple[int, int]] = {}
        """Nano-dollars and microseconds, by feature."""
        self.lookups: dict[str, tuple[list[int], float]] = {}
        """Of memory, by kind: counts by bucket, and the sum."""

    def measured(self, key: tuple[str, str, str]) -> Measured:
        """The one of a combination that has none under just this key; see `requests`."""
        feature, model, outcome = key
        place = (self.features(feature), self.models(model), outcome)
        if place not in self.requests and len(self.requests) >= MOST_SERIES:
            place = (OTHER, OTHER, outcome)
        return self.requests.setdefault(place, Measured())

    def spent_by(self, key: tuple[str, str, str, str]) -> Spent:
        """As `measured`. The provider and the certainty are never callers' words."""
        feature, model, provider, label = key
        place = (self.features(feature), self.models(model), provider, label)
        if place not in self.spent and len(self.spent) >= MOST_SERIES:
            place = (OTHER, OTHER, provider, label)
        return self.spent.setdefault(place, Spent())

    def add_error(self, feature: str, model: str, group: str) -> None:
        """A request ended so."""
        place = (self.features(feature), self.models(model), group)
        if place not in self.errors and len(self.errors) >= MOST_SERIES:
            place = (OTHER, OTHER, group)
        self.errors[place] = self.errors.get(place, 0) + 1

    def add_saved(self, feature: str, nanos: int, microseconds: int) -> None:
        """An answer was given again."""
        place = self.features(feature)
        before = self.saved.get(place, (0, 0))
        self.saved[place] = (before[0] + nanos, before[1] + microseconds)

    def looked_up(self, kind: Literal["exact", "semantic"], seconds: float) -> None:
        """Memory was asked, whatever it said."""
        counts, total = self.lookups.get(kind) or ([0] * (len(_LOOKUP) + 1), 0.0)
        counts[_bucket(_LOOKUP, seconds)] += 1
        self.lookups[kind] = (counts, total + seconds)

    def distributions(self) -> Mapping[str, Distributions]:
        """By the metric's name; only series that have anything in them."""
        overhead: dict[tuple[str, ...], tuple[list[int], int]] = {}
        queued: dict[tuple[str, ...], tuple[list[int], int]] = {}
        for (feature, _, outcome), each in self.requests.items():
            _add(overhead, (feature, outcome), each.overhead, each.overhead_sum)
            _add(queued, (feature, outcome), each.queued, each.queued_sum)
        all_of = self.requests.items()
        return {
            TOOK.name: [(key, one.took, one.took_sum / _MICROS) for key, one in all_of],
            FIRST_TOKEN.name: [
                (key, one.first, one.first_sum / _MICROS) for key, one in all_of if any(one.first)
            ],
            SPEED.name: [(key, one.speed, one.speed_sum) for key, one in all_of if any(one.speed)],
            OVERHEAD.name: [(key, counts, total / _MICROS) for key, (counts, total) in overhead.items()],
            QUEUED.name: [(key, counts, total / _MICROS) for key, (counts, total) in queued.items()],
            CACHE_LOOKUP.name: [((kind,), counts, total) for kind, (counts, total) in self.lookups.items()],
        }

    def sums(self) -> Mapping[str, Mapping[tuple[str, ...], float]]:
        """Tokens, cost, calls that nobody has a price for, and errors, by the metric's name."""
        tokens: dict[tuple[str, ...], float] = {}
        cost: dict[tuple[str, ...], float] = {}
        unpriced: dict[tuple[str, ...], float] = {}
        for (feature, model, provider, label), one in self.spent.items():
            for kind in ("input", "cache_read", "cache_write", "output", "reasoning"):
                key = (feature, model, kind)
                tokens[key] = tokens.get(key, 0) + getattr(one, kind)
            if label == "unknown":
                unpriced[feature, model] = unpriced.get((feature, model), 0) + one.calls
            else:
                cost[feature, model, provider, label] = one.nanos / _NANOS
        errors: dict[tuple[str, ...], float] = {}
        errors.update(self.errors.items())
        return {
            TOKENS.name: tokens,
            COST.name: cost,
            UNPRICED.name: unpriced,
            ERRORS.name: errors,
            CACHE_SAVED_USD.name: {(name,): nanos / _NANOS for name, (nanos, _) in self.saved.items()},
            CACHE_SAVED_SECONDS.name: {(name,): us / _MICROS for name, (_, us) in self.saved.items()},
        }


def _add(
    into: dict[tuple[str, ...], tuple[list[int], int]], key: tuple[str, ...], counts: list[int], total: int
) -> None:
    before = into.get(key)
    if before is None:
        into[key] = (counts, total)
    else:
        into[key] = ([one + other for one, other in zip(before[0], counts, strict=True)], before[1] + total)
