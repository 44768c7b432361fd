"""Everything that a rule may watch: its name, its unit, which way is bad, and how it is worked out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf, sqrt
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
    """Nothing is a value too: 0. It grows with the time that is added up."""
    apart: Callable[[Tally, Tally], float] | None = None
    """Of a comparison: how many standard errors the first is above the second. None: nobody can tell."""


def _quantile(name: str, words: str, sketch: str, share: float, unit: Unit, scale: float) -> Metric:
    def of(tally: Tally) -> Found:
        value, count = tally.quantile(sketch, share)
        return (None if value is None else value * scale), count

    def apart(tally: Tally, usual: Tally) -> float:
        # Which part of these is beyond what so many were not beyond before: that part is known, whatever the spread.
        before, _ = usual.quantile(sketch, share)
        beyond, count = tally.above(sketch, before or 0.0)
        _, others = usual.above(sketch, 0.0)
        if not count or not others:
            return 0.0
        return (beyond - (1 - share)) / sqrt(share * (1 - share) * (1 / count + 1 / others))

    bad: Literal["above", "below"] = "below" if unit == "tokens/s" else "above"
    return Metric(name, words, unit, sketches=(sketch,), of=of, bad=bad, apart=apart)


def _share(
    name: str,
    words: str,
    part: Callable[[Tally], int],
    whole: Callable[[Tally], int],
    bad: Literal["above", "below"] = "above",
) -> Metric:
    def of(tally: Tally) -> Found:
        total = whole(tally)
        return (part(tally) / total if total else None), total

    return Metric(name, words, "share", bad=bad, of=of, apart=_share_apart(part, whole))


def _cost_per_request(tally: Tally) -> Found:
    total = tally.count(*_ANSWERABLE)
    return (tally.sums["answerable_nanos"] / 1e9 / total if total else None), total


def _share_apart(
    part: Callable[[Tally], int], whole: Callable[[Tally], int]
) -> Callable[[Tally, Tally], float]:
    def apart(tally: Tally, usual: Tally) -> float:
        some, more = whole(tally), whole(usual)
        if not some or not more:
            return 0.0
        both = (part(tally) + part(usual)) / (some + more)
        spread = both * (1 - both) * (1 / some + 1 / more)
        return (part(tally) / some - part(usual) / more) / sqrt(spread) if spread > 0 else 0.0

    return apart


def _scores_apart(tally: Tally, usual: Tally) -> float:
    some, more = tally.sums["scores"], usual.sums["scores"]
    if not some or not more:
        return 0.0
    means = tally.sums["score"] / some, usual.sums["score"] / more
    squares = tally.sums["squares"] + usual.sums["squares"]
    spread = max(squares - some * means[0] ** 2 - more * means[1] ** 2, 0.0) / (some + more)
    off = means[0] - means[1]
    if spread <= 0:
        return 0.0 if not off else inf if off > 0 else -inf
    return off / sqrt(spread * (1 / some + 1 / more))


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
    _share("refusal_rate", "the part of answers that a model declined to give", lambda t: t.sums["refusals"], lambda t: t.count("ok") + t.sums["declined"]),
    _share("cache_rate", "the part of answers that were there already", lambda t: t.sums["cached"], lambda t: t.count("ok")),
    _share("cache_hit_rate", "the part of answers that memory was asked for and had", lambda t: t.sums["cached"], lambda t: t.sums["cacheable"], bad="below"),
    Metric(
        "quality",
        "the mean of this score",
        "score",
        family="scores",
        bad="below",
        of=lambda t: (t.sums["score"] / t.sums["scores"] if t.sums["scores"] else None, t.sums["scores"]),
        apart=_scores_apart,
    ),
    Metric("drift", "lasting changes of this series of a feature", "changes", family="drift"),
    Metric("in_flight", "requests in flight on one node", "requests", family="gauge", gauge="in_flight"),
    Metric("queue_depth", "requests that wait for room in a limit", "requests", family="gauge", gauge="limit_waiting"),
    Metric("journal_lag", "records that are not in the database yet", "bytes", family="gauge", gauge="journal_bytes"),
    Metric("cache_wrong_share", "the part of semantic hits of a feature that samples found wrong", "share", family="gauge", gauge="cache_wrong_share"),
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
        return f"{_figures(value)} times"
    if unit == "share":
        return f"{_figures(100 * value)} %"
    if unit == "s":
        return f"{_figures(1000 * value)} ms" if value < 1 else f"{_figures(value)} s"
    if unit == "USD":
        return f"{value:,.2f} USD" if value >= 1 else f"{_figures(value)} USD"
    if unit in ("requests", "bytes", "changes"):
        return f"{value:,.0f}"
    return f"{_figures(value)}{f' {unit}' if unit == 'tokens/s' else ''}"


def _figures(value: float) -> str:
    """Three figures that count, never as a power of ten."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    text = f"{value:.3g}"
    return f"{value:.12f}".rstrip("0").rstrip(".") if "e" in text else text
