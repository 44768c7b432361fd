"""RouteLLM's figures for a router that sends some questions to a strong model and the rest to a weak one.

Source: the paper (arXiv 2406.18665, section 3) and the project's evaluation: thresholds at the edges of ten bins of equal
count, accuracy against the share of strong calls, the area over the weak model as a share of the strong model's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Figures", "bootstrap", "curve", "figures"]

_BINS = 10


@dataclass(frozen=True)
class Figures:
    """What is published of a router."""

    apgr: float
    """Average performance gap recovered: 0 is the weak model, 1 the strong one, 0.5 is what chance gets."""
    cpt50: float
    """Percent of calls to the strong model that recover half of the gap; fewer is better."""
    cpt80: float


def curve(scores: np.ndarray, strong: np.ndarray, weak: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares of strong calls, ascending from 0 to 1, and accuracy at each.

    scores: higher asks more for the strong model."""
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, _BINS + 1)))
    # Scores that are all the same leave one edge: everything or nothing.
    chosen = [scores >= edge for edge in edges[: max(len(edges) - 1, 1)]] + [scores > edges[-1]]
    shares = np.array([one.mean() for one in chosen])[::-1]
    accuracy = np.array([np.where(one, strong, weak).mean() for one in chosen])[::-1]
    return shares, accuracy


def figures(scores: np.ndarray, strong: np.ndarray, weak: np.ndarray) -> Figures:
    """All three. The models must differ in accuracy."""
    shares, accuracy = curve(scores, strong, weak)
    low, high = float(weak.mean()), float(strong.mean())
    area = float(np.trapezoid(accuracy - low, shares))
    return Figures(
        apgr=area / (high - low),
        cpt50=100 * _first_share(shares, accuracy, low + 0.5 * (high - low)),
        cpt80=100 * _first_share(shares, accuracy, low + 0.8 * (high - low)),
    )


def _first_share(shares: np.ndarray, accuracy: np.ndarray, goal: float) -> float:
    """The least share of strong calls at which the curve, between its points a line, reaches `goal`."""
    for at in range(1, len(shares)):
        if accuracy[at] >= goal:
            rise = accuracy[at] - accuracy[at - 1]
            part = (goal - accuracy[at - 1]) / rise if rise else 0.0
            return float(shares[at - 1] + part * (shares[at] - shares[at - 1]))
    return 1.0


def bootstrap(
    scores: np.ndarray, strong: np.ndarray, weak: np.ndarray, *, rounds: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """The middle 95 % of APGR when the questions are drawn again, with the scores as they are."""
    chance = np.random.default_rng(seed)
    found = []
    for _ in range(rounds):
        drawn = chance.integers(0, len(scores), len(scores))
        found.append(figures(scores[drawn], strong[drawn], weak[drawn]).apgr)
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)
