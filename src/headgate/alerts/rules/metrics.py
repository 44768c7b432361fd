"""Everything that a rule may watch: its name, its unit, which way is bad, and how it is worked out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from headgate.alerts.rules.tally import Tally

__all__ = ["DRIFTING", "DROPPED", "METRICS", "Family", "Metric", "Unit", "shown"]

Unit = Literal["s", "share", "USD", "requests", "tokens/s", "bytes", "score", "changes"]
Family = Literal["requests", "errors", "scores", "gauge", "drift"]
Found = tuple[float | None, int]
"""The value, None if there is none, and how many requests or scores it is of."""

_ANSWERABLE = ("ok", "failed", "cut_off")
"""Neither the caller's mistakes nor callers who left: both say nothing of the feature."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One number that is watched."""

    name: str
    words: str
    """What it is, as a part of a sentence."""
    unit: Unit
    family: Family = "requests"
    bad: Literal["above", "below"] = "above"
    sketches: tuple[str, ...] = ()
    of: Callable[[Tally], Found] = lambda _: (None, 0)
    gauge: str = ""
    """The gauge's name, where it is one."""
    always: bool = False
    """Nothing is a value too: 0."""


def _quantile(name: str, words: str, sketch: str, share: float, unit: Unit, scale: float) -> Metric:
    def of(tally: Tally) -> Found:
        value, count = tally.quantile(sketch, share)
        return (None if value is None else value * scale), count

    bad: Literal["above", "below"] = "below" if unit == "tokens/s" else "above"
    return Metric(name, words, unit, sketches=(sketch,), of=of, bad=bad)


def _share(name: str, words: str, part: Callable[[Tally], int], whole: Callable[[Tally], int]) -> Metric:
    def of(tally: Tally) -> Found:
        total = whole(tally)
        return (part(tally) / total if total else None), total

    return Metric(name, words, "share", of=of)


def _cost_per_request(tally: Tally) -> Found:
    total = tally.count(*_ANSWERABLE)
    return (tally.sums["cost_nanos"] / 1e9 / total if total else None), total


_TIMES = (
    ("latency", "of answers took at most", "total_us"),
    ("first_token", "of streams began within", "first_content_us"),
)
_ALL = (
    Metric("requests", "requests", "requests", bad="below", of=lambda t: (t.count(), t.count()), always=True),
    _share(
        "error_rate",
        "the part of requests that failed",
        lambda t: t.count("failed", "cut_off"),
        lambda t: t.count(*_ANSWERABLE),
    ),
    _share(
        "unanswered_rate",
        "the part of requests that failed or were refused",
        lambda t: t.count("failed", "cut_off", "refused"),
        lambda t: t.count(*_ANSWERABLE, "refused"),
    ),
    Metric(
        "error_class_rate",
        "the part of requests that ended with this error",
        "share",
        family="errors",
        of=lambda t: (t.sums["errors"] / t.count() if t.count() else None, t.count()),
    ),
    *(
        _quantile(f"{name}_p{share}", f"{share} % {words}", sketch, share / 100, "s", 1e-6)
        for name, words, sketch in _TIMES
        for share in (50, 95, 99)
    ),
    _quantile("overhead_p95", "95 % of requests cost us at most", "overhead_us", 0.95, "s", 1e-6),
    _quantile("queued_p95", "95 % of requests waited for a slot at most", "queued_us", 0.95, "s", 1e-6),
    _quantile("tokens_per_second", "the median speed of answers", "tokens_per_s", 0.5, "tokens/s", 1),
    Metric(
        "spend",
        "spent",
        "USD",
        of=lambda t: (t.sums["cost_nanos"] / 1e9, t.count()),
        always=True,
    ),
    Metric("cost_per_request", "the mean cost of a request", "USD", of=_cost_per_request),
    _quantile("cost_p50", "half of the answers cost at most", "cost_nanos", 0.5, "USD", 1e-9),
    _quantile("cost_p95", "95 % of answers cost at most", "cost_nanos", 0.95, "USD", 1e-9),
    _quantile("answer_tokens_p50", "half of the answers have at most so many tokens", "output_tokens", 0.5, "requests", 1),
    _share("degraded_rate", "the part of answers from the degrade ladder", lambda t: t.sums["degraded"], lambda t: t.count("ok")),
    _share("failover_rate", "the part of requests that another endpoint had to answer", lambda t: t.sums["failovers"], lambda t: t.count(*_ANSWERABLE)),
    _share("refusal_rate", "the part of answers that a model declined to give", lambda t: t.sums["refusals"], lambda t: t.count("ok")),
    _share("cache_rate", "the part of answers that were there already", lambda t: t.sums["cached"], lambda t: t.count("ok")),
    Metric(
        "quality",
        "the mean of this score",
        "score",
        family="scores",
        bad="below",
        of=lambda t: (t.sums["score"] / t.sums["scores"] if t.sums["scores"] else None, t.sums["scores"]),
    ),
    Metric("drift", "lasting changes of this series of a feature", "changes", family="drift"),
    Metric("in_flight", "requests in flight on one node", "requests", family="gauge", gauge="in_flight"),
    Metric("queue_depth", "requests that wait for room in a limit", "requests", family="gauge", gauge="limit_waiting"),
    Metric("journal_lag", "records that are not in the database yet", "bytes", family="gauge", gauge="journal_bytes"),
    Metric("records_dropped", "records that were lost", "requests", family="gauge", gauge="records_dropped"),
)  # fmt: skip
METRICS: Mapping[str, Metric] = MappingProxyType({each.name: each for each in _ALL})
"""By name."""
DRIFTING = ("refusals", "length", "latency", "first_token", "cost")
"""Series that a lasting change is looked for in; `score:NAME` is one, too."""
DROPPED = "records_dropped"
"""A gauge that only grows: what it grew by in the window counts."""


def shown(value: float | None, unit: Unit, *, ratio: bool = False) -> str:
    """A value as people read it. ratio: it is how many times something else."""
    if value is None:
        return "nothing"
    if ratio:
        return f"{value:.3g} times"
    if unit == "share":
        return f"{100 * value:.3g} %"
    if unit == "s":
        return f"{1000 * value:.3g} ms" if value < 1 else f"{value:.3g} s"
    if unit == "USD":
        return f"{value:,.2f} USD" if value >= 1 else f"{value:.3g} USD"
    if unit in ("requests", "bytes", "changes"):
        return f"{value:,.0f}"
    return f"{value:.3g}{f' {unit}' if unit == 'tokens/s' else ''}"
