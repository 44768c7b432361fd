"""What the metrics say of a request, counted once it is over: the same that its record says."""

from __future__ import annotations

from typing import Final, final

from headgate.core.error_groups import group_of
from headgate.exchange.exchange import Exchange
from headgate.records.attempts import Ended
from headgate.records.rows import Over
from headgate.stores.rollups import MEMORY
from headgate.telemetry.measures import Measured, Spent
from headgate.telemetry.metrics import Metrics

__all__ = ["Counting"]

_FIRST: Final = "first"
"""The kind of an attempt that no other one led to."""
_UNKNOWN: Final = "unknown"
_SHORTEST_US: Final = 1_000
"""What came all at once has no speed."""
_MOST: Final = 256
"""Kinds of requests that wait to be counted."""
_memory: Final = MEMORY
_group_of: Final = group_of

_Key = tuple[str, str, str, str, str, str, str, str]
"""Feature, model, how memory answered; of the call: provider, model, kind, outcome, and how certain its cost is."""


@final
class _Alike:
    """Requests that have ended well and differ in numbers only, added up."""

    __slots__ = ("avoided_nanos", "avoided_us", "measured", "requests", "spent")

    def __init__(self, measured: Measured, spent: Spent | None) -> None:
        self.measured = measured
        self.spent = spent
        self.requests = 0
        self.avoided_nanos = 0
        self.avoided_us = 0


class Counting:
    """Counts requests that are over. Those of one kind are added up, and counted before anybody looks: most are of few kinds, and
    a few additions cost a fraction of finding every counter each time."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._alike: dict[_Key, _Alike] = {}
        metrics.before_reading = self.catch_up

    def add(self, exchange: Exchange, request: Over, attempts: list[Ended], costs: list[int | None]) -> None:
        """One more. costs: of each attempt, nano-dollars; None where no price is known. Called for every request: nothing here may
        be slow."""
        if (
            request.outcome != "ok"
            or request.error_class
            or len(attempts) > 1
            or exchange.purpose
            or exchange.degraded
            or (exchange.notes and "resumed" in exchange.notes)
        ):
            _count(self._metrics, exchange, request, attempts, costs)
            return
        # What a stranger says is no feature.
        feature = exchange.feature if exchange.caller is not None else ""
        model = _memory if request.given else exchange.routed_model
        if not attempts:
            alike = self._of((feature, model, exchange.cache, "", "", "", "", ""))
        else:
            ended = attempts[0]
            if ended.error_class:
                _count(self._metrics, exchange, request, attempts, costs)
                return
            place = ended.place
            label = ended.label if costs[0] is not None or not ended.label else _UNKNOWN
            alike = self._of(
                (
                    feature,
                    model,
                    exchange.cache,
                    place.provider,
                    place.model,
                    ended.attempt.kind,
                    ended.outcome,
                    label,
                )
            )
            if alike.spent is not None:
                _spend(alike.spent, ended, costs[0])
        alike.requests += 1
        alike.avoided_nanos += exchange.avoided_nanos
        alike.avoided_us += exchange.avoided_us
        _measure(alike.measured, request)

    def _of(self, key: _Key) -> _Alike:
        alike = self._alike.get(key)
        if alike is None:
            if len(self._alike) >= _MOST:
                self.catch_up()
            measures = self._metrics.measures
            feature, model, _, provider, _, _, _, label = key
            spent = measures.spent_by((feature, model, provider, label)) if label else None
            alike = _Alike(measures.measured((feature, model, "ok")), spent)
            self._alike[key] = alike
        return alike

    def catch_up(self) -> None:
        """Count all that waits."""
        waiting, self._alike = self._alike, {}
        metrics = self._metrics
        for key, alike in waiting.items():
            feature, _, cache, provider, model, kind, outcome, _ = key
            metrics.requests.add((feature, "ok"), alike.requests)
            if outcome:
                metrics.attempts.add((provider, model, kind or _FIRST, outcome), alike.requests)
            if cache:
                metrics.cache_requests.add((feature, cache), alike.requests)
                if alike.avoided_nanos or alike.avoided_us:
                    metrics.measures.add_saved(feature, alike.avoided_nanos, alike.avoided_us)


def _count(
    metrics: Metrics,
    exchange: Exchange,
    request: Over,
    attempts: list[Ended],
    costs: list[int | None],
) -> None:
    """One more request, and its attempts."""
    feature = exchange.feature if exchange.caller is not None else ""
    model = exchange.routed_model
    measures = metrics.measures
    for at, ended in enumerate(attempts):
        place = ended.place
        metrics.attempts.add((place.provider, place.model, ended.attempt.kind or _FIRST, ended.outcome))
        if ended.error_class:
            metrics.attempt_errors.add((place.provider, place.model, _group_of(ended.error_class)))
        if ended.label:  # else nothing was asked of a provider
            label = ended.label if costs[at] is not None else _UNKNOWN
            _spend(measures.spent_by((feature, model, place.provider, label)), ended, costs[at])
    if exchange.purpose:
        return  # nobody asked: of a shadow copy, only what was asked of a provider counts
    outcome = request.outcome
    metrics.requests.add((feature, outcome))
    if exchange.cache:
        metrics.cache_requests.add((feature, exchange.cache))
        if exchange.avoided_nanos or exchange.avoided_us:
            measures.add_saved(feature, exchange.avoided_nanos, exchange.avoided_us)
    if request.given:
        model = _memory  # how fast a model is, calls alone tell
    if exchange.degraded:
        metrics.degraded.add((feature, exchange.degraded))
    if len(attempts) > 1:
        for ended in attempts:
            if ended.attempt.kind == "hedge":
                metrics.hedges.add((feature,))
        if outcome == "ok" and not exchange.degraded and _elsewhere(exchange, attempts):
            metrics.fallbacks.add((feature,))
    if exchange.notes and "resumed" in exchange.notes:
        metrics.resumed.add((feature,))
    if request.error_class or outcome == "hung_up":
        group = "hung_up" if outcome == "hung_up" else _group_of(request.error_class)
        measures.add_error(feature, model, group)
    _measure(measures.measured((feature, model, outcome)), request)


def _measure(measured: Measured, request: Over) -> None:
    """How long it took, and how fast its answer was made."""
    stream = request.stream
    first = tokens = waited = 0
    if request.given:
        first = request.first_content_us if stream else 0
    elif request.outcome == "ok":
        # As rollups have it (`stores.adding_up`): of streams from the first content on, of whole answers with the thinking.
        if stream and request.first_content_us:
            first, tokens = request.first_content_us, request.output_tokens
            waited = request.total_us - first
        else:
            tokens = request.output_tokens + request.reasoning_tokens
            waited = request.total_us - request.overhead_us - request.queued_us
    elif stream:
        first = request.first_content_us
    if waited < _SHORTEST_US:
        tokens = 0
    measured.add(request.total_us, request.overhead_us, request.queued_us, first, tokens, waited)


def _spend(spent: Spent, ended: Ended, nanos: int | None) -> None:
    tokens = ended.tokens
    spent.calls += 1
    spent.nanos += nanos or 0
    spent.input += tokens[0]
    spent.cache_read += tokens[1]
    spent.cache_write += tokens[2] + tokens[3]
    spent.output += tokens[4]
    spent.reasoning += tokens[5]


def _elsewhere(exchange: Exchange, attempts: list[Ended]) -> bool:
    """Did another endpoint answer than the first one asked?"""
    answering = exchange.answering
    last = attempts[answering.number - 1 if answering is not None else -1].place
    first = attempts[0].place
    return (last.provider, last.model, last.region) != (first.provider, first.model, first.region)
