"""Who learns from what and is asked about what: folds, draws of few labels, other data sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bench.routing.protocol import Figures, bootstrap, figures
from bench.routing.routers import Fit
from bench.routing.rows import Rows
from bench.routing.vectors import Vectors

__all__ = ["Trial", "cross_validated", "few_labels", "fixed", "folds"]


@dataclass(frozen=True)
class Trial:
    """Figures of one router on one data set: means over repetitions."""

    figures: Figures
    spread: float
    """Standard deviation of APGR over repetitions (other folds or other draws); 0 for one."""
    interval: tuple[float, float] | None
    """95 % of APGR over questions, of the first repetition; None where each repetition asks others."""
    labels: int
    """Questions whose scores were known to the router that answered."""
    asked: int
    """Questions it was asked."""


def folds(count: int, parts: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(known, asked) places, each place asked once."""
    order = np.random.default_rng(seed).permutation(count)
    for part in range(parts):
        asked = order[part::parts]
        yield np.setdiff1d(order, asked), asked


def cross_validated(
    fit: Fit, rows: Rows, vectors: Vectors, *, parts: int, repeats: int, tick: Callable[[], None]
) -> Trial:
    """Every question scored by a router that did not know it; the folds' scores are pooled under one set of thresholds."""
    count = len(rows.texts)
    found, first = [], None
    for seed in range(repeats):
        scores = np.zeros(count)
        for known, asked in folds(count, parts, seed):
            scores[asked] = fit(rows, vectors, known, asked)
            tick()
        found.append(figures(scores, rows.strong, rows.weak))
        first = scores if first is None else first
    assert first is not None
    interval = bootstrap(first, rows.strong, rows.weak)
    return _trial(found, interval, count - count // parts, count)


def few_labels(
    fit: Fit, rows: Rows, vectors: Vectors, *, labels: int, draws: int, tick: Callable[[], None]
) -> Trial:
    """Learn from `labels` questions drawn by chance, be asked all the others; again for each draw."""
    found = []
    for seed in range(draws):
        order = np.random.default_rng(1000 + seed).permutation(len(rows.texts))
        known, asked = order[:labels], order[labels:]
        scores = fit(rows, vectors, known, asked)
        found.append(figures(scores, rows.strong[asked], rows.weak[asked]))
        tick()
    return _trial(found, None, labels, len(rows.texts) - labels)


def fixed(scores: np.ndarray, rows: Rows, *, labels: int = 0) -> Trial:
    """Scores that depend on no label of this data set."""
    interval = bootstrap(scores, rows.strong, rows.weak)
    return _trial([figures(scores, rows.strong, rows.weak)], interval, labels, len(rows.texts))


def _trial(found: Sequence[Figures], interval: tuple[float, float] | None, labels: int, asked: int) -> Trial:
    values = np.array([[one.apgr, one.cpt50, one.cpt80] for one in found])
    spread = float(values[:, 0].std(ddof=1)) if len(found) > 1 else 0.0
    return Trial(Figures(*(float(one) for one in values.mean(0))), spread, interval, labels, asked)
