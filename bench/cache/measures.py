"""Hits served and traps answered wrongly, by threshold, with how far chance may have moved them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Point", "Scored", "at_threshold", "by_kind", "cross_validated", "curve", "limited"]

ROUNDS = 2000
"""Of the bootstrap."""


@dataclass(frozen=True)
class Scored:
    """Pairs, and how sure somebody was of each."""

    scores: np.ndarray
    same: np.ndarray
    kinds: np.ndarray


@dataclass(frozen=True)
class Point:
    """What happens at a threshold."""

    threshold: float
    hits: float
    """Share of pairs with the same answer that are served."""
    wrong: float
    """Share of traps that are answered."""
    hits_interval: tuple[float, float]
    wrong_interval: tuple[float, float]
    """95 %, by bootstrap over pairs; if no trap was answered, the upper end is 3 / traps (rule of three)."""


def at_threshold(scored: Scored, threshold: float, *, seed: int = 0) -> Point:
    """Served is what reaches the threshold."""
    served = scored.scores >= threshold
    hits, wrong = served[scored.same], served[~scored.same]
    return Point(
        threshold, _mean(hits), _mean(wrong), _interval(hits, seed), _interval(wrong, seed, none=True)
    )


def limited(scored: Scored, most: float) -> Point:
    """At the lowest threshold at which no more than `most` of the traps are answered, seen from all rows: the best case."""
    return at_threshold(scored, _lowest(scored.scores, scored.same, most))


def cross_validated(
    scored: Scored, most: float, *, parts: int = 5, repeats: int = 20, seed: int = 0
) -> Point:
    """The threshold is chosen on the other parts each time. Its threshold is the mean one; intervals are over repeats."""
    chance = np.random.default_rng(seed)
    found, thresholds = [], []
    for _ in range(repeats):
        fold = np.empty(len(scored.same), int)
        for side in (True, False):
            here = np.flatnonzero(scored.same == side)
            fold[chance.permutation(here)] = np.arange(len(here)) % parts
        served = np.zeros(len(fold), bool)
        for part in range(parts):
            learn = fold != part
            threshold = _lowest(scored.scores[learn], scored.same[learn], most)
            thresholds.append(threshold)
            served[~learn] = scored.scores[~learn] >= threshold
        found.append((served[scored.same].mean(), served[~scored.same].mean()))
    hits, wrong = np.array(found).T
    return Point(
        float(np.mean(thresholds)), float(hits.mean()), float(wrong.mean()),
        (float(hits.min()), float(hits.max())), (float(wrong.min()), float(wrong.max())),
    )  # fmt: skip


def by_kind(scored: Scored, threshold: float) -> dict[str, tuple[int, float]]:
    """Kind -> (pairs, share served)."""
    return {
        str(kind): (
            int((scored.kinds == kind).sum()),
            _mean(scored.scores[scored.kinds == kind] >= threshold),
        )
        for kind in sorted(set(scored.kinds))
    }


def curve(scored: Scored) -> list[tuple[float, float, float]]:
    """(threshold, hit rate, precision) from strict to loose; precision over as many traps as hits."""
    points = []
    for threshold in sorted(set(np.round(scored.scores, 4)), reverse=True):
        served = scored.scores >= threshold - 1e-9
        hits, wrong = _mean(served[scored.same]), _mean(served[~scored.same])
        if threshold > 0 and hits + wrong:
            points.append((float(threshold), hits, hits / (hits + wrong)))
    return points


def _lowest(scores: np.ndarray, same: np.ndarray, most: float) -> float:
    traps = np.sort(scores[~same])[::-1]
    allowed = int(most * len(traps) + 1e-9)
    highest = traps[allowed] if allowed < len(traps) else 0.0
    above = scores[scores > highest]
    # Between the trap that must not be answered and what is next above it.
    return float((highest + above.min()) / 2) if len(above) else 1.01


def _mean(served: np.ndarray) -> float:
    return float(served.mean()) if len(served) else 0.0


def _interval(served: np.ndarray, seed: int, *, none: bool = False) -> tuple[float, float]:
    if none and len(served) and not served.any():
        return 0.0, min(1.0, 3 / len(served))
    draws = np.random.default_rng(seed).integers(0, len(served), (ROUNDS, len(served)))
    low, high = np.percentile(served[draws].mean(axis=1), (2.5, 97.5))
    return float(low), float(high)
