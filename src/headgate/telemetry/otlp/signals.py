"""Spans and metrics as they are before anybody writes them down in a format."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from headgate.telemetry.otlp.names import OVERFLOW

__all__ = ["Attributes", "Histogram", "Kind", "MetricPoints", "Point", "Span", "Value"]

Value = str | bool | int | float | list[str]
Attributes = Sequence[tuple[str, Value]]
Kind = Literal["internal", "server", "client"]


@dataclass(slots=True)
class Span:
    """One span that is over."""

    trace_id: bytes
    """16 bytes."""
    span_id: bytes
    """8 bytes."""
    parent_id: bytes
    """8 bytes, or none."""
    name: str
    kind: Kind
    start_ns: int
    end_ns: int
    attributes: Attributes
    error: str | None = None
    """Why it failed, in words that anybody may read; None: it did not."""


@dataclass(slots=True)
class Point:
    """One number of one series."""

    attributes: Attributes
    value: int | float


@dataclass(slots=True)
class MetricPoints:
    """One metric with all its series. Counters and histograms are counted from `start_ns` on."""

    name: str
    unit: str
    help: str
    kind: Literal["counter", "gauge", "histogram"]
    start_ns: int
    points: Iterable[Point] = ()
    histogram: Histogram | None = None


@dataclass(slots=True)
class _Series:
    counts: list[int]
    total: float = 0.0
    least: float = float("inf")
    most: float = 0.0


class Histogram:
    """Counts values into buckets, by series. Memory is bounded: what comes after the first `most` series is counted in one."""

    def __init__(self, bounds: Sequence[float], *, most: int = 1000) -> None:
        self.bounds = tuple(bounds)
        self.series: dict[tuple[tuple[str, Value], ...], _Series] = {}
        self._most = most

    def add(self, value: float, attributes: tuple[tuple[str, Value], ...]) -> None:
        """One more value. attributes: always in the same order."""
        series = self.series.get(attributes)
        if series is None:
            if len(self.series) >= self._most:
                attributes = ((OVERFLOW, True),)
            series = self.series.setdefault(attributes, _Series([0] * (len(self.bounds) + 1)))
        # A value on a bound belongs to the bucket that ends there.
        series.counts[bisect_left(self.bounds, value)] += 1
        series.total += value
        series.least = min(series.least, value)
        series.most = max(series.most, value)

    def put(self, attributes: tuple[tuple[str, Value], ...], counts: list[int], total: float) -> None:
        """A series as somebody else has counted it; nobody knows its least and its most."""
        self.series[attributes] = _Series(counts, total)
