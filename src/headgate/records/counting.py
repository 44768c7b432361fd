"""What the metrics say of a request, counted once it is over: the same that its record says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from headgate.core.error_groups import group_of
from headgate.exchange.exchange import Exchange
from headgate.stores.rollups import MEMORY
from headgate.stores.spans import GIVEN, AttemptRow, RequestRow
from headgate.telemetry.metrics import Metrics

__all__ = ["Counting", "Ended"]

_FIRST = "first"
"""The kind of an attempt that no other one led to."""
_UNKNOWN = "unknown"
_SHORTEST_US = 1_000
"""What came all at once has no speed."""
_TOGETHER = 64
"""Counted one after the other, a request costs a fraction of what it costs between other work."""


class Ended(NamedTuple):
    """What is counted of a request."""

    request: RequestRow
    attempts: Sequence[AttemptRow]
    costs: Sequence[int | None]
    """Of each attempt, nano-dollars; None where no price is known."""
    answering: int
    """Where the attempt stands whose answer it was, or the last one."""
    known: bool
    """Is it known who asked? What a stranger says is no feature."""
    resumed: bool


class Counting:
    """Gathers requests that are over, and counts them a little later: before anybody looks."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._waiting: list[Ended] = []
        metrics.before_reading = self.catch_up

    def add(
        self,
        exchange: Exchange,
        request: RequestRow,
        attempts: Sequence[AttemptRow],
        costs: Sequence[int | None],
    ) -> None:
        """One more. Called for every request: nothing here may be slow."""
        answering = exchange.answering
        notes = exchange.notes
        self._waiting.append(
            Ended(
                request,
                attempts,
                costs,
                answering.number - 1 if answering is not None else -1,
                exchange.caller is not None,
                bool(notes) and "resumed" in notes,
            )
        )
        if len(self._waiting) >= _TOGETHER:
            self.catch_up()

    def catch_up(self) -> None:
        """Count all that waits."""
        waiting, self._waiting = self._waiting, []
        hits: dict[tuple[str, str], list[RequestRow]] = {}
        for ended in waiting:
            if _is_hit(ended):
                hits.setdefault((ended.request.feature, ended.request.cache), []).append(ended.request)
            else:
                _count(self._metrics, ended)
        for (feature, how), requests in hits.items():
            _count_hits(self._metrics, feature, how, requests)


def _is_hit(ended: Ended) -> bool:
    """Was it given an answer from memory, and is there nothing else to be told of it?"""
    request = ended.request
    return (
        request.cache in GIVEN
        and not ended.attempts
        and ended.known
        and request.outcome == "ok"
        and not request.purpose
        and not request.degraded
        and not request.error_class
        and not ended.resumed
    )


def _count_hits(metrics: Metrics, feature: str, how: str, requests: Sequence[RequestRow]) -> None:
    """As `_count`, of many that differ in their times alone: a third of what each by itself costs."""
    metrics.requests.add((feature, "ok"), len(requests))
    metrics.cache_requests.add((feature, how), len(requests))
    measures = metrics.measures
    nanos = sum([request.avoided_nanos for request in requests])
    us = sum([request.avoided_us for request in requests])
    if nanos or us:
        measures.add_saved(feature, nanos, us)
    key = (feature, MEMORY, "ok")
    add = (measures.requests.get(key) or measures.measured(key)).add
    for request in requests:
        first = request.first_content_us if request.stream else 0
        add(request.total_us, request.overhead_us, request.queued_us, first, 0, 0)


def _count(metrics: Metrics, ended: Ended) -> None:
    """One more request, and its attempts."""
    request, attempts = ended.request, ended.attempts
    feature = request.feature if ended.known else ""
    model = request.routed_model
    for row, nanos in zip(attempts, ended.costs, strict=True):
        metrics.attempts.add((row.provider, row.model, row.kind or _FIRST, row.outcome))
        if row.error_class:
            metrics.attempt_errors.add((row.provider, row.model, group_of(row.error_class)))
        _spend(metrics, feature, model, row, nanos)
    if request.purpose:
        return  # nobody asked: of a shadow copy, only what was asked of a provider counts
    outcome = request.outcome
    metrics.requests.add((feature, outcome))
    given = False
    if request.cache:
        metrics.cache_requests.add((feature, request.cache))
        if request.avoided_nanos or request.avoided_us:
            metrics.measures.add_saved(feature, request.avoided_nanos, request.avoided_us)
        given = not attempts and request.cache in GIVEN
        if given:
            model = MEMORY  # how fast a model is, calls alone tell
    if request.degraded:
        metrics.degraded.add((feature, request.degraded))
    if len(attempts) > 1:
        for row in attempts:
            if row.kind == "hedge":
                metrics.hedges.add((feature,))
        if outcome == "ok" and not request.degraded and _elsewhere(ended):
            metrics.fallbacks.add((feature,))
    if ended.resumed:
        metrics.resumed.add((feature,))
    if request.error_class or outcome == "hung_up":
        metrics.measures.add_error(
            feature, model, "hung_up" if outcome == "hung_up" else group_of(request.error_class)
        )
    measures = metrics.measures
    key = (feature, model, outcome)
    measured = measures.requests.get(key) or measures.measured(key)
    first = tokens = waited = 0
    if given:
        first = request.first_content_us if request.stream else 0
    elif outcome == "ok":
        # As rollups have it (`stores.adding_up`): of streams from the first content on, of whole answers with the thinking.
        if request.stream and request.first_content_us:
            first, tokens = request.first_content_us, request.output_tokens
            waited = request.total_us - first
        else:
            tokens = request.output_tokens + request.reasoning_tokens
            waited = request.total_us - request.overhead_us - request.queued_us
    elif request.stream:
        first = request.first_content_us
    measured.add(
        request.total_us,
        request.overhead_us,
        request.queued_us,
        first,
        tokens if waited >= _SHORTEST_US else 0,
        waited,
    )


def _spend(metrics: Metrics, feature: str, model: str, row: AttemptRow, nanos: int | None) -> None:
    label = row.cost_label
    if not label:
        return  # nothing was asked of a provider
    key = (feature, model, row.provider, label if nanos is not None else _UNKNOWN)
    spent = metrics.measures.spent.get(key) or metrics.measures.spent_by(key)
    spent.calls += 1
    spent.nanos += nanos or 0
    spent.input += row.input_tokens
    spent.output += row.output_tokens
    if row.cache_read_tokens:
        spent.cache_read += row.cache_read_tokens
    if row.cache_write_tokens or row.cache_write_1h_tokens:
        spent.cache_write += row.cache_write_tokens + row.cache_write_1h_tokens
    if row.reasoning_tokens:
        spent.reasoning += row.reasoning_tokens


def _elsewhere(ended: Ended) -> bool:
    """Did another endpoint answer than the first one asked?"""
    last, first = ended.attempts[ended.answering], ended.attempts[0]
    return (last.provider, last.model, last.region) != (first.provider, first.model, first.region)
