"""Numbers of a feature that may drift, besides its scores: how each is read from rollups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from headgate.stores.rollups import Rolled

__all__ = ["METRICS", "Metric"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A number of a feature that may drift."""

    name: str
    title: str
    unit: str
    positive: bool
    """Above 0, and changes by factors."""
    least_share: float
    """Smaller changes are not worth a word."""
    sketches: tuple[str, ...]
    answered: bool
    """Of answered requests only."""
    read: Callable[[Rolled], tuple[float, int] | None]
    """(value, of how many); None: there is none."""


def _quantile(name: str, share: float, factor: float) -> Callable[[Rolled], tuple[float, int] | None]:
    def read(one: Rolled) -> tuple[float, int] | None:
        sketch = one.sketches.get(name)
        value = sketch.quantile(share) if sketch is not None else None
        return None if value is None or sketch is None else (value * factor, sketch.count)

    return read


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        each.name: each
        for each in (
            Metric(
                "refusals",
                "Share of answers that are refusals",
                "share",
                False,
                0.2,
                (),
                False,
                lambda one: (one.refusals / one.requests, one.requests) if one.requests else None,
            ),
            Metric(
                "length",
                "Length of an answer (tokens)",
                "",
                True,
                0.1,
                (),
                True,
                lambda one: (one.output_tokens / one.requests, one.requests) if one.requests else None,
            ),
            Metric(
                "latency",
                "Latency, median",
                "s",
                True,
                0.1,
                ("total_us",),
                True,
                _quantile("total_us", 0.5, 1e-6),
            ),
            Metric(
                "first_token",
                "First token, median",
                "s",
                True,
                0.1,
                ("first_content_us",),
                True,
                _quantile("first_content_us", 0.5, 1e-6),
            ),
            Metric(
                "cost",
                "Cost of a request",
                "usd",
                True,
                0.1,
                (),
                True,
                lambda one: (
                    (one.cost_nanos / (one.requests - one.unpriced) / 1e9, one.requests - one.unpriced)
                    if one.requests > one.unpriced
                    else None
                ),
            ),
        )
    }
)
"""Numbers of a feature besides its scores."""
