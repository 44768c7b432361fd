"""Small worlds in which it is known which model answers what."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from headgate.routing.difficulty.port import Grade, Question, Tier
from headgate.routing.learned.training import TrainingRow

__all__ = ["EASY", "HARD", "Steady", "question", "rows"]

EASY = ("greet the guest", "say hello", "name a colour", "greet a friend", "what is a colour", "say goodbye")
HARD = ("prove the lemma", "derive the bound", "prove the theorem", "derive a lemma", "refute the bound")


def rows(count: int = 200, *, seed: int = 0) -> list[TrainingRow]:
    """`large` answers all, `small` what is easy; each question is worded a little differently."""
    chance = np.random.default_rng(seed)
    found = []
    for at in range(count):
        hard = bool(at % 2)
        text = f"{chance.choice(HARD if hard else EASY)} number {chance.choice(['one', 'two', 'ten'])} {at}"
        found += [
            TrainingRow(text, "small", 0.1 if hard else 0.9),
            TrainingRow(text, "large", 0.95),
        ]
    return found


def question(text: str, tokens: int = 100) -> Question:
    return Question(text=text, tokens=tokens)


class Steady:
    """A grader that always says the same."""

    def __init__(self, tier: Tier = "medium") -> None:
        self.tier: Tier = tier
        self.asked = 0

    async def grade(self, question: Question, models: Mapping[Tier, str]) -> Grade:
        self.asked += 1
        return Grade(self.tier, 0.5, ("always",))
