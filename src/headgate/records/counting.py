"""What the metrics say of a request, counted once it is over: the same that its record says."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.exchange.exchange import Exchange
from headgate.stores.spans import AttemptRow
from headgate.telemetry.metrics import Metrics

__all__ = ["count"]

_FIRST = "first"
"""The kind of an attempt that no other one led to."""


def count(metrics: Metrics, exchange: Exchange, outcome: str, attempts: Sequence[AttemptRow]) -> None:
    """One more request, and its attempts. Called for every request: nothing here may be slow."""
    for row in attempts:
        metrics.attempts.add((row.provider, row.model, row.kind or _FIRST, row.outcome))
    if exchange.purpose:
        return  # nobody asked: of a shadow copy, only what was asked of a provider counts
    # What a stranger says is no feature.
    feature = exchange.feature if exchange.caller is not None else ""
    metrics.requests.add((feature, outcome))
    if exchange.degraded:
        metrics.degraded.add((feature, exchange.degraded))
    if len(attempts) > 1:
        for row in attempts:
            if row.kind == "hedge":
                metrics.hedges.add((feature,))
    if exchange.notes and "resumed" in exchange.notes:
        metrics.resumed.add((feature,))
