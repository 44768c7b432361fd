"""A stream of near questions whose truth is known, for whoever checks what a bound promises."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from headgate.cache.semantic.bounds import Bounds
from headgate.stores.answers import Judgement

__all__ = ["TRUTHS", "Outcome", "stream"]

TRUTHS: Mapping[str, Callable[[float], float]] = {
    "rising": lambda score: 1 - 0.9 * (1 - score) ** 1.5,
    "cliff at 0.9": lambda score: 0.999 if score > 0.9 else 0.7,
    "just too bad for 5 %": lambda score: 0.94,
    "just too bad for 1 %": lambda score: 0.985,
}
"""How likely a neighbour of some score is right."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one stream."""

    asked: int
    given: int
    wrong: int

    def over(self, most_wrong: float) -> float:
        """By how many standard errors more was wrong than may be; below 0: less."""
        if not self.given:
            return 0.0
        return (self.wrong / self.given - most_wrong) / math.sqrt(most_wrong * (1 - most_wrong) / self.given)


def stream(
    truth: Callable[[float], float],
    most_wrong: float,
    seed: int,
    *,
    noise: float = 0.1,
    repeats: float = 0.1,
    asked: int = 20_000,
    sample: float = 0.05,
    entries: int = 300,
) -> Outcome:
    """noise: share of judgements that say the contrary. repeats: of the questions, those asked anew to learn how often judging is
    mistaken. Hits are judged by `sample`, near misses all."""
    chance, bounds = random.Random(seed), Bounds()
    keys = [number.to_bytes(16, "big") for number in range(entries)]
    popular = chance.choices(keys, [1 / (number + 1) for number in range(entries)], k=asked)
    given = wrong = 0
    for at, key in enumerate(popular):
        score = min(chance.betavariate(3, 1), 0.999)
        right = chance.random() < truth(score)
        judged = right == (chance.random() >= noise)
        if chance.random() < repeats:
            bounds.repeated("faq", same=chance.random() >= noise)
        if bounds.allows("faq", key, score, most_wrong):
            given, wrong = given + 1, wrong + (not right)
            if chance.random() < sample:
                bounds.learn(Judgement(key, score, judged, at, "sample", feature="faq", weight=1 / sample))
        else:
            bounds.learn(Judgement(key, score, judged, at, "near", feature="faq"))
    return Outcome(asked, given, wrong)
