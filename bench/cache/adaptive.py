"""What `semantic = "adaptive"` keeps: streams of near questions whose truth is known, and a judge that errs as it was measured to.

python -m bench.cache.adaptive            print the tables
python -m bench.cache.adaptive --write    and write them into docs/reference/cache-benchmark.md
python -m bench.cache.adaptive --json     the figures on standard output, for programs
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from bench.cache.adaptive_page import adaptive_section, judge_section
from bench.cache.generate import generate
from bench.cache.judging import Mistakes, measured
from bench.cache.page import write_section
from bench.cache.rows import DataMissing, cosines
from headgate.cache.semantic.bounds import Bounds, upper_bound
from headgate.cache.semantic.check import open_check
from headgate.providers.embedding.port import EmbedderMissing
from headgate.stores.answers import Judgement

__all__ = ["BOUNDS", "Cell", "Judge", "Near", "Outcome", "cell", "main", "simulate", "stream"]

BOUNDS = (0.01, 0.02, 0.05)
SEEDS = 12
ASKED = 10_000
SAMPLE = 0.05
ENTRIES = 300
REPEATS = 0.1
"""Of the questions: so many are asked anew (`refresh`), which shows what the judge takes for wrong."""
GENERATED_SEED = 99
_FEW_STREAMS = 5
"""Fewer that gave anything tell nothing of how streams differ."""

Draw = Callable[[random.Random], tuple[float, bool]]
"""Score of a near question, and whether the kept answer is right for it."""


@dataclass(frozen=True, slots=True)
class Near:
    """Where near questions come from."""

    name: str
    draw: Callable[[float], Draw]
    """By the share that may be wrong."""


@dataclass(frozen=True, slots=True)
class Judge:
    """How often two answers are taken for what they are not."""

    name: str
    alarmed: float
    """Of those that say the same: taken for different."""
    overlooks: float
    """Of those that do not: taken for the same."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one stream."""

    given: int
    wrong: int
    first: int | None
    """Near questions before the first that was given an answer."""
    judged: int
    looks: int
    """How often the threshold was looked for."""

    def over(self, most_wrong: float) -> float:
        """By how many standard errors more was wrong than may be; below 0: less."""
        if not self.given:
            return 0.0
        return (self.wrong / self.given - most_wrong) / math.sqrt(most_wrong * (1 - most_wrong) / self.given)


@dataclass(frozen=True, slots=True)
class Cell:
    """Streams of one kind, by seeds."""

    near: str
    judge: str
    most_wrong: float
    served: float
    """Of the near questions."""
    served_range: tuple[float, float]
    """Least and most over streams."""
    wrong: float | None
    """Of what was given."""
    wrong_interval: tuple[float, float] | None
    """95 %, by bootstrap over streams; if none was wrong, or hardly a stream gave anything, Clopper and Pearson's of all hits."""
    over: int
    """Streams with more wrong hits than may be, by more than two standard errors."""
    first: float | None
    """Median over streams that gave any."""
    gave: int
    """Streams that gave any."""
    looks: float


class _Counting(Bounds):
    """Counts its looks."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    def _look(self, feature: str, most_wrong: float) -> int | None:
        self.looks += 1
        return super()._look(feature, most_wrong)


def stream(draw: Draw, judge: Judge, most_wrong: float, seed: int, *, asked: int = ASKED) -> Outcome:
    """Hits are judged by SAMPLE, near misses all, as the product does."""
    chance, bounds = random.Random(seed), _Counting()
    keys = [number.to_bytes(16, "big") for number in range(ENTRIES)]
    popular = chance.choices(keys, [1 / (number + 1) for number in range(ENTRIES)], k=asked)
    given = wrong = judged = 0
    first: int | None = None
    for at, key in enumerate(popular):
        score, right = draw(chance)
        if chance.random() < REPEATS:
            bounds.repeated("faq", same=chance.random() >= judge.alarmed)
        if not score:
            continue
        give = bounds.allows("faq", key, score, most_wrong)
        if give:
            first = at if first is None else first
            given, wrong = given + 1, wrong + (not right)
        if not give or chance.random() < SAMPLE:
            judged += 1
            called = chance.random() >= judge.alarmed if right else chance.random() < judge.overlooks
            bounds.learn(Judgement(key, score, called, at, "sample" if give else "near", feature="faq"))
    return Outcome(given, wrong, first, judged, bounds.looks)


def cell(near: Near, judge: Judge, most_wrong: float, *, seeds: int = SEEDS, asked: int = ASKED) -> Cell:
    """Over seeds."""
    some = [stream(near.draw(most_wrong), judge, most_wrong, seed, asked=asked) for seed in range(seeds)]
    given, wrong = (np.array([getattr(one, name) for one in some]) for name in ("given", "wrong"))
    firsts = [one.first for one in some if one.first is not None]
    total = int(given.sum())
    return Cell(
        near=near.name,
        judge=judge.name,
        most_wrong=most_wrong,
        served=total / (asked * seeds),
        served_range=(float(given.min()) / asked, float(given.max()) / asked),
        wrong=float(wrong.sum() / total) if total else None,
        wrong_interval=_interval(given, wrong) if total else None,
        over=sum(one.over(most_wrong) > 2 for one in some),
        first=float(np.median(firsts)) if firsts else None,
        gave=len(firsts),
        looks=float(np.mean([one.looks for one in some])),
    )


def _interval(given: np.ndarray, wrong: np.ndarray) -> tuple[float, float]:
    of, bad = int(given.sum()), int(wrong.sum())
    if not bad or (given > 0).sum() < _FEW_STREAMS:
        return 1 - upper_bound(of - bad, of, 0.975), upper_bound(bad, of, 0.975)
    draws = np.random.default_rng(0).integers(0, len(given), (2_000, len(given)))
    totals = given[draws].sum(axis=1)
    shares = wrong[draws].sum(axis=1)[totals > 0] / totals[totals > 0]
    low, high = np.percentile(shares, (2.5, 97.5))
    return float(low), float(high)


def nears() -> list[Near]:
    """The kinds of streams. Raises EmbedderMissing."""
    return [
        _of_rows(),
        _by_score("the surer the righter", lambda _most: lambda score: 1 - 0.9 * (1 - score) ** 1.5),
        _by_score("a cliff at 0.9", lambda _most: lambda score: 0.999 if score > 0.9 else 0.7),
        _by_score("half as many wrong as may be", lambda most: lambda _score: 1 - most / 2),
        _by_score("a fifth more wrong than may be", lambda most: lambda _score: 1 - 1.2 * most),
    ]


def judges(found: list[Mistakes]) -> list[Judge]:
    """From those that are never mistaken to those that are as they were measured on answers written for this."""
    alarmed = next(one.share for one in found if one.name == "written" and one.same)
    overlooks = next(one.share for one in found if one.name == "written" and not one.same)
    return [
        Judge("never mistaken", 0.0, 0.0),
        Judge(f"overlooks {overlooks:.0%}, as measured", 0.0, overlooks),
        Judge("overlooks 25%, as is assumed", 0.0, 0.25),
        Judge("overlooks 50%, more than is assumed", 0.0, 0.5),
        Judge(f"2% false alarms, overlooks {overlooks:.0%}", 0.02, overlooks),
        Judge(f"10% false alarms, overlooks {overlooks:.0%}", 0.1, overlooks),
        Judge(f"{alarmed:.0%} false alarms, overlooks {overlooks:.0%}, as measured", alarmed, overlooks),
    ]


def _by_score(name: str, truth_of: Callable[[float], Callable[[float], float]]) -> Near:
    def draw_of(most: float) -> Draw:
        truth = truth_of(most)

        def draw(chance: random.Random) -> tuple[float, bool]:
            score = min(chance.betavariate(3, 1), 0.999)
            return score, chance.random() < truth(score)

        return draw

    return Near(name, draw_of)


def _of_rows() -> Near:
    """Generated pairs of intents that the check never learned, each with the score that it has."""
    pairs = generate(GENERATED_SEED, rounds=8, part="ask")[0]
    check = open_check()
    near = cosines(pairs.asked, pairs.kept)
    rows = [
        (check(asked, kept, float(cosine)).score, bool(same))
        for asked, kept, cosine, same in zip(pairs.asked, pairs.kept, near, pairs.same, strict=True)
    ]
    return Near("generated pairs, as the check scores them", lambda _most: lambda chance: chance.choice(rows))


def simulate(found: list[Mistakes], *, seeds: int = SEEDS, asked: int = ASKED) -> list[Cell]:
    """All kinds of streams with all judges. Raises EmbedderMissing."""
    some, all_judges = nears(), judges(found)
    return [
        cell(near, judge, most, seeds=seeds, asked=asked)
        for most in BOUNDS
        for near in some
        for judge in all_judges
    ]


def main() -> int:
    """The command line. 1: the rows or the embedder are not here."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="write the section")
    parser.add_argument("--json", action="store_true", help="figures as JSON instead of tables")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--asked", type=int, default=ASKED, help="near questions of each stream")
    chosen = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    try:
        found = measured()
        cells = simulate(found, seeds=chosen.seeds, asked=chosen.asked)
    except (DataMissing, EmbedderMissing) as fault:
        sys.stderr.write(f"bench.cache.adaptive: {fault}\n")
        return 1
    section = f"{judge_section(found)}\n{adaptive_section(cells, seeds=chosen.seeds, asked=chosen.asked)}"
    if chosen.json:
        print(
            json.dumps(
                {"judge": [asdict(one) for one in found], "streams": [asdict(one) for one in cells]}, indent=1
            )
        )
    else:
        print(section)
    if chosen.write:
        write_section("adaptive", section)
    return 0


if __name__ == "__main__":
    sys.exit(main())
