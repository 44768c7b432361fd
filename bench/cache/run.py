"""`make bench-cache`: how many questions in other words are served, and how many traps are answered wrongly.

python -m bench.cache            print the tables
python -m bench.cache --write    and write docs/reference/cache-benchmark.md with its drawings
python -m bench.cache --json     the figures on standard output, for programs
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np

from bench.cache.conversations import Conversations, conversations
from bench.cache.generate import generate
from bench.cache.measures import Point, Scored, at_threshold, by_kind, cross_validated, curve, limited
from bench.cache.page import PAGE, page, tables, with_sections, write_drawings
from bench.cache.rows import DataMissing, Pairs, cosines, load_pairs
from headgate.cache.semantic.check import open_check
from headgate.cache.semantic.port import Check
from headgate.providers.embedding.port import EmbedderMissing

__all__ = ["Lookup", "Measured", "main"]

COSINES = (0.80, 0.85, 0.90, 0.95, 0.98)
CHECKED = (0.50, 0.80, 0.90, 0.95, 0.98)
LIMITS = (0.01, 0.05)
GENERATED_SEED = 99
"""Other chances than those the weights were learned from, and intents they never saw."""


@dataclass
class Lookup:
    """One way to decide, on one set of pairs."""

    thresholds: list[Point]
    best: dict[str, Point]
    """By the most that may be wrong: threshold chosen on all rows."""
    folded: dict[str, Point]
    """Threshold chosen on other rows."""
    kinds: dict[str, tuple[int, float]]
    """At 0.90 (cosine) or 0.95 (check)."""
    curve: list[tuple[float, float, float]]


@dataclass
class Measured:
    """Everything."""

    about: dict[str, Any]
    sets: dict[str, dict[str, Any]] = field(default_factory=dict)
    lookups: dict[str, dict[str, Lookup]] = field(default_factory=dict)
    """By set and way: `cosine`, `checked`."""
    conversations: Conversations | None = None
    microseconds: dict[str, float] = field(default_factory=dict)
    missing: str = ""


def main() -> int:
    """The command line. 0: measured (maybe on generated pairs alone, which is said); 1: the embedder is not here."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="write the page")
    parser.add_argument("--json", action="store_true", help="figures as JSON instead of tables")
    chosen = parser.parse_args()
    try:
        found = measure()
    except EmbedderMissing as fault:
        sys.stderr.write(f"bench-cache: {fault}\n")
        return 1
    if found.missing:
        sys.stderr.write(f"bench-cache: {found.missing} Only generated pairs were measured.\n")
    if chosen.json:
        print(json.dumps(asdict(found), indent=1))
    else:
        for title, table in tables(found).items():
            print(f"\n{title}\n{table}")
    if chosen.write:
        if found.missing:
            sys.stderr.write("bench-cache: the page is not written without the published pairs\n")
            return 1
        PAGE.write_text(with_sections(page(found)), encoding="utf-8")
        write_drawings(found)
        sys.stderr.write(f"bench-cache: wrote {PAGE}\n")
    return 0


def measure() -> Measured:
    """Raises EmbedderMissing."""
    found = Measured(
        {
            "date": dt.datetime.now(dt.UTC).date().isoformat(),
            "Headgate": version("headgate"),
            "numpy": version("numpy"),
        }
    )
    check = open_check()
    sets: dict[str, Pairs] = {}
    try:
        sets["cache-fow-pairs"] = load_pairs()
        found.conversations = conversations(check)
    except DataMissing as fault:
        found.missing = str(fault)
    sets["generated, intents never learned"] = generate(GENERATED_SEED, rounds=8, part="ask")[0]
    for name, pairs in sets.items():
        cosine = cosines(pairs.asked, pairs.kept)
        found.sets[name] = {
            "hits": int(pairs.same.sum()),
            "traps": int((~pairs.same).sum()),
            "sha256": pairs.sha256,
        }
        kinds = np.array(pairs.kinds)
        found.lookups[name] = {
            "cosine": _lookup(Scored(cosine, pairs.same, kinds), COSINES, 0.90),
            "checked": _lookup(Scored(_scores(check, pairs, cosine), pairs.same, kinds), CHECKED, 0.95),
        }
        if not found.microseconds:
            found.microseconds = _times(pairs, cosine)
    return found


def _scores(check: Check, pairs: Pairs, cosine: np.ndarray) -> np.ndarray:
    return np.array(
        [check(a, b, float(c)).score for a, b, c in zip(pairs.asked, pairs.kept, cosine, strict=True)]
    )


def _lookup(scored: Scored, thresholds: tuple[float, ...], usual: float) -> Lookup:
    return Lookup(
        [at_threshold(scored, one) for one in thresholds],
        {f"{most:.0%}": limited(scored, most) for most in LIMITS},
        {f"{most:.0%}": cross_validated(scored, most) for most in LIMITS},
        by_kind(scored, usual),
        curve(scored),
    )


def _times(pairs: Pairs, cosine: np.ndarray) -> dict[str, float]:
    """Microseconds a pair: both questions new to the check, and the second time."""
    check = open_check()
    found = {}
    for name in ("both questions new", "both seen before"):
        times = []
        for asked, kept, near in zip(pairs.asked, pairs.kept, cosine, strict=True):
            started = time.perf_counter_ns()
            check(asked, kept, float(near))
            times.append((time.perf_counter_ns() - started) / 1000)
        found[f"{name}, median"] = float(np.median(times))
        found[f"{name}, 99th of 100"] = float(np.percentile(times, 99))
    return found


if __name__ == "__main__":
    sys.exit(main())
