"""How similar is similar enough: learned from what came of earlier neighbours, so that at most a set share of hits is wrong.

Every near question whose own answer is known teaches: in the beginning nothing is given and each near miss teaches for
nothing; later a sample of the hits does. A threshold is only taken when, with 95 % confidence, no more than `most_wrong` of
what lies above it is wrong: with nothing wrong that takes 299 judgements for 1 %, and 59 for 5 %. Thresholds are tried from
high to low and the first that fails ends the search, so that trying many does not weaken what is promised.

An entry has a memory of its own: what was wrongly answered from it, at some score, is not answered from it at that score or
below, and an entry that was right again and again may be given below its feature's threshold.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from headgate.stores.answers import Judgement

__all__ = ["CONFIDENCE", "LADDER", "Bound", "Bounds", "upper_bound"]

CONFIDENCE = 0.95
LADDER = (0.95, 0.93, 0.9, 0.87, 0.84, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5)
"""Thresholds that are tried, from high to low."""
_STRICTER = (0.97, 0.98, 0.99)
"""Tried where the first of LADDER fails; with the rest of the confidence split among them."""
_REMEMBERED = 5_000
"""Judgements of a feature."""
_OWN = 200
_POOL_WEIGHT = 100
"""Judgements that a feature's experience counts for, for one of its entries."""
_STEPS = 60


@dataclass(frozen=True, slots=True)
class Bound:
    """What a feature has learned."""

    threshold: float | None
    """Least score of what is given; None as long as too little is known, or too much was wrong."""
    judged: int
    """Judgements at or above it; where there is none, at or above the first one tried."""
    wrong: int
    at_most: float
    """With 95 % confidence no more than this share of what lies above is wrong."""


class Bounds:
    """Of all features and entries. Of the event loop's thread."""

    def __init__(self) -> None:
        self._pools: dict[str, deque[tuple[float, bool]]] = {}
        self._own: dict[bytes, deque[tuple[float, bool]]] = {}
        self._repeats: dict[str, tuple[int, int]] = {}
        """Feature -> how often one question was asked twice, and how often its two answers were taken for different."""
        self._found: dict[tuple[str, float], Bound] = {}

    def load(self, feature: str, judgements: Iterable[Judgement]) -> None:
        """What is known of a feature, in place of what was; in any order."""
        pool: deque[tuple[float, bool]] = deque(maxlen=_REMEMBERED)
        own: dict[bytes, list[Judgement]] = {}
        for each in sorted(judgements, key=lambda one: one.at_ns):
            if _teaches(each):
                pool.append((each.score, each.right))
            own.setdefault(each.key, []).append(each)
        self._pools[feature] = pool
        for key, some in own.items():
            self._own[key] = deque([(one.score, one.right) for one in some], maxlen=_OWN)
        self._forget(feature)

    def learn(self, judgement: Judgement) -> None:
        """One more."""
        if _teaches(judgement):
            pool = self._pools.setdefault(judgement.feature, deque(maxlen=_REMEMBERED))
            pool.append((judgement.score, judgement.right))
        own = self._own.setdefault(judgement.key, deque(maxlen=_OWN))
        own.append((judgement.score, judgement.right))
        if len(self._own) > 10 * _REMEMBERED:
            del self._own[next(iter(self._own))]
        self._forget(judgement.feature)

    def repeated(self, feature: str, *, same: bool) -> None:
        """One question was asked twice; were its answers taken for the same? Every "no" is a mistake of the comparison."""
        asked, different = self._repeats.get(feature, (0, 0))
        self._repeats[feature] = asked + 1, different + (not same)
        self._forget(feature)

    def allows(self, feature: str, key: bytes, score: float, most_wrong: float) -> bool:
        """May an entry be given to a question of this score, for the share of wrong hits to stay under `most_wrong`?"""
        if self.refuses(key, score):
            return False
        threshold = self.bound(feature, most_wrong).threshold
        if threshold is not None and score >= threshold:
            return True
        return self._own_allows(feature, key, score, most_wrong)

    def refuses(self, key: bytes, score: float) -> bool:
        """Was the entry's answer wrong for a question of this score, or a higher one?"""
        return any(not right and score <= at for at, right in self._own.get(key, ()))

    def bound(self, feature: str, most_wrong: float) -> Bound:
        """What the feature has learned so far."""
        about = (feature, most_wrong)
        found = self._found.get(about)
        if found is None:
            found = self._found[about] = self._bound(feature, most_wrong)
        return found

    def _bound(self, feature: str, most_wrong: float) -> Bound:
        pool, noise = self._pools.get(feature, ()), self._noise(feature)
        best: Bound | None = None
        for threshold in LADDER:
            tried = _at(pool, threshold, noise, CONFIDENCE)
            if tried.at_most > most_wrong:
                break
            best = tried
        if best is not None:
            return best
        for threshold in _STRICTER:
            tried = _at(pool, threshold, noise, 1 - (1 - CONFIDENCE) / (len(_STRICTER) + 1))
            if tried.at_most <= most_wrong:
                return tried
        first = _at(pool, LADDER[0], noise, CONFIDENCE)
        return Bound(None, first.judged, first.wrong, first.at_most)

    def _own_allows(self, feature: str, key: bytes, score: float, most_wrong: float) -> bool:
        own = [right for at, right in self._own.get(key, ()) if at >= score]
        if len(own) < 2:
            return False
        pool = [right for at, right in self._pools.get(feature, ()) if at >= score]
        weight = min(_POOL_WEIGHT, len(pool))
        # The feature's experience counts for a hundred of the entry's own, at the share that was wrong.
        wrong = own.count(False) + (weight * (pool.count(False) + 1) / (len(pool) + 1) if weight else 1.0)
        return upper_bound(wrong, len(own) + weight, CONFIDENCE) <= most_wrong

    def _noise(self, feature: str) -> float:
        """At least this share of what is right is taken for wrong by the comparison, with 95 % confidence."""
        asked, different = self._repeats.get(feature, (0, 0))
        return 1 - upper_bound(asked - different, asked, CONFIDENCE) if different else 0.0

    def _forget(self, feature: str) -> None:
        for about in [each for each in self._found if each[0] == feature]:
            del self._found[about]


def _teaches(judgement: Judgement) -> bool:
    """People tell of what was wrong, and hardly ever of what was right: in a share they would count for too much."""
    return judgement.source not in ("person", "feedback")


def _at(
    pool: Sequence[tuple[float, bool]] | deque[tuple[float, bool]],
    threshold: float,
    noise: float,
    sure: float,
) -> Bound:
    above = [right for score, right in pool if score >= threshold]
    wrong = above.count(False)
    seen = upper_bound(wrong, len(above), sure)
    # What the comparison takes for wrong although it is right is no wrong hit.
    return Bound(threshold, len(above), wrong, max(0.0, (seen - noise) / (1 - noise)))


def upper_bound(wrong: float, of: float, sure: float) -> float:
    """The share that is exceeded with probability 1 - `sure` at most, when `wrong` of `of` were seen: Clopper and Pearson's bound, by
    bisection of the binomial (the beta function for numbers that are not whole). 1.0 if nothing was seen."""
    if of <= 0 or wrong >= of:
        return 1.0
    low, high = wrong / of, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _beta_below(middle, wrong + 1, of - wrong) < sure:
            low = middle
        else:
            high = middle
    return high


def _beta_below(x: float, a: float, b: float) -> float:
    """Probability that a Beta(a, b) variable is below x: the regularised incomplete beta function, by its continued fraction
    (Lentz's way of evaluating it; Numerical Recipes 6.4)."""
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(x, a, b) / a
    return 1.0 - front * _fraction(1 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    tiny = 1e-300
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1)
    d = 1.0 / (d if abs(d) > tiny else tiny)
    result = d
    for m in range(1, 300):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 + numerator * d
            d = 1.0 / (d if abs(d) > tiny else tiny)
            c = 1.0 + numerator / c
            c = c if abs(c) > tiny else tiny
            result *= c * d
        if abs(c * d - 1.0) < 1e-12:
            break
    return result
