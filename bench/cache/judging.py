"""How often the judge of answers is mistaken: `same_answer`, which compares what was given from memory with what a model says.

python -m bench.cache.judging    print the table
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.cache.answers import AnswerPair, AnswerSet, answer_sets
from bench.cache.rows import cosines
from headgate.cache.semantic.bounds import upper_bound
from headgate.cache.semantic.comparing import EMBEDDED, same_answer

__all__ = ["Mistakes", "main", "measured", "mistakes", "table"]

ROUNDS = 2_000
"""Of the bootstrap."""


@dataclass(frozen=True, slots=True)
class Mistakes:
    """Of the judge, on one set."""

    name: str
    same: bool
    pairs: int
    groups: int
    share: float
    """Of pairs that say the same: taken for different. Of the others: taken for the same."""
    interval: tuple[float, float]
    """95 %, by bootstrap over groups; where nothing or all was mistaken, Clopper and Pearson's of the groups."""


def measured() -> list[Mistakes]:
    """Of all sets. Raises DataMissing, EmbedderMissing."""
    sets = answer_sets()
    every = [pair for one in sets for pair in one.pairs]
    ones, others = ([getattr(pair, side)[:EMBEDDED] for pair in every] for side in ("one", "other"))
    near = {
        (one, other): float(cosine)
        for one, other, cosine in zip(ones, others, cosines(ones, others), strict=True)
    }

    async def cosine(one: str, other: str) -> float | None:
        return near[one, other]

    async def of(pair: AnswerPair) -> bool:
        return bool(await same_answer(pair.one, pair.other, cosine))

    async def all_of(one: AnswerSet) -> list[bool]:
        return [await of(pair) for pair in one.pairs]

    return [mistakes(one, asyncio.run(all_of(one))) for one in sets]


def mistakes(one: AnswerSet, called_same: list[bool], *, seed: int = 0) -> Mistakes:
    """called_same: what the judge said of each pair."""
    groups: dict[str, list[bool]] = {}
    for pair, called in zip(one.pairs, called_same, strict=True):
        groups.setdefault(pair.group, []).append(called != one.same)
    wrong = np.array([sum(some) for some in groups.values()])
    sizes = np.array([len(some) for some in groups.values()])
    share = float(wrong.sum() / sizes.sum())
    if 0 < share < 1:
        draws = np.random.default_rng(seed).integers(0, len(sizes), (ROUNDS, len(sizes)))
        low, high = np.percentile(wrong[draws].sum(axis=1) / sizes[draws].sum(axis=1), (2.5, 97.5))
        interval = float(low), float(high)
    else:
        end = upper_bound(0, len(sizes), 0.975)
        interval = (0.0, end) if share == 0 else (1 - end, 1.0)
    return Mistakes(one.name, one.same, len(one.pairs), len(sizes), share, interval)


def table(found: Sequence[Mistakes]) -> str:
    """In Markdown: first what says the same, then what does not."""
    head = {
        True: "| answers that say the same | pairs (of independent groups) | taken for different |",
        False: "| answers that do not | pairs (of independent groups) | taken for the same |",
    }
    parts = []
    for same, line in head.items():
        rows = [
            f"| {one.name} | {one.pairs} ({one.groups}) | {one.share:.1%} ({one.interval[0]:.1%} to {one.interval[1]:.1%}) |"
            for one in found
            if one.same == same
        ]
        parts.append("\n".join([line, "| --- | --- | --- |", *rows]))
    return "\n\n".join(parts)


def main() -> int:
    """The command line."""
    print(table(measured()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
