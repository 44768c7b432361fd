"""Every trial that is run, in order, and how many steps it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from bench.routing import routers
from bench.routing.decision_time import decision_times
from bench.routing.nine import NineResult, nine_models
from bench.routing.rows import Rows, load_nine, load_pair
from bench.routing.trials import Trial, cross_validated, few_labels, fixed
from bench.routing.vectors import Vectors, open_embedder, vectors_of

__all__ = ["Outcome", "Plan", "run"]

Tick = Callable[[], None]


@dataclass(frozen=True)
class Plan:
    """How often each trial is repeated."""

    draws: int = 10
    repeats: int = 5
    mmlu_labels: tuple[int, ...] = (100, 200, 500, 1500)
    gsm8k_labels: tuple[int, ...] = (100, 200)
    first_labels: tuple[int, ...] = (50, 100, 200)
    mmlu_folds: int = 5
    gsm8k_folds: int = 10
    """500 labels cannot be drawn of 493 questions with any left to ask: nine tenths are the nearest that can."""


@dataclass
class Outcome:
    """Everything that was found."""

    sets: list[Rows] = field(default_factory=list)
    trials: dict[str, dict[str, Trial]] = field(default_factory=dict)
    """By data set and name of trial."""
    nine: list[NineResult] = field(default_factory=list)
    calibration: dict[str, float] = field(default_factory=dict)
    milliseconds: dict[str, float] = field(default_factory=dict)
    embedder: str = ""


def run(plan: Plan, begin: Callable[[str, int], Tick]) -> Outcome:
    """begin: (what, steps) -> called once a step is done."""
    mmlu, gsm8k, nine = load_pair("routellm-mmlu"), load_pair("routellm-gsm8k"), load_nine()
    embedder = open_embedder()
    outcome = Outcome(sets=[mmlu, gsm8k, nine], embedder=embedder.fingerprint)
    try:
        seen = {
            rows.name: vectors_of(rows.texts, embedder, begin(f"{rows.name}: embedding", len(rows.texts)))
            for rows in (mmlu, gsm8k, nine)
        }
        for rows, parts, labels in (
            (mmlu, plan.mmlu_folds, plan.mmlu_labels),
            (gsm8k, plan.gsm8k_folds, plan.gsm8k_labels),
        ):
            outcome.trials[rows.name] = _pair(plan, rows, seen[rows.name], parts, labels, begin)
        for rows, other in ((mmlu, gsm8k), (gsm8k, mmlu)):
            started = _begun(plan, rows, seen[rows.name], other, seen[other.name], begin)
            outcome.trials[rows.name].update(started)
        outcome.calibration = _calibration(mmlu, seen[mmlu.name])
        outcome.nine = nine_models(nine, seen[nine.name], begin("nine models", 5))
        outcome.milliseconds = decision_times(mmlu, seen[mmlu.name], embedder, begin("decision time", 2))
    finally:
        embedder.close()
    return outcome


def _pair(
    plan: Plan,
    rows: Rows,
    vectors: Vectors,
    parts: int,
    labels: tuple[int, ...],
    begin: Callable[[str, int], Tick],
) -> dict[str, Trial]:
    everyone = np.arange(len(rows.texts))
    found = {
        "random": _chance(rows, plan.draws),
        "prompt length alone": fixed(routers.by_length(rows, vectors, everyone, everyone), rows),
        "transparent default": fixed(routers.signals(rows, vectors, everyone, everyone), rows),
    }
    repeats = plan.repeats if parts > plan.mmlu_folds else 1
    for name, fit in (
        ("40 nearest neighbours", routers.nearest),
        ("learned, without embedding", routers.surface_only),
        ("learned", routers.learned),
    ):
        tick = begin(f"{rows.name}: {name}, cross-validated", parts * repeats)
        found[f"{name}, all labels"] = cross_validated(
            fit, rows, vectors, parts=parts, repeats=repeats, tick=tick
        )
    for count in labels:
        tick = begin(f"{rows.name}: {count} labels", plan.draws)
        found[f"learned, {count} labels"] = few_labels(
            routers.learned, rows, vectors, labels=count, draws=plan.draws, tick=tick
        )
    best = (rows.strong - rows.weak) + 1e-6 * np.random.default_rng(0).random(len(rows.texts))
    found["oracle"] = fixed(best, rows)
    return found


def _chance(rows: Rows, draws: int) -> Trial:
    """Scores by chance, each draw on all questions."""

    def by_chance(*_: object) -> np.ndarray:
        return chance.random(len(rows.texts))

    chance = np.random.default_rng(0)
    nothing = Vectors(np.zeros((0, 0)), np.zeros((0, 0)))
    return few_labels(by_chance, rows, nothing, labels=0, draws=draws, tick=lambda: None)


def _begun(
    plan: Plan,
    rows: Rows,
    vectors: Vectors,
    other: Rows,
    others: Vectors,
    begin: Callable[[str, int], Tick],
) -> dict[str, Trial]:
    """What an installation without a file of labels has: the prior, here made of the other data set alone."""
    fit = routers.begun(other, others)
    everyone, nobody = np.arange(len(rows.texts)), np.arange(0)
    found = {"prior of the other set, no label": fixed(fit(rows, vectors, nobody, everyone), rows)}
    for count in plan.first_labels:
        tick = begin(f"{rows.name}: prior and {count} labels", plan.draws)
        found[f"prior of the other set, {count} labels online"] = few_labels(
            fit, rows, vectors, labels=count, draws=plan.draws, tick=tick
        )
    return found


def _calibration(rows: Rows, vectors: Vectors) -> dict[str, float]:
    """By model: mean distance between expected quality and what came, over ten bins of equal count, half of the rows
    known and the others asked."""
    order = np.random.default_rng(0).permutation(len(rows.texts))
    half = len(order) // 2
    found = routers.expected(routers.teach(rows, vectors, order[:half]), vectors, order[half:], rows.models)
    errors = {}
    for column, name in enumerate(rows.models):
        said = np.clip(found[:, column], 0, 1)
        came = rows.scores[order[half:], column]
        bins = np.array_split(np.argsort(said), 10)
        errors[name] = float(np.mean([abs(said[one].mean() - came[one].mean()) for one in bins]))
    return errors
