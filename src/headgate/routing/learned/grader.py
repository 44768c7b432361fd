"""The learned grader: expects a quality of each model, and takes the one that is worth its money."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from headgate.providers.embedding.port import Embedder, EmbedderBusy
from headgate.routing.difficulty.port import TIERS, Grade, Grader, Question, Tier
from headgate.routing.learned.choosing import Aim, choose, confidence, tradeoff
from headgate.routing.learned.model import Expected, LearnedModel
from headgate.routing.learned.surface import excerpt

__all__ = ["LearnedGrader", "UsdOf"]

UsdOf = Callable[[str, int], float]
"""(model, tokens of the prompt) -> what a request is expected to cost, in USD. Pure and quick: no I/O."""
_SOLVE_EVERY = 64
"""Questions between two looks at what money is worth; a look takes some milliseconds."""


class LearnedGrader:
    """A Grader. Hands a question on to another grader while it knows too little about the models at stake."""

    def __init__(
        self,
        model: LearnedModel,
        embedder: Embedder,
        *,
        usd_of: UsdOf,
        aim: Aim,
        otherwise: Grader,
        learned_after: float = 0.0,
    ) -> None:
        """otherwise: asked before enough was learned, and when the embedder has too much to do.
        learned_after: outcomes of each model at stake before this grader decides. With 0 it decides from the first
        question, by what it was given to begin with (docs/reference/routing-benchmark.md says how well)."""
        self.model = model
        self._embedder = embedder
        self._usd_of = usd_of
        self._aim = aim
        self._otherwise = otherwise
        self._learned_after = learned_after
        self._tradeoffs: dict[tuple[str, ...], tuple[int, float]] = {}
        self._graded = 0

    async def grade(self, question: Question, models: Mapping[Tier, str]) -> Grade:
        """The lowest tier that is served by the model worth its money."""
        names = tuple(dict.fromkeys(models[tier] for tier in TIERS if tier in models))
        for name in names:
            if name not in self.model.heads:
                self.model.meet(name, _standing(name, models))
        strange = [
            name
            for name in names
            if name not in self.model.heads or self.model.seen(name) < self._learned_after
        ]
        if strange:
            why = f"too little is known of `{strange[0]}` yet ({self.model.seen(strange[0]):.0f} outcomes)"
            return await self._ask_otherwise(question, models, why)
        try:
            [embedding] = await self._embedder.embed([excerpt(question.text)])
        except EmbedderBusy:
            return await self._ask_otherwise(question, models, "the local embedder has too much to do")
        vector = self.model.vector(question.text, embedding)
        expected = self.model.expect(vector, names)
        usd = {name: self._usd_of(name, question.tokens) for name in names}
        chosen = choose(expected, usd, self._price_of_money(names, question.tokens))
        self.model.remember(vector, question.tokens)
        self._graded += 1
        return Grade(
            tier=next(tier for tier in TIERS if models.get(tier) == chosen),
            confidence=confidence(expected, chosen),
            reasons=_reasons(expected, usd, chosen),
            quality={name: one.quality for name, one in expected.items()},
            vector=vector,
        )

    async def _ask_otherwise(self, question: Question, models: Mapping[Tier, str], why: str) -> Grade:
        grade = await self._otherwise.grade(question, models)
        return replace(grade, reasons=(*grade.reasons, f"not by what was learned: {why}"))

    def _price_of_money(self, names: tuple[str, ...], tokens: int) -> float:
        """Solved over the latest questions, and kept for a while: at first for a short one, there is much to learn.

        tokens: of the question at hand; those of the sample that nobody counted are taken to be like it."""
        solved = self._tradeoffs.get(names)
        if solved and self._graded - solved[0] < min(solved[0] + 1, _SOLVE_EVERY):
            return solved[1]
        quality, counts = self.model.expect_sample(names)
        usd = np.array([[self._usd_of(name, count or tokens) for name in names] for count in counts])
        price = tradeoff(quality, usd, self._aim)
        if len(self._tradeoffs) > _SOLVE_EVERY:
            self._tradeoffs.clear()
        self._tradeoffs[names] = (self._graded, price)
        return price


def _standing(name: str, models: Mapping[Tier, str]) -> float:
    """0 for the model of the easiest tier that is served, 1 for that of the hardest, by the highest tier it serves."""
    served = [tier for tier in TIERS if tier in models]
    highest = max(at for at, tier in enumerate(served) if models[tier] == name)
    return highest / max(len(served) - 1, 1)


def _reasons(expected: Mapping[str, Expected], usd: Mapping[str, float], chosen: str) -> tuple[str, ...]:
    own = expected[chosen]
    found = [f"`{chosen}` is expected to reach {own.quality:.2f} for {usd[chosen]:.6f} USD"]
    for name, other in sorted(expected.items(), key=lambda one: -one[1].quality):
        if name != chosen:
            better = other.quality > own.quality and usd[name] > usd[chosen]
            end = ", not worth the difference" if better else ""
            found.append(f"`{name}` {other.quality:.2f} for {usd[name]:.6f} USD{end}")
    return tuple(found)
