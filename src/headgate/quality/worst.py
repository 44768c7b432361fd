"""What is judged worst. One bad judgement is no proof: a group is as bad as the upper end of its interval says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from headgate.quality.scores import Mean, mean_of, summed, usual_variance
from headgate.stores.scores import ScoreSum

__all__ = ["Ranked", "worst"]

_PRIOR_WEIGHT = 2
"""A group's own spread counts together with two values of the usual spread."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A group and its mean."""

    group: tuple[str, ...]
    mean: Mean
    surely_low: bool
    """Even the upper end of its interval is below the mean of all."""


def worst(sums: Sequence[ScoreSum], *, share: bool, limit: int = 20) -> list[Ranked]:
    """Groups by the upper end of the interval of their mean, the lowest first. share: judgements are yes or no."""
    told = [each for each in sums if each.scores]
    if not told:
        return []
    everything = summed(told)
    overall = everything.total / everything.scores
    prior = 0.0 if share else max(usual_variance(told), 1e-9)
    ranked = []
    for each in told:
        mean = mean_of(each, share=share, prior=prior, weight=_PRIOR_WEIGHT)
        ranked.append(Ranked(each.group, mean, mean.high is not None and mean.high < overall))
    ranked.sort(key=lambda one: (_high(one.mean), one.mean.mean, one.group))
    return ranked[:limit]


def _high(mean: Mean) -> float:
    return mean.mean if mean.high is None else mean.high
