"""What is believed of a weak and a strong model before any outcome was seen: by surface features alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headgate.routing.learned.heads import best_strength, fit
from headgate.routing.learned.model import LearnedModel, Scaling
from headgate.routing.learned.prior_table import BASES, PRIOR
from headgate.routing.learned.surface import SURFACE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Prior", "begin", "prior_of", "shipped_prior"]

_STRENGTH = 10.0
"""Prior precision; what the evidence chose for a few hundred labels, within a factor of three."""


@dataclass(frozen=True, slots=True)
class Prior:
    """Features' usual values, and linear weights of expected quality on them. No embedding: what it says about one
    kind of question is wrong about the next, while long, winding questions are hard everywhere."""

    mean: Floats
    spread: Floats
    weak: Floats
    """The first is the mean quality, then one per feature."""
    strong: Floats


def shipped_prior() -> Prior:
    """The one in `prior_table`, learned from RouteLLM's MMLU and GSM8K rows."""
    table = np.array([PRIOR[name] for name in SURFACE])
    weak, strong = BASES
    return Prior(table[:, 0], table[:, 1], np.r_[weak, table[:, 2]], np.r_[strong, table[:, 3]])


def prior_of(surfaces: Floats, strong: Floats, weak: Floats) -> Prior:
    """Learn a prior from what a strong and a weak model scored on questions with these features."""
    scores = np.column_stack([weak, strong])
    blind = np.zeros((len(surfaces), 0))
    scaling = Scaling.of(blind, surfaces)
    vectors = scaling.vectors(blind, surfaces)
    heads = fit(vectors, scores, best_strength([(vectors, scores - scores.mean(1, keepdims=True))]))
    return Prior(scaling.surface_mean, scaling.surface_spread, heads[0].mean, heads[1].mean)


def begin(fingerprint: str, dimensions: int, prior: Prior) -> LearnedModel:
    """A model that has met nobody. fingerprint, dimensions: of the embedder."""
    scaling = Scaling(np.zeros(dimensions), prior.mean, prior.spread)
    weak, strong = (
        np.concatenate([weights[:1], np.zeros(dimensions), weights[1:]])
        for weights in (prior.weak, prior.strong)
    )
    return LearnedModel(fingerprint, scaling, _STRENGTH, (weak, strong))
