"""Many replays against their originals, pair by pair. Pure.

Means of the differences come with 95 % intervals by Student's t over the pairs (each request is its own comparison, so that easy
and hard ones do not blur it). Whether more succeed than before is judged by McNemar's exact test over the pairs that changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import comb, exp, lgamma, log, log1p, sqrt
from statistics import fmean, median, stdev

import msgspec

from headgate.quality.replay.comparing import SIMILAR, Comparison, succeeded
from headgate.quality.replay.planning import usage_of_row
from headgate.stores.spans import RequestRow

__all__ = ["Flips", "Metric", "Pair", "Summary", "mcnemar", "pair_of", "summary", "t_quantile"]

_CONFIDENCE = 0.95


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """What counts of one comparison."""

    ok_before: bool
    ok_after: bool
    total_ms: tuple[float, float]
    first_content_ms: tuple[float, float]
    """0: there was none."""
    output_tokens: tuple[int, int]
    input_tokens: tuple[int, int]
    cost_nanos: tuple[int | None, int | None]
    stream: tuple[bool, bool]
    identical: bool | None
    similarity: float | None


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One figure, before and after, over the pairs that have it on both sides."""

    name: str
    unit: str
    pairs: int
    median_before: float
    median_after: float
    mean_before: float
    mean_after: float
    mean_difference: float
    """After less before."""
    low: float | None
    """The 95 % interval of the mean difference; null: fewer than two pairs, or no interval can be told."""
    high: float | None


class Flips(msgspec.Struct, frozen=True, kw_only=True):
    """Who succeeded."""

    both: int
    neither: int
    lost: int
    """Succeeded before, and not now."""
    gained: int
    p: float | None
    """McNemar's exact test, two-sided: how likely so uneven a change is if nothing changed; null: none changed."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """All pairs together."""

    pairs: int
    metrics: list[Metric]
    """Of pairs that succeeded on both sides."""
    flips: Flips
    compared: int
    """Pairs of which both answers are known."""
    identical: int
    similar: int
    """Of those that are not identical: texts that share four fifths or more."""
    confidence: float = _CONFIDENCE
    method: str = "paired Student's t; McNemar's exact test"


def summary(pairs: Sequence[Pair]) -> Summary:
    """Everything about these."""
    good = [pair for pair in pairs if pair.ok_before and pair.ok_after]
    # First content of a whole answer is its end: nothing to compare with a stream's.
    alike = [pair for pair in good if pair.stream[0] and pair.stream[1] and all(pair.first_content_ms)]
    priced = [pair for pair in good if pair.cost_nanos[0] is not None and pair.cost_nanos[1] is not None]
    known = [pair for pair in pairs if pair.identical is not None]
    metrics = [
        _metric("latency", "ms", good, lambda pair: pair.total_ms),
        _metric("first token", "ms", alike, lambda pair: pair.first_content_ms),
        _metric("prompt tokens", "tokens", good, lambda pair: pair.input_tokens),
        _metric("answer tokens", "tokens", good, lambda pair: pair.output_tokens),
        _metric(
            "cost",
            "USD",
            priced,
            lambda pair: ((pair.cost_nanos[0] or 0) / 1e9, (pair.cost_nanos[1] or 0) / 1e9),
        ),
    ]
    lost = sum(pair.ok_before and not pair.ok_after for pair in pairs)
    gained = sum(pair.ok_after and not pair.ok_before for pair in pairs)
    return Summary(
        pairs=len(pairs),
        metrics=[metric for metric in metrics if metric is not None],
        flips=Flips(
            both=len(good),
            neither=len(pairs) - len(good) - lost - gained,
            lost=lost,
            gained=gained,
            p=mcnemar(lost, gained),
        ),
        compared=len(known),
        identical=sum(pair.identical is True for pair in known),
        similar=sum(pair.identical is False and (pair.similarity or 0.0) >= SIMILAR for pair in known),
    )


def _metric(
    name: str, unit: str, pairs: Sequence[Pair], of: Callable[[Pair], tuple[float, float]]
) -> Metric | None:
    if not pairs:
        return None
    before, after = zip(*(of(pair) for pair in pairs), strict=True)
    differences = [b - a for a, b in zip(before, after, strict=True)]
    mean = fmean(differences)
    half = None
    if len(pairs) > 1:
        half = t_quantile(0.5 + _CONFIDENCE / 2, len(pairs) - 1) * stdev(differences) / sqrt(len(pairs))
    return Metric(
        name=name,
        unit=unit,
        pairs=len(pairs),
        median_before=median(before),
        median_after=median(after),
        mean_before=fmean(before),
        mean_after=fmean(after),
        mean_difference=mean,
        low=None if half is None else mean - half,
        high=None if half is None else mean + half,
    )


def mcnemar(lost: int, gained: int) -> float | None:
    """The two-sided p of so uneven a split of changed pairs, if each were as likely to change either way; None: no changes."""
    changed = lost + gained
    if not changed:
        return None
    tail = sum(comb(changed, count) for count in range(min(lost, gained) + 1))
    # An integer to an integer: `**` alone could be anything to a type checker.
    return min(1.0, float(2 * tail / (1 << changed)))


def t_quantile(p: float, df: int) -> float:
    """Where Student's t with `df` degrees of freedom has the part `p` (above one half) below it, to ten digits."""
    low, high = 0.0, 1.0
    while _t_below(high, df) < p:
        low, high = high, 2 * high
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _t_below(middle, df) < p else (low, middle)
    return (low + high) / 2


def _t_below(t: float, df: int) -> float:
    return 1 - _beta_part(df / (df + t * t), df / 2, 0.5) / 2


def _beta_part(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function, by its continued fraction (modified Lentz)."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    if x > (a + 1) / (a + b + 2):
        return 1 - front * _fraction(1 - x, b, a) / b
    return front * _fraction(x, a, b) / a


def _fraction(x: float, a: float, b: float) -> float:
    tiny = 1e-300
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1) or tiny)
    value = d
    for m in range(1, 500):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / ((1 + step * d) or tiny)
            c = (1 + step / c) or tiny
            value *= c * d
        if abs(c * d - 1) < 1e-14:
            break
    return value


def pair_of(original: RequestRow, replay: RequestRow, comparison: Comparison) -> Pair:
    """What counts of a comparison."""
    return Pair(
        ok_before=succeeded(original),
        ok_after=succeeded(replay),
        total_ms=(original.total_us / 1000, replay.total_us / 1000),
        first_content_ms=(original.first_content_us / 1000, replay.first_content_us / 1000),
        output_tokens=(usage_of_row(original).completion, usage_of_row(replay).completion),
        input_tokens=(usage_of_row(original).prompt, usage_of_row(replay).prompt),
        cost_nanos=(original.cost_nanos, replay.cost_nanos),
        stream=(original.stream, replay.stream),
        identical=comparison.identical,
        similarity=comparison.similarity,
    )
