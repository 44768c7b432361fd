"""What setting money aside and settling it costs: two pots, in memory and over Redis.

    PYTHONPATH=.:src python bench/micro/purses.py            about twenty seconds; starts a Redis of its own

CPU time of this process for one reservation and its settlement, with 1, 16 and 64 callers at once.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import time

import uvloop

from bench.form import measured_compiled
from headgate.stores.backends.memory.purses import MemoryPurses
from headgate.stores.backends.redis.purses import RedisPurses
from headgate.stores.purses import Hold, Holder, Pot, Purses
from tests.support.redis_server import redis_server

CALLS = 20_000
ROUNDS = 7
TODAY = int(time.time()) // 86_400 * 86_400
POTS = [
    Pot("each", "ada@example.com", TODAY, TODAY + 86_400, 10**15),
    Pot("all", "*", TODAY, TODAY + 86_400, 10**15),
]


def holds(first: int, count: int) -> list[Hold]:
    return [
        Hold(Holder(first + at, 7, 0, "sim", "small", "chat", "key_1", "ada"), 1000, POTS)
        for at in range(count)
    ]


def in_memory() -> tuple[float, float]:
    """Microseconds of reserving, and of settling, alone."""
    purses = MemoryPurses(loaded=True)
    reserving, settling = [], []
    for number in range(ROUNDS):
        some = holds(number * CALLS, CALLS)
        began = time.process_time()
        for hold in some:
            purses.reserve_now(hold)
        between = time.process_time()
        for hold in some:
            purses.settle(hold, 600)
        settling.append(1e6 * (time.process_time() - between) / CALLS)
        reserving.append(1e6 * (between - began) / CALLS)
    return statistics.median(reserving), statistics.median(settling)


async def shared(purses: Purses, callers: int, first: int) -> tuple[float, float]:
    """Microseconds of CPU time for both together, and of waiting for the reservation."""
    some = iter(holds(first, CALLS // 4))
    waited: list[float] = []

    async def caller() -> None:
        for hold in some:
            began = time.perf_counter()
            assert (await purses.reserve(hold)).ok
            waited.append(time.perf_counter() - began)
            purses.settle(hold, 600)

    began = time.process_time()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return 1e6 * (time.process_time() - began) / (CALLS // 4), 1e6 * statistics.median(waited)


async def over_redis() -> None:
    async with redis_server() as server:
        purses = RedisPurses(server.url, answer_seconds=5.0)
        await shared(purses, 16, 1 << 40)
        for callers in (1, 16, 64):
            found = [await shared(purses, callers, (2 + at + callers * ROUNDS) << 40) for at in range(ROUNDS)]
            cpu, wait = (statistics.median(each) for each in zip(*found, strict=True))
            print(f"{cpu:6.1f} µs  over Redis, {callers} at once; a reservation takes {wait:.0f} µs")
        await purses.aclose()


def main() -> None:
    reserving, settling = in_memory()
    print(f"{reserving:6.2f} µs  in memory, reserving from two pots; settling {settling:.2f} µs")
    if shutil.which("redis-server"):
        uvloop.run(over_redis())


if __name__ == "__main__":
    measured_compiled()
    main()
