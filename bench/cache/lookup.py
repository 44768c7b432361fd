"""What a look for a similar question takes among 100,000 entries that may all be compared: `taskset -c 0 python -m bench.cache.lookup`.

The whole way: the question is embedded here (no question is asked twice), its neighbours are found in the memory engine, and
the check compares them. Meanwhile the event loop is asked every millisecond whether it still answers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np

from bench.cache.generate import generate
from headgate.cache.identity import Identity
from headgate.cache.policy import CachePolicy
from headgate.cache.semantic.check import open_check
from headgate.cache.semantic.lookup import Similar
from headgate.cache.semantic.reading import LocalReader, Vectors
from headgate.cache.settings import FeatureCacheSettings
from headgate.core.clock import SystemClock
from headgate.core.section import Duration
from headgate.providers.embedding.door import open_embedder
from headgate.providers.embedding.local import LocalEmbedder
from headgate.providers.embedding.place import embedder_file
from headgate.stores.answers import CacheEntry
from headgate.stores.backends.memory.answers import MemoryAnswers

__all__ = ["main"]

LIMIT_MS = 15.0
_COMPAT = b"c" * 16
_ROOM = 4_000_000_000
_TICK = 0.001
_REAL = 2_000
"""Questions whose vectors are real; the others are neighbours of theirs, so that the space is as crowded as by real ones."""


@dataclass
class Figures:
    """Milliseconds."""

    looks: list[float] = field(default_factory=list)
    idle: list[float] = field(default_factory=list)
    """How much later than asked for the event loop answered, while nothing was done."""
    busy: list[float] = field(default_factory=list)
    """The same while looks were under way."""
    work: list[float] = field(default_factory=list)
    """Processor time of a look, all threads, the watching of the loop included: tells on a machine that is not ours alone."""
    found: int = 0


def main(arguments: Sequence[str] | None = None) -> int:
    """0: within the limit; 1: not."""
    parser = argparse.ArgumentParser(prog="python -m bench.cache.lookup", description=__doc__)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--looks", type=int, default=300)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    figures = asyncio.run(_measure(chosen.entries, chosen.looks))
    rows = {"look": figures.looks, "its processor time": figures.work}
    rows |= {"loop, idle": figures.idle, "loop, meanwhile": figures.busy}
    told = {name: [_at(values, part) for part in (0.5, 0.95, 0.99, 1.0)] for name, values in rows.items()}
    if chosen.json:
        said = {"entries": chosen.entries, "found": figures.found, "looks": chosen.looks, "ms": told}
        sys.stdout.write(json.dumps(said) + "\n")
    else:
        cores = len(os.sched_getaffinity(0))
        sys.stdout.write(f"{chosen.entries:,} entries, {cores} core(s); milliseconds\n\n")
        sys.stdout.write("| | p50 | p95 | p99 | most |\n|---|---|---|---|---|\n")
        for name, values in told.items():
            sys.stdout.write(f"| {name} | {' | '.join(f'{one:.1f}' for one in values)} |\n")
        sys.stdout.write(f"\nA neighbour was found for {figures.found} of {chosen.looks}.\n")
    return int(told["look"][1] > LIMIT_MS)


async def _measure(entries: int, looks: int) -> Figures:
    embedder = open_embedder(embedder_file(os.environ))
    assert isinstance(embedder, LocalEmbedder)
    questions = list(dict.fromkeys(generate(1)[0].kept))
    asked = [one for one in dict.fromkeys(generate(2)[0].asked) if one not in set(questions)]
    store = MemoryAnswers(_ROOM)
    _fill(store, embedder, questions[:_REAL], entries)
    similar = Similar(store, SystemClock(), seconds=10.0)
    similar.vectors, similar.check = Vectors(LocalReader(embedder)), open_check()
    settings = FeatureCacheSettings(exact=Duration(3600), semantic=0.95, scope="feature")
    policy = CachePolicy(feature="shop", model="small", route=b"", settings=settings, longest=3600.0)
    figures = Figures()
    await _watched(figures.idle, asyncio.sleep(2))
    await _watched(figures.busy, _look(similar, policy, asked[: looks + 10], figures))
    await similar.aclose()
    return figures


async def _look(similar: Similar, policy: CachePolicy, asked: Sequence[str], figures: Figures) -> None:
    for number, question in enumerate(asked):
        identity = Identity(
            key=number.to_bytes(16, "big"),
            compat=_COMPAT,
            tenant="house",
            scope="feature",
            owner="",
            question=question,
        )
        began, worked = time.perf_counter(), time.process_time()
        # No model is asked on anybody's behalf: the exchange is not looked at.
        nobody: Any = None
        found, _ = await similar.find(identity, policy, nobody)
        if number >= 10:  # what is loaded at the first look is no part of the others
            figures.looks.append((time.perf_counter() - began) * 1e3)
            figures.work.append((time.process_time() - worked) * 1e3)
            figures.found += found is not None


async def _watched(late: list[float], work: Any) -> None:
    task = asyncio.ensure_future(work)
    while not task.done():
        began = time.perf_counter()
        await asyncio.sleep(_TICK)
        late.append((time.perf_counter() - began - _TICK) * 1e3)
    await task


def _fill(store: MemoryAnswers, embedder: LocalEmbedder, questions: Sequence[str], entries: int) -> None:
    real = np.stack([embedder.embed_here(one) for one in questions])
    chance = np.random.default_rng(0)
    now = time.time_ns()
    for number in range(entries):
        vector = real[number % len(real)]
        if number >= len(real):
            vector = vector + chance.standard_normal(len(vector), np.float32) * np.float32(0.025)
            vector = vector / np.linalg.norm(vector)
        question = questions[number % len(questions)]
        store.put(
            CacheEntry(
                key=blake2b(b"%d" % number, digest_size=16).digest(),
                compat=_COMPAT,
                tenant="house",
                feature="shop",
                scope="feature",
                owner="",
                user="",
                operation="chat",
                model="small",
                reported_model="small",
                prompt="",
                tags={},
                question=question if number < len(real) else f"{question} {number}",
                answer=b'{"choices":[{"parts":[{"type":"text","text":"Yes."}]}]}',
                origin_id=number,
                made_ns=now,
                fresh_ns=now + 3_600_000_000_000,
                until_ns=now + 3_600_000_000_000,
                cost_nanos=1,
                took_us=1,
                vector=vector.astype("<f2").tobytes(),
                embedder=embedder.fingerprint,
            )
        )


def _at(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)]


if __name__ == "__main__":
    sys.exit(main())
