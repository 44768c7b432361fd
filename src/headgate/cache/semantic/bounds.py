"""How similar is similar enough: learned from what came of earlier neighbours, so that at most a set share of hits is wrong.

Every near question whose own answer is known teaches: in the beginning nothing is given and each near miss teaches for
nothing; later a sample of the hits does. A threshold is only taken when, 99 % sure, no more than `most_wrong` of what lies
above it is wrong: with nothing wrong that takes 612 judgements for 1 %, and 121 for 5 %. It is 99 and not 95 because what is
known is looked at again and again, and each look is another chance to be lucky. A quarter of what is wrong is taken to be
overlooked by whoever compares two answers, so three quarters of the share have to do. Thresholds are tried from high to low and
the first that fails ends the search, so that trying many does not weaken what is promised.

An entry has a memory of its own: what was wrongly answered from it, at some score, is not answered from it at that score or
below, and an entry that was right again and again at a score may be given below its feature's threshold.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from headgate.stores.answers import Judgement

__all__ = ["CONFIDENCE", "LADDER", "OVERLOOKED", "Bound", "Bounds", "upper_bound"]

CONFIDENCE = 0.99
"""Of one look."""
_REPEATS_BEFORE_LOOK = 10
_RIGHT_BEFORE_LOOK = 20
"""Right judgements after which it is looked again; after a wrong one at once."""
LADDER = (0.95, 0.93, 0.9, 0.87, 0.84, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5)
"""Thresholds that are tried, from high to low."""
_STRICTER = (0.97, 0.98, 0.99)
"""Tried where the first of LADDER fails."""
_STRICTER_SURE = 1 - (1 - CONFIDENCE) / (len(_STRICTER) + 1)
"""They are looked for only where the first way has failed, so more is asked of each."""
_RUNGS = LADDER + _STRICTER
_REMEMBERED = 5_000
"""Judgements of a feature."""
_OWN = 200
_MOST_ENTRIES = 50_000
OVERLOOKED = 0.25
"""The share of wrong answers that their comparison (`comparing`) takes for right, at least: near the upper end of the interval of the
worst set that `python -m bench.cache.judging` measures. Nothing in a running gateway can tell it."""
_POOL_WEIGHT = 100
"""Judgements that a feature's experience counts for, for one of its entries."""
_STEPS = 40


@dataclass(frozen=True, slots=True)
class Bound:
    """What a feature has learned."""

    threshold: float | None
    """Least score of what is given; None as long as too little is known, or too much was wrong."""
    judged: int
    """Judgements at or above it; where there is none, at or above the first one tried."""
    wrong: int
    at_most: float
    """99 % sure, no more than this share of what lies above is wrong."""


@dataclass(frozen=True, slots=True)
class _Noise:
    """How often the comparison of two answers is mistaken, as far as is known."""

    least: float
    """At least this share of what is right is taken for wrong, 99 % sure."""
    overlooked: float
    """The share of what is wrong that is taken for right: OVERLOOKED, or as large as the other mistake if that is larger."""

    def true(self, seen: float) -> float:
        """The share of what is wrong, where this share was taken for wrong."""
        there = 1 - self.least - self.overlooked
        return 1.0 if there <= 0 else min(1.0, max(0.0, (seen - self.least) / there))

    def seen(self, true: float) -> float:
        """The other way."""
        return true * max(0.0, 1 - self.least - self.overlooked) + self.least


class _Pool:
    """The latest judgements of a feature, counted at each rung as they come: they are looked at with every near question."""

    __slots__ = ("_latest", "judged", "wrong")

    def __init__(self) -> None:
        self._latest: deque[tuple[float, bool]] = deque()
        self.judged = [0] * len(_RUNGS)
        self.wrong = [0] * len(_RUNGS)

    def add(self, score: float, right: bool) -> None:
        if len(self._latest) >= _REMEMBERED:
            self._count(*self._latest.popleft(), -1)
        self._latest.append((score, right))
        self._count(score, right, 1)

    def _count(self, score: float, right: bool, by: int) -> None:
        for number, threshold in enumerate(_RUNGS):
            if score >= threshold:
                self.judged[number] += by
                if not right:
                    self.wrong[number] += by


class Bounds:
    """Of all features and entries. Of the event loop's thread."""

    def __init__(self) -> None:
        self._pools: dict[str, _Pool] = {}
        self._own: dict[bytes, deque[tuple[float, bool]]] = {}
        self._repeats: dict[str, tuple[int, int]] = {}
        """Feature -> how often one question was asked twice, and how often its two answers were taken for different."""
        self._noises: dict[str, _Noise] = {}
        self._unseen: dict[str, int] = {}
        self._found: dict[str, dict[float, int | None]] = {}
        """Feature -> share that may be wrong -> which of _RUNGS holds."""

    def load(self, feature: str, judgements: Iterable[Judgement]) -> None:
        """What is known of a feature, in place of what was; in any order."""
        pool = _Pool()
        own: dict[bytes, deque[tuple[float, bool]]] = {}
        for each in sorted(judgements, key=lambda one: one.at_ns):
            if _teaches(each):
                pool.add(each.score, each.right)
            own.setdefault(each.key, deque(maxlen=_OWN)).append((each.score, each.right))
        self._pools[feature] = pool
        self._own.update(own)
        self._bounded(feature)

    def learn(self, judgement: Judgement) -> None:
        """One more."""
        if _teaches(judgement):
            self._pools.setdefault(judgement.feature, _Pool()).add(judgement.score, judgement.right)
        own = self._own.setdefault(judgement.key, deque(maxlen=_OWN))
        own.append((judgement.score, judgement.right))
        unseen = self._unseen[judgement.feature] = self._unseen.get(judgement.feature, 0) + 1
        if not judgement.right or unseen >= _RIGHT_BEFORE_LOOK:
            self._bounded(judgement.feature)

    def repeated(self, feature: str, *, same: bool) -> None:
        """One question was asked twice; were its answers taken for the same? Every "no" is a mistake of the comparison."""
        asked, different = self._repeats.get(feature, (0, 0))
        self._repeats[feature] = asked + 1, different + (not same)
        # Each look at it takes a tenth of a millisecond: now and then is enough.
        if (asked + 1) % _REPEATS_BEFORE_LOOK == 0:
            self._weigh(feature)

    def allows(self, feature: str, key: bytes, score: float, most_wrong: float) -> bool:
        """May an entry be given to a question of this score, for the share of wrong hits to stay under `most_wrong`?"""
        if self.refuses(key, score):
            return False
        rung = self._rung(feature, most_wrong)
        if rung is not None and score >= _RUNGS[rung]:
            return True
        return self._own_allows(feature, key, score, most_wrong)

    def refuses(self, key: bytes, score: float) -> bool:
        """Was the entry's answer wrong for a question of this score, or a higher one?"""
        return any(not right and score <= at for at, right in self._own.get(key, ()))

    def bound(self, feature: str, most_wrong: float) -> Bound:
        """What the feature has learned so far."""
        rung = self._rung(feature, most_wrong)
        at = rung or 0
        pool = self._pools.get(feature) or _Pool()
        judged, wrong = pool.judged[at], pool.wrong[at]
        at_most = self._noise(feature).true(upper_bound(wrong, judged, _sure(at)))
        return Bound(None if rung is None else _RUNGS[rung], judged, wrong, at_most)

    def _rung(self, feature: str, most_wrong: float) -> int | None:
        known = self._found.setdefault(feature, {})
        if most_wrong not in known:
            known[most_wrong] = self._look(feature, most_wrong)
        return known[most_wrong]

    def _look(self, feature: str, most_wrong: float) -> int | None:
        pool = self._pools.get(feature)
        if pool is None:
            return None
        seen = self._noise(feature).seen(most_wrong)
        best: int | None = None
        for rung in range(len(LADDER)):
            if not _holds(pool, rung, seen):
                break
            best = rung
        if best is not None:
            return best
        return next((rung for rung in range(len(LADDER), len(_RUNGS)) if _holds(pool, rung, seen)), None)

    def _own_allows(self, feature: str, key: bytes, score: float, most_wrong: float) -> bool:
        own = [right for at, right in self._own.get(key, ()) if at <= score]
        pool = self._pools.get(feature)
        rung = next((number for number, least in enumerate(LADDER) if least <= score), None)
        if len(own) < 2 or pool is None or rung is None:
            return False
        judged, wrong = pool.judged[rung], pool.wrong[rung]
        weight = min(_POOL_WEIGHT, judged)
        # The feature's experience counts for a hundred of the entry's own, at the share that was wrong.
        prior = weight * (wrong + 1) / (judged + 1) if weight else 1.0
        # What the comparison is known to take for wrong is left in here: an entry's few judgements are no place to take it off.
        most = min(most_wrong, self._noise(feature).seen(most_wrong))
        return _beta_below(most, own.count(False) + prior + 1, len(own) + weight - prior) >= CONFIDENCE

    def _weigh(self, feature: str) -> None:
        asked, different = self._repeats[feature]
        if different:
            least = 1 - upper_bound(asked - different, asked, CONFIDENCE)
            self._noises[feature] = _Noise(least, max(OVERLOOKED, different / asked))
        self._found.pop(feature, None)

    def _noise(self, feature: str) -> _Noise:
        return self._noises.get(feature, _NO_NOISE)

    def _bounded(self, feature: str) -> None:
        while len(self._own) > _MOST_ENTRIES:
            del self._own[next(iter(self._own))]
        self._found.pop(feature, None)
        self._unseen.pop(feature, None)


_NO_NOISE = _Noise(0.0, OVERLOOKED)


def _teaches(judgement: Judgement) -> bool:
    """People tell of what was wrong, and hardly ever of what was right: in a share they would count for too much."""
    return judgement.source not in ("person", "feedback")


def _sure(rung: int) -> float:
    return CONFIDENCE if rung < len(LADDER) else _STRICTER_SURE


def _holds(pool: _Pool, rung: int, most: float) -> bool:
    """Is `upper_bound` of what was seen at this rung under `most`? Without looking for it, which takes forty times as long."""
    judged, wrong = pool.judged[rung], pool.wrong[rung]
    return wrong < judged and _beta_below(most, wrong + 1, judged - wrong) >= _sure(rung)


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
