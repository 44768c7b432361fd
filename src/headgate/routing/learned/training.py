"""Scored answers of the past -> a learned model."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from headgate.providers.embedding.port import Embedder
from headgate.routing.learned.beginning import begin, shipped_prior
from headgate.routing.learned.heads import best_strength, fit
from headgate.routing.learned.model import LearnedModel, Scaling
from headgate.routing.learned.surface import excerpt, surface

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["BadTrainingRow", "TrainingRow", "learn_from", "model_of", "parse_rows", "teach", "train"]

_ENOUGH = 30
"""Questions that all models answered, from which on models are compared with each other and not with zero."""
_FEW = 150
"""Questions below which what models usually do says more than the rows alone (docs/reference/routing-benchmark.md)."""


class BadTrainingRow(ValueError):
    """A line of a training file is not what it should be; the message names the line."""


class TrainingRow(msgspec.Struct, frozen=True):
    """How well one model answered one question."""

    prompt: str
    model: str
    """Its name in our configuration."""
    score: float
    """0 to 1."""


def parse_rows(data: bytes) -> list[TrainingRow]:
    """Read lines such as `{"prompt": "...", "model": "small", "score": 0.8}`; empty lines are passed over.

    Raises BadTrainingRow for the first line that is wrong, and for a file without any."""
    found = []
    decoder = msgspec.json.Decoder(TrainingRow)
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            row = decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError) as fault:
            raise BadTrainingRow(f"line {number}: {fault}") from fault
        if not 0 <= row.score <= 1:
            raise BadTrainingRow(f"line {number}: `score` is {row.score}, it must be from 0 to 1")
        found.append(row)
    if not found:
        raise BadTrainingRow("the file holds no line to learn from")
    return found


def learn_from(rows: Iterable[TrainingRow], embedder: Embedder) -> bytes:
    """Train and dump; for programs without an event loop of their own. Raises BadTrainingRow if there are no rows."""
    return asyncio.run(train(list(rows), embedder)).dump()


async def train(rows: Sequence[TrainingRow], embedder: Embedder) -> LearnedModel:
    """Embed each question once, then fit. Raises BadTrainingRow if there are no rows."""
    if not rows:
        raise BadTrainingRow("there is no row to learn from")
    prompts, models, scores = _table(rows)
    embeddings = await embedder.embed([excerpt(prompt) for prompt in prompts])
    surfaces = np.array([surface(prompt) for prompt in prompts])
    if len(prompts) < _FEW:
        model = begin(embedder.fingerprint, embedder.dimensions, shipped_prior())
    else:
        model = model_of(embeddings, surfaces, scores, models, embedder.fingerprint)
    vectors = model.scaling.vectors(np.asarray(embeddings, np.float64), surfaces)
    if len(prompts) < _FEW:
        teach(model, vectors, scores, models)
    for vector in vectors:
        model.remember(
            vector, 0
        )  # prompts of a file come without the system's words, tools and history of real ones
    return model


def model_of(
    embeddings: NDArray[np.float32], surfaces: Floats, scores: Floats, models: Sequence[str], fingerprint: str
) -> LearnedModel:
    """Fit heads to a table of scores. scores: by question (rows) and model (columns), NaN where nothing is known."""
    wide = np.asarray(embeddings, np.float64)
    scaling = Scaling.of(wide, surfaces)
    vectors = scaling.vectors(wide, surfaces)
    strength = best_strength(_compared(vectors, scores))
    learned = LearnedModel(fingerprint, scaling, strength)
    # Models that answered the same questions share a fit, and its covariance.
    together: dict[bytes, list[int]] = defaultdict(list)
    for column in range(len(models)):
        together[np.isfinite(scores[:, column]).tobytes()].append(column)
    for columns in together.values():
        known = np.isfinite(scores[:, columns[0]])
        heads = fit(vectors[known], scores[known][:, columns], strength)
        learned.heads.update(zip((models[column] for column in columns), heads, strict=True))
    return learned


def teach(model: LearnedModel, vectors: Floats, scores: Floats, models: Sequence[str]) -> None:
    """Learn a table one outcome at a time, on top of what the model knows. Models it has not met stand by their means."""
    if not len(scores):
        return
    means = np.nanmean(scores, axis=0)
    width = float(means.max() - means.min())
    for column, name in enumerate(models):
        model.meet(name, float(means[column] - means.min()) / width if width else 0.5)
        for row in np.flatnonzero(np.isfinite(scores[:, column])):
            model.update(vectors[row], name, float(scores[row, column]))


def _compared(vectors: Floats, scores: Floats) -> list[tuple[Floats, Floats]]:
    """What the strength of the prior is judged by: how models differ on a question, since only that decides a route.

    Judged by the scores themselves, the prior fits how hard questions are for everybody."""
    whole = np.isfinite(scores).all(1)
    if scores.shape[1] > 1 and whole.sum() >= _ENOUGH:
        table = scores[whole]
        return [(vectors[whole], table - table.mean(1, keepdims=True))]
    known = np.isfinite(scores)
    return [(vectors[known[:, at]], scores[known[:, at], at][:, None]) for at in range(scores.shape[1])]


def _table(rows: Sequence[TrainingRow]) -> tuple[list[str], list[str], Floats]:
    """Questions, models, and mean scores by both."""
    prompts = {prompt: at for at, prompt in enumerate(dict.fromkeys(row.prompt for row in rows))}
    models = {model: at for at, model in enumerate(dict.fromkeys(row.model for row in rows))}
    total = np.zeros((len(prompts), len(models)))
    count = np.zeros_like(total)
    for row in rows:
        at = prompts[row.prompt], models[row.model]
        total[at] += row.score
        count[at] += 1
    means = np.full_like(total, np.nan)
    np.divide(total, count, out=means, where=count > 0)
    return list(prompts), list(models), means
