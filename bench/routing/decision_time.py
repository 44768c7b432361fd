"""What one decision takes: the whole grader, embedding included, one question after another."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from bench.routing.routers import teach
from bench.routing.rows import Rows
from bench.routing.vectors import Vectors
from headgate.core.tokens import estimate_tokens
from headgate.providers.embedding.local import LocalEmbedder
from headgate.routing.difficulty.port import Question, Tier
from headgate.routing.difficulty.signals import Signals
from headgate.routing.learned.choosing import Aim
from headgate.routing.learned.grader import LearnedGrader

__all__ = ["decision_times"]

_ASKED = 300


def decision_times(
    rows: Rows, vectors: Vectors, embedder: LocalEmbedder, tick: Callable[[], None]
) -> dict[str, float]:
    """Milliseconds, elapsed and of the processor: median and 95th percentile over 300 questions of the data set, and of its longest tenth."""
    model = teach(rows, vectors, np.arange(len(rows.texts)))
    model.fingerprint = embedder.fingerprint
    tiers: Mapping[Tier, str] = {"simple": rows.models[1], "complex": rows.models[0]}
    price = {rows.models[0]: 10.0, rows.models[1]: 0.5}
    grader = LearnedGrader(
        model,
        embedder,
        usd_of=lambda name, tokens: price[name] * tokens / 1e6,
        aim=Aim(),
        otherwise=Signals(),
    )
    step = max(len(rows.texts) // _ASKED, 1)
    usual = rows.texts[::step][:_ASKED]
    long = sorted(rows.texts, key=len)[-max(len(rows.texts) // 10, 1) :][:_ASKED]
    found = {}
    for name, texts in (("usual", usual), ("longest tenth", long)):
        elapsed, used = asyncio.run(_times(grader, texts, tiers))
        tick()
        for kind, times in (("elapsed", elapsed), ("processor", used)):
            median, high = np.quantile(times, [0.5, 0.95])
            found[f"{name}, {kind}, median"], found[f"{name}, {kind}, 95 %"] = float(median), float(high)
    return found


async def _times(
    grader: LearnedGrader, texts: Sequence[str], tiers: Mapping[Tier, str]
) -> tuple[list[float], list[float]]:
    elapsed, used = [], []
    for text in texts:
        question = Question(text=text[:8000], tokens=estimate_tokens(text.encode(errors="replace")))
        start, spent = time.perf_counter(), time.process_time()
        await grader.grade(question, tiers)
        elapsed.append(1000 * (time.perf_counter() - start))
        used.append(1000 * (time.process_time() - spent))
    return elapsed, used
