"""How long it takes to look for a question in other words among 100,000, and what the event loop feels of it.

python -m bench.cache.lookup            print the table
python -m bench.cache.lookup --write    and put it into docs/reference/cache-benchmark.md
python -m bench.cache.lookup --json     the figures on standard output, for programs
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import sys
import time
from hashlib import blake2b
from typing import Any

import numpy as np

from bench.cache.generate import generate
from bench.cache.page import write_section
from headgate.cache.identity import Identity
from headgate.cache.policy import CachePolicy
from headgate.cache.semantic.check import open_check
from headgate.cache.semantic.lookup import Similar
from headgate.cache.semantic.reading import LocalReader, Vectors
from headgate.cache.settings import FeatureCacheSettings
from headgate.core.clock import SystemClock
from headgate.core.section import Duration
from headgate.providers.embedding.door import open_embedder
from headgate.providers.embedding.place import embedder_file
from headgate.stores.answers import CacheEntry
from headgate.stores.backends.memory.answers import MemoryAnswers

__all__ = ["main"]

ENTRIES = 100_000
LOOKS = 400
_TICK = 0.001
_COMPAT = b"c" * 16
_HOUR = 3_600_000_000_000


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="write the section")
    parser.add_argument("--json", action="store_true", help="figures as JSON instead of a table")
    parser.add_argument("--entries", type=int, default=ENTRIES, help="that are looked through")
    chosen = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    # As `headgate serve` does when it has started, before it remembers anything.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    found = asyncio.run(_measure(chosen.entries))
    if chosen.json:
        print(json.dumps(found, indent=1))
    else:
        print(_section(found))
    if chosen.write:
        write_section("lookup", _section(found))
    return 0


async def _measure(entries: int) -> dict[str, float]:
    vectors = Vectors(LocalReader(open_embedder(embedder_file(os.environ))))
    pairs = generate(7, rounds=4, part="ask")[0]
    kept = list(dict.fromkeys(pairs.kept))[:1_000]
    asked = [each for each in dict.fromkeys(pairs.asked) if each not in set(kept)][: LOOKS + 20]
    store = MemoryAnswers(entries * 4_000)
    await _fill(store, vectors, kept, entries)
    similar = Similar(store, SystemClock(), seconds=10.0)
    similar.vectors, similar.check = vectors, open_check()
    policy = CachePolicy(
        feature="faq",
        model="small",
        route=b"r" * 16,
        settings=FeatureCacheSettings(exact=Duration(3600), semantic=0.95),
        longest=86_400.0,
    )
    nobody: Any = None
    times: list[float] = []
    work: list[float] = []
    stalls: list[float] = []
    ticking = asyncio.create_task(_tick(stalls))
    for number, question in enumerate(asked):
        identity = Identity(b"n" * 16, _COMPAT, "", "feature", "", question)
        if number == 20:
            times.clear()
            work.clear()
            stalls.clear()
        began, worked = time.perf_counter(), time.process_time()
        await similar.find(identity, policy, nobody)
        times.append((time.perf_counter() - began) * 1000)
        work.append((time.process_time() - worked) * 1000)
        await asyncio.sleep(0.005)
    ticking.cancel()
    await similar.aclose()
    return {
        "entries": entries,
        "looks": len(times),
        **{f"p{part}_ms": float(np.percentile(times, part)) for part in (50, 95, 99)},
        **{f"p{part}_cpu_ms": float(np.percentile(work, part)) for part in (50, 95, 99)},
        "longest_ms": max(times),
        "stall_p99_ms": float(np.percentile(stalls, 99)),
        "longest_stall_ms": max(stalls),
    }


async def _fill(store: MemoryAnswers, vectors: Vectors, kept: list[str], entries: int) -> None:
    """Real questions, and around each of them others that are about as near as paraphrases are."""
    chance, now = np.random.default_rng(7), time.time_ns()
    read = [np.frombuffer(await vectors.of(text, None), "<f2").astype("f4") for text in kept]
    for number in range(entries):
        at = number % len(kept)
        row = read[at]
        if number >= len(kept):
            row = row + chance.standard_normal(len(row)).astype("f4") * (0.6 / len(row) ** 0.5)
            row /= np.sqrt(row @ row)
        store.put(
            CacheEntry(
                key=blake2b(number.to_bytes(8, "big"), digest_size=16).digest(),
                compat=_COMPAT,
                tenant="",
                feature="faq",
                scope="feature",
                owner="",
                user="",
                operation="chat",
                model="small",
                reported_model="small",
                prompt="",
                tags={},
                question=kept[at],
                answer=b"{}",
                origin_id=1,
                made_ns=now,
                fresh_ns=now + _HOUR,
                until_ns=now + _HOUR,
                cost_nanos=0,
                took_us=0,
                vector=row.astype("<f2").tobytes(),
                embedder=vectors.reader.name,
            )
        )


async def _tick(stalls: list[float]) -> None:
    while True:
        began = time.perf_counter()
        await asyncio.sleep(_TICK)
        stalls.append((time.perf_counter() - began - _TICK) * 1000)


def _section(one: dict[str, float]) -> str:
    return f"""## How long a look takes

{one["looks"]} questions, none of them seen before, looked for among {one["entries"]:,} entries of one compat in memory: embedding, search and check, one after the other,
everything on one core (`python -m bench.cache.lookup`). Entries are 1,000 generated questions and vectors scattered around theirs. Beside it a
task of the same event loop wants to run every millisecond; what it waits longer is the stall. On one core that includes waiting for the embedder's thread.

The core was shared with other programs: processor time is what the work takes, the rest is waiting for them.

| | milliseconds | of processor time |
| --- | --- | --- |
| half of them within | {one["p50_ms"]:.1f} | {one["p50_cpu_ms"]:.1f} |
| 95 of 100 | {one["p95_ms"]:.1f} | {one["p95_cpu_ms"]:.1f} |
| 99 of 100 | {one["p99_ms"]:.1f} | {one["p99_cpu_ms"]:.1f} |
| the longest | {one["longest_ms"]:.1f} | |
| stall of the event loop, 99 of 100 ticks within | {one["stall_p99_ms"]:.1f} | |
| the longest stall | {one["longest_stall_ms"]:.1f} | |
"""


if __name__ == "__main__":
    sys.exit(main())
