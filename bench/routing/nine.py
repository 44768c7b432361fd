"""Nine models: which one to ask, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.routing.routers import expected, teach
from bench.routing.rows import Rows
from bench.routing.trials import folds
from bench.routing.vectors import Vectors
from headgate.routing.learned.choosing import Aim, tradeoff

__all__ = ["SIZES", "NineResult", "nine_models"]

SIZES = {
    "codegemma-7b": 8.5,
    "gemma-2-9b-it": 9.2,
    "llama-3.1-8b-instruct": 8.0,
    "llama-3.1-nemotron-51b-instruct": 51.5,
    "llama-3.3-nemotron-super-49b-v1": 49.9,
    "llama3-chatqa-1.5-70b": 70.6,
    "llama3-chatqa-1.5-8b": 8.0,
    "mistral-7b-instruct-v0.3": 7.2,
    "qwen2.5-7b-instruct": 7.6,
}
"""Billions of parameters, from the models' cards. The rows carry no prices; this stands for them."""
_PARTS = 5


@dataclass(frozen=True)
class NineResult:
    """One way to choose, over every question, each chosen for without knowing it."""

    name: str
    accuracy: float
    interval: tuple[float, float]
    parameters: float
    """Billions, mean over questions."""


def nine_models(rows: Rows, vectors: Vectors, tick: Callable[[], None]) -> list[NineResult]:
    """Best single, learned with money of no object, learned to a sum and to a quality, oracle."""
    sizes = np.array([SIZES[name] for name in rows.models])
    ways = (
        "best single",
        "learned, best quality",
        "learned, at most 3/4 of its cost",
        "learned, its quality, cheapest",
    )
    choices = {way: np.zeros(len(rows.texts), int) for way in ways}
    for known, asked in folds(len(rows.texts), _PARTS, 0):
        model = teach(rows, vectors, known)
        quality = expected(model, vectors, asked, rows.models)
        best = int(rows.scores[known].mean(0).argmax())
        # What money is worth is settled, as in the product, on the questions that come, by what is expected of them.
        dear = np.broadcast_to(sizes, quality.shape)
        sum_aim = Aim(usd_per_1000=1000 * 0.75 * sizes[best])
        goal_aim = Aim(quality=float(rows.scores[known][:, best].mean()))
        choices[ways[0]][asked] = best
        choices[ways[1]][asked] = quality.argmax(1)
        choices[ways[2]][asked] = (quality - tradeoff(quality, dear, sum_aim) * sizes).argmax(1)
        choices[ways[3]][asked] = (quality - tradeoff(quality, dear, goal_aim) * sizes).argmax(1)
        tick()
    found = [_result(way, rows, chosen, sizes) for way, chosen in choices.items()]
    best_of_all = (rows.scores - 1e-6 * sizes).argmax(1)
    return [*found, _result("oracle, cheapest of the best", rows, best_of_all, sizes)]


def _result(name: str, rows: Rows, chosen: np.ndarray, sizes: np.ndarray) -> NineResult:
    reached = rows.scores[np.arange(len(chosen)), chosen]
    chance = np.random.default_rng(0)
    means = [reached[chance.integers(0, len(reached), len(reached))].mean() for _ in range(1000)]
    low, high = np.quantile(means, [0.025, 0.975])
    return NineResult(name, float(reached.mean()), (float(low), float(high)), float(sizes[chosen].mean()))
