"""Means of judgements, each with how many there are and how sure it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from headgate.quality.intervals import Interval, mean_interval, share_interval
from headgate.stores.scores import ScoreSum

__all__ = ["Mean", "mean_of", "summed", "usual_variance"]


@dataclass(frozen=True, slots=True)
class Mean:
    """What is known of a mean."""

    scores: int
    """How many judgements it is made of."""
    mean: float
    low: float | None
    """The mean of very many lies between `low` and `high` in 95 of 100 cases; None: one number tells nothing of that."""
    high: float | None


def mean_of(one: ScoreSum, *, share: bool, prior: float = 0.0, weight: int = 0) -> Mean:
    """Of a sum that has at least one judgement. share: they are yes or no. prior, weight: see `mean_interval`."""
    found: Interval | None
    if share:
        found = share_interval(one.total, one.scores)
    else:
        found = mean_interval(one.scores, one.total, one.squares, prior=prior, weight=weight)
    low, high = found if found is not None else (None, None)
    return Mean(one.scores, one.total / one.scores, low, high)


def summed(sums: Iterable[ScoreSum]) -> ScoreSum:
    """All in one."""
    found = list(sums)
    return ScoreSum(
        scores=sum(each.scores for each in found),
        total=sum(each.total for each in found),
        squares=sum(each.squares for each in found),
    )


def usual_variance(sums: Iterable[ScoreSum]) -> float:
    """How far numbers lie apart within a group, over all groups."""
    spread, free = 0.0, 0
    for each in sums:
        if each.scores > 1:
            spread += max(each.squares - each.total * each.total / each.scores, 0.0)
            free += each.scores - 1
    return spread / free if free else 0.0
