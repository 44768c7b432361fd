"""Counters of one process, its histograms (`measures.py`), and gauges that are read when somebody looks.

Counting is a dictionary's entry by the labels' values: a quarter of a microsecond, where the usual library takes two.
Memory is bounded although callers choose some of the values: what the configuration names has a series of its own at all
times, of other values only the first `MOST_UNKNOWN` have, and the rest is counted together. Belongs to one event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import accumulate

from headgate.telemetry.measures import Distributions, Measures
from headgate.telemetry.names import (
    ATTEMPT_ERRORS,
    ATTEMPTS,
    CACHE_REQUESTS,
    CACHE_SKIPPED,
    DEGRADED,
    FALLBACKS,
    HEDGES,
    METRICS,
    MOST_UNKNOWN,
    OTHER,
    REQUESTS,
    RESUMED,
    Metric,
)

__all__ = ["MOST_UNKNOWN", "Counter", "Metrics", "Series"]

Series = Iterable[tuple[tuple[str, ...], float]]
"""(the labels' values, in the metric's order; the number)."""


class Counter:
    """One metric that only grows."""

    __slots__ = ("_known", "_open", "_unknown", "metric", "values")

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.values: dict[tuple[str, ...], int] = {}
        self._open = metric.labels.index(metric.open) if metric.open else -1
        self._known: frozenset[str] = frozenset()
        self._unknown = 0

    def add(self, labels: tuple[str, ...], many: int = 1) -> None:
        """One more, or `many`. labels: values in the metric's order."""
        try:
            self.values[labels] += many
        except KeyError:
            self._add_new(labels, many)

    def know(self, values: Collection[str], begin: Iterable[tuple[str, ...]] = ()) -> None:
        """Values of the open label that always have series of their own. begin: series that are shown from now on, at 0,
        so that the first event is seen as a rise."""
        self._known |= frozenset(values)
        for labels in begin:
            self.values.setdefault(labels, 0)

    def _add_new(self, labels: tuple[str, ...], many: int) -> None:
        at = self._open
        if at >= 0 and labels[at] not in self._known:
            if self._unknown >= MOST_UNKNOWN:
                labels = (*labels[:at], OTHER, *labels[at + 1 :])
            else:
                self._unknown += 1
        self.values[labels] = self.values.get(labels, 0) + many


class Metrics:
    """All of a gateway's. Rooms count; whoever puts the gateway together says how the rest is read."""

    def __init__(self) -> None:
        self.requests = Counter(REQUESTS)
        self.degraded = Counter(DEGRADED)
        self.attempts = Counter(ATTEMPTS)
        self.hedges = Counter(HEDGES)
        self.resumed = Counter(RESUMED)
        self.fallbacks = Counter(FALLBACKS)
        self.attempt_errors = Counter(ATTEMPT_ERRORS)
        self.cache_requests = Counter(CACHE_REQUESTS)
        self.cache_skipped = Counter(CACHE_SKIPPED)
        self.measures = Measures()
        self.before_reading: Callable[[], None] = _nothing
        """Called whenever somebody looks: what is counted late is counted then."""
        self._by_feature = (
            self.requests,
            self.degraded,
            self.hedges,
            self.resumed,
            self.fallbacks,
            self.cache_requests,
        )
        self._by_model = (self.attempts, self.attempt_errors)
        self._reads: dict[str, Callable[[], Series]] = {
            each.metric.name: each.values.items
            for each in (*self._by_feature, *self._by_model, self.cache_skipped)
        }

    def read(self, metric: Metric, series: Callable[[], Series]) -> None:
        """When somebody looks, ask `series`."""
        self._reads[metric.name] = series

    def know(
        self,
        features: Collection[str],
        models: Collection[str],
        rungs: Mapping[str, Iterable[str]],
        routed: Collection[str] = (),
    ) -> None:
        """What the configuration names. models: as providers name them. rungs: by feature, as answers are marked with them.
        routed: models as routes name them. What it named before stays: a counter does not go away."""
        # What was asked before is counted by the names of then.
        self.before_reading()
        for each in self._by_feature:
            each.know(features)
        for each in self._by_model:
            each.know(models)
        self.measures.features.know(features)
        self.measures.models.know(routed)
        self.requests.know((), [(name, "ok") for name in features])
        self.degraded.know((), [(name, rung) for name, marks in rungs.items() for rung in marks])

    def series(self) -> Iterable[tuple[Metric, Series]]:
        """All of them but histograms, read now, in the order in which they are shown."""
        self.before_reading()
        sums = self.measures.sums()
        for metric in METRICS:
            read = self._reads.get(metric.name)
            if read is not None:
                yield metric, read()
            elif metric.name in sums:
                yield metric, sums[metric.name].items()

    def histograms(self) -> Iterable[tuple[Metric, Distributions]]:
        """All of them, read now, in the order in which they are shown."""
        self.before_reading()
        found = self.measures.distributions()
        for metric in METRICS:
            if metric.name in found:
                yield metric, found[metric.name]

    def text(self) -> bytes:
        """All of them in Prometheus' text format 0.0.4."""
        lines: list[str] = []
        for metric, series in self.series():
            lines += _head(metric)
            lines += [f"{metric.name}{_braced(metric.labels, values)} {number}" for values, number in series]
        for metric, distributions in self.histograms():
            lines += _head(metric)
            ends = [f'"{bound}"}} ' for bound in (*metric.bounds, "+Inf")]
            for values, counts, total in distributions:
                lines += _buckets(metric, values, ends, counts, total)
        return "\n".join([*lines, ""]).encode("utf-8", "replace")


def _nothing() -> None:
    """Nobody counts late."""


def _head(metric: Metric) -> tuple[str, str]:
    return f"# HELP {metric.name} {_escaped(metric.help)}", f"# TYPE {metric.name} {metric.kind}"


def _buckets(
    metric: Metric, values: tuple[str, ...], ends: list[str], counts: list[int], total: float
) -> list[str]:
    """As Prometheus wants them: each bucket with all that lies below it."""
    labels = _braced(metric.labels, values)
    begin = f"{metric.name}_bucket{labels[:-1]},le="
    below = list(accumulate(counts))
    lines = [f"{begin}{end}{seen}" for end, seen in zip(ends, below, strict=True)]
    lines += (f"{metric.name}_sum{labels} {total}", f"{metric.name}_count{labels} {below[-1]}")
    return lines


def _braced(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    if not names:
        return ""
    pairs = (f'{name}="{_quoted(value)}"' for name, value in zip(names, values, strict=True))
    return f"{{{','.join(pairs)}}}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', '\\"')
