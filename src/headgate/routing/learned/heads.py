"""One model's expected quality as a Bayesian linear function of a question's vector, learned one outcome at a time.

The weights have a Gaussian prior, the outcomes Gaussian noise; so the posterior is exact, an outcome is a rank-one
update, and every expectation comes with a variance. Source: Bishop, Pattern Recognition and Machine Learning, 3.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Head", "best_strength", "fit", "untaught"]

_INTERCEPT_PRECISION = 0.01
"""Of the prior on the first weight: the mean quality is learned from the first few outcomes."""
_LEAST_NOISE = 1e-4
STRENGTHS = tuple(float(one) for one in np.geomspace(1.0, 1000.0, 10))
"""Prior precisions tried, in units of the noise's precision."""


@dataclass(slots=True)
class Head:
    """A posterior. Arrays are replaced, never changed in place: heads may share them."""

    mean: Floats
    """Weights; the first belongs to the constant 1."""
    covariance: Floats
    """Of the weights, in units of `noise`."""
    noise: float
    """Variance of an outcome around its expectation."""
    seen: float
    """Outcomes learned from, by weight."""

    def expect(self, vectors: Floats) -> tuple[Floats, Floats]:
        """Expected quality of each row, unclipped, and the variance of that expectation."""
        spread = np.einsum("ij,ij->i", vectors @ self.covariance, vectors) * self.noise
        return vectors @ self.mean, np.maximum(spread, 0.0)

    def learn(self, vector: Floats, quality: float, weight: float) -> None:
        """Take in one outcome. weight: 1 is one observation, a fraction is an outcome that says less."""
        reach = self.covariance @ vector
        gain = reach * (weight / (1.0 + weight * float(vector @ reach)))
        self.mean = self.mean + gain * (quality - float(vector @ self.mean))
        self.covariance = self.covariance - np.outer(gain, reach)
        self.seen += weight


def untaught(mean: Floats, strength: float, noise: float, *, sure: float = _INTERCEPT_PRECISION) -> Head:
    """A head that knows only its prior, around `mean`. sure: outcomes that the mean quality in it is worth."""
    precisions = _precisions(len(mean), strength)
    precisions[0] = sure
    return Head(mean.copy(), np.diag(1.0 / precisions), noise, 0.0)


def fit(vectors: Floats, outcomes: Floats, strength: float) -> list[Head]:
    """One head per column of `outcomes`, all from the same rows. They share one covariance."""
    precisions = _precisions(vectors.shape[1], strength)
    covariance = np.linalg.inv(vectors.T @ vectors + np.diag(precisions))
    covariance = (covariance + covariance.T) / 2
    # The prior mean of the constant is one half; every other weight's is zero.
    prior = np.zeros(vectors.shape[1])
    prior[0] = 0.5
    start = (vectors.T @ outcomes) + (precisions * prior)[:, None]
    means = covariance @ start
    free = max(len(vectors) - float(np.einsum("ij,ji->", covariance, vectors.T @ vectors)), 1.0)
    noise = np.maximum(((outcomes - vectors @ means) ** 2).sum(0) / free, _LEAST_NOISE)
    return [
        Head(means[:, column].copy(), covariance, float(noise[column]), float(len(vectors)))
        for column in range(outcomes.shape[1])
    ]


def best_strength(parts: Sequence[tuple[Floats, Floats]]) -> float:
    """The prior precision under which the outcomes are least surprising (marginal likelihood), noise integrated out.

    parts: (vectors, outcomes) whose evidence is added up; outcomes are one column each and are centred here."""
    total = np.zeros(len(STRENGTHS))
    for vectors, outcomes in parts:
        total += _evidence(vectors[:, 1:], outcomes)
    return STRENGTHS[int(np.argmax(total))]


def _evidence(vectors: Floats, outcomes: Floats) -> Floats:
    """Log marginal likelihood for every strength, up to a constant."""
    count, width = vectors.shape
    x = vectors - vectors.mean(0)
    y = outcomes - outcomes.mean(0)
    if count > width:
        values, axes = np.linalg.eigh(x.T @ x)
        values = np.maximum(values, 1e-9)
        along = (axes.T @ (x.T @ y)) ** 2 / values[:, None]
    else:
        values, axes = np.linalg.eigh(x @ x.T)
        values = np.maximum(values, 0.0)
        along = (axes.T @ y) ** 2
    beside = np.maximum((y**2).sum(0) - along.sum(0), 0.0)
    found = np.empty(len(STRENGTHS))
    for at, strength in enumerate(STRENGTHS):
        stretch = values / strength + 1.0
        noise = np.maximum(((along / stretch[:, None]).sum(0) + beside) / count, 1e-12)
        found[at] = -0.5 * float((count * np.log(noise) + np.log(stretch).sum()).sum())
    return found


def _precisions(width: int, strength: float) -> Floats:
    found = np.full(width, strength)
    found[0] = _INTERCEPT_PRECISION
    return found
