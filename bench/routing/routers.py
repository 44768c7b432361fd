"""What is compared: each gives a question a number, the higher the more it asks for the strong model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from bench.routing.rows import Rows
from bench.routing.vectors import Vectors
from headgate.core.tokens import estimate_tokens
from headgate.routing.difficulty.port import Question
from headgate.routing.difficulty.signals import score as difficulty
from headgate.routing.learned.beginning import begin, prior_of
from headgate.routing.learned.model import LearnedModel
from headgate.routing.learned.surface import SURFACE
from headgate.routing.learned.training import model_of
from headgate.routing.learned.training import teach as one_by_one

__all__ = ["Fit", "begun", "by_length", "expected", "learned", "nearest", "signals", "surface_only", "teach"]

Fit = Callable[[Rows, Vectors, np.ndarray, np.ndarray], np.ndarray]
"""(rows, vectors, places to learn from, places to score) -> scores."""


def teach(rows: Rows, vectors: Vectors, places: np.ndarray, *, blind: bool = False) -> LearnedModel:
    """The product's own training. blind: without embeddings."""
    embeddings = vectors.embeddings[places]
    if blind:
        embeddings = np.zeros((len(places), 1), np.float32)
    return model_of(embeddings, vectors.surfaces[places], rows.scores[places], rows.models, "bench")


def expected(
    model: LearnedModel, vectors: Vectors, places: np.ndarray, models: Sequence[str], *, blind: bool = False
) -> np.ndarray:
    """Expected quality by question and model, unclipped."""
    embeddings = np.zeros((len(places), 1)) if blind else vectors.embeddings[places].astype(float)
    inside = model.scaling.vectors(embeddings, vectors.surfaces[places])
    return np.stack([model.heads[name].expect(inside)[0] for name in models], axis=1)


def learned(rows: Rows, vectors: Vectors, known: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The product: a head per model, the difference of what they expect."""
    found = expected(teach(rows, vectors, known), vectors, asked, rows.models)
    return found[:, 0] - found[:, 1]


def surface_only(rows: Rows, vectors: Vectors, known: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The product without the embedding."""
    found = expected(teach(rows, vectors, known, blind=True), vectors, asked, rows.models, blind=True)
    return found[:, 0] - found[:, 1]


def begun(other: Rows, others: Vectors) -> Fit:
    """The product before and while it learns: a prior made of another data set, then one label after the other."""
    prior = prior_of(others.surfaces, other.strong, other.weak)

    def fit(rows: Rows, vectors: Vectors, known: np.ndarray, asked: np.ndarray) -> np.ndarray:
        model = begin("bench", vectors.embeddings.shape[1], prior)
        strong, weak = rows.models
        model.meet(strong, 1.0)
        model.meet(weak, 0.0)
        inside = model.scaling.vectors(vectors.embeddings[known].astype(float), vectors.surfaces[known])
        one_by_one(model, inside, rows.scores[known], rows.models)
        found = expected(model, vectors, asked, rows.models)
        return found[:, 0] - found[:, 1]

    return fit


def nearest(rows: Rows, vectors: Vectors, known: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Mean difference over the 40 nearest known questions."""
    close = vectors.embeddings[asked] @ vectors.embeddings[known].T
    nearest_ones = np.argpartition(-close, 40, axis=1)[:, :40]
    return (rows.strong - rows.weak)[known][nearest_ones].mean(1)


def by_length(_rows: Rows, vectors: Vectors, _known: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The number of characters, nothing else."""
    return vectors.surfaces[asked, SURFACE.index("characters")]


def signals(rows: Rows, _vectors: Vectors, _known: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The transparent default's own score, which learns nothing."""
    return np.array([difficulty(_question(rows.texts[at])) for at in asked])


def _question(text: str) -> Question:
    return Question(text=text[:8000], tokens=estimate_tokens(text.encode(errors="replace")))
