"""What every place where limits are counted promises; run on memory and on a real Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.stores.backends.memory.meters import MemoryMeters
from headgate.stores.backends.redis import meters as redis_meters
from headgate.stores.backends.redis.meters import RedisMeters
from headgate.stores.errors import StoreUnavailable
from headgate.stores.meters import Gauge, Meters, Want
from headgate.testing.clock import FakeClock
from tests.support.aio import aio
from tests.support.buckets import Asked, Bucket
from tests.support.redis_server import redis_server

__all__: list[str] = []

both = pytest.mark.parametrize("backend", ["memory", pytest.param("redis", marks=pytest.mark.needs("redis"))])
redis = pytest.mark.needs("redis")

SLOW = Gauge("slow", 10.0, 3600.0)
"""What is taken of it does not come back while a test runs."""
OTHER = Gauge("other", 3.0, 3600.0)
SLOTS = Gauge("slots", 2.0, 0.0)


@asynccontextmanager
async def nodes(backend: str) -> AsyncIterator[Callable[[], Meters]]:
    """Makes meters that count together."""
    async with AsyncExitStack() as stack:
        if backend == "memory":
            one = MemoryMeters()
            yield lambda: one
            return
        server = await stack.enter_async_context(redis_server())

        def make() -> Meters:
            # A shared machine may take longer than a request would wait.
            made = RedisMeters(server.url, answer_seconds=5.0)
            stack.push_async_callback(made.aclose)
            return made

        yield make


async def left_of(meters: Meters, *gauges: Gauge, whom: str = "a") -> list[float]:
    """Without taking anything."""
    reading = await meters.take([(gauge, whom, 10**9) for gauge in gauges], 999)
    assert not reading.ok
    return [round(each, 1) for each in reading.left]


@both
def test_all_are_taken_or_none_is(backend: str) -> None:
    """One count that is too short keeps all others as they were; the reading says which and for how long."""

    @aio
    async def run() -> None:
        async with nodes(backend) as make:
            meters = make()
            taken = await meters.take([(SLOW, "a", 4), (OTHER, "a", 3), (SLOTS, "a", 1)], 1)
            assert taken.ok
            assert [round(each, 3) for each in taken.left] == [6, 0, 1]
            short = await meters.take([(SLOW, "a", 4), (OTHER, "a", 1), (SLOTS, "a", 1)], 2)
            assert not short.ok
            assert [round(each, 1) for each in short.left] == [6, 0, 1]
            assert short.waits[0] == short.waits[2] == 0
            assert 3590 < short.waits[1] <= 3600
            assert await left_of(meters, SLOW, OTHER, SLOTS) == [6, 0, 1]
            assert (await meters.take([(SLOW, "b", 10), (OTHER, "b", 3)], 3)).ok, "another's count is full"

    run()


@both
def test_what_is_held_comes_back_when_it_is_given_back(backend: str) -> None:
    """And not before; nobody can say when."""

    @aio
    async def run() -> None:
        async with nodes(backend) as make:
            meters = make()
            for holder in (1, 2):
                assert (await meters.take([(SLOTS, "a", 1)], holder)).ok
            refused = await meters.take([(SLOTS, "a", 1)], 3)
            assert (refused.ok, refused.left, refused.waits) == (False, [0.0], [inf])
            meters.settle([(SLOTS, "a", -1)], 1)
            assert (await meters.take([(SLOTS, "a", 1)], 3)).ok
            assert not (await meters.take([(SLOTS, "a", 1)], 4)).ok

    run()


@both
def test_settling_gives_back_what_was_not_used_and_charges_what_was_used_besides(backend: str) -> None:
    """A debt is paid before anything else is let in; a refund never makes more than there is after a rest."""

    @aio
    async def run() -> None:
        async with nodes(backend) as make:
            meters = make()
            assert (await meters.take([(SLOW, "a", 8)], 1)).ok
            meters.settle([(SLOW, "a", -5)], 1)
            assert await left_of(meters, SLOW) == [7]
            meters.settle([(SLOW, "a", 9)], 1)
            assert await left_of(meters, SLOW) == [-2]
            reading = await meters.take([(SLOW, "a", 1)], 2)
            assert not reading.ok
            assert 3 * 3590 < reading.waits[0] <= 3 * 3600
            meters.settle([(SLOW, "a", -12)], 1)
            meters.settle([(SLOW, "a", 0)], 1)
            assert await left_of(meters, SLOW) == [10]

    run()


@both
def test_what_was_used_comes_back_with_time(backend: str) -> None:
    """Evenly, and up to the most that may be used at once."""

    @aio
    async def run() -> None:
        async with nodes(backend) as make:
            meters = make()
            quick = Gauge("quick", 2.0, 0.05)
            # Both leave together: nothing comes back in between, however busy this machine is.
            taken, refused = await asyncio.gather(*(meters.take([(quick, "a", 2)], each) for each in (1, 2)))
            assert taken.ok and not refused.ok
            assert 0 < refused.waits[0] <= 0.1
            await asyncio.sleep(0.12)
            assert (await meters.take([(quick, "a", 2)], 2)).ok
            await asyncio.sleep(0.3)
            assert (await left_of(meters, quick)) == [2]

    run()


@both
def test_many_at_once_never_get_more_than_there_is(backend: str) -> None:
    """Three nodes, sixty callers, two counts each; what the waves leave adds up."""

    @aio
    async def run() -> None:
        async with nodes(backend) as make:
            three = [make() for _ in range(3)]
            wants: list[Want] = [(SLOW, "a", 1), (OTHER, "a", 1)]
            readings = await asyncio.gather(*(three[number % 3].take(wants, number) for number in range(60)))
            assert sum(reading.ok for reading in readings) == 3
            assert await left_of(three[0], SLOW, OTHER) == [7, 0]

    run()


@both
def test_three_nodes_hold_a_pace_together(backend: str) -> None:
    """In no stretch of time more pass than the burst and what comes back, and nobody is refused while there is room."""

    @aio
    async def run() -> None:
        async with nodes(backend) as make:
            three = [make() for _ in range(3)]
            gauge = Gauge("pace", 20.0, 0.01)
            await asyncio.gather(*(left_of(node, gauge) for node in three))
            asked: list[Asked] = []
            ends = time.monotonic() + 1.5

            async def caller(meters: Meters) -> None:
                while (began := time.monotonic()) < ends or all(one.status == 200 for one in asked):
                    reading = await meters.take([(gauge, "all", 1)], 1)
                    asked.append(Asked(began, time.monotonic(), 200 if reading.ok else 429))
                    await asyncio.sleep(0.03)

            await asyncio.gather(*(caller(three[number % 3]) for number in range(9)))
            pace = Bucket(burst=20, rate=100)
            print(f"{len(asked)} asked, {pace.excess(asked):.1f} too many ({backend})")
            assert pace.excess(asked) <= 0.1
            assert pace.needless(asked) == []

    run()


@both
def test_who_stops_waiting_takes_nothing(backend: str) -> None:
    """Cancelled before, while or just after the answer comes: in the end all is back."""

    @aio
    async def run() -> None:
        async with nodes(backend) as make:
            meters = make()
            assert (await meters.take([(OTHER, "warm", 1)], 1)).ok
            for turns in range(12):
                task = asyncio.ensure_future(meters.take([(SLOW, "a", 2), (SLOTS, "a", 1)], 100 + turns))
                for _ in range(turns):
                    await asyncio.sleep(0)
                if task.done():
                    meters.settle([(SLOW, "a", -2), (SLOTS, "a", -1)], 100 + turns)
                    continue
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            while await left_of(meters, SLOW, SLOTS) != [10, 2]:
                await asyncio.sleep(0.01)

    run()


@redis
@aio
async def test_what_a_dead_node_held_is_free_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what a living one holds stays held, however long it takes."""
    monkeypatch.setattr(redis_meters, "LEASE_SECONDS", 0.6)
    async with redis_server() as server:
        living, dying = (RedisMeters(server.url, answer_seconds=5.0) for _ in range(2))
        assert (await living.take([(SLOTS, "a", 1)], 1)).ok
        assert (await dying.take([(SLOTS, "a", 1)], 2)).ok
        await dying.aclose()
        assert not (await living.take([(SLOTS, "a", 1)], 3)).ok
        while not (await living.take([(SLOTS, "a", 1)], 3)).ok:
            await asyncio.sleep(0.02)
        living.settle([(SLOTS, "a", -1)], 3)
        await asyncio.sleep(1.5)
        assert await left_of(living, SLOTS) == [1], "still held by the first"
        await living.aclose()


@redis
@aio
async def test_a_redis_that_is_gone_or_hangs_is_told_in_time(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody waits longer than they would; and when it is back, it is asked again."""
    async with redis_server() as server:
        meters = RedisMeters(server.url, answer_seconds=0.3)
        assert (await meters.take([(SLOW, "a", 1)], 1)).ok
        server.freeze()
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match=r"300 ms|imeout"):
            await meters.take([(SLOW, "a", 1)], 2)
        assert 0.2 < time.monotonic() - began < 3
        server.thaw()
        await server.kill()
        with pytest.raises(StoreUnavailable):
            await meters.take([(SLOW, "a", 1)], 3)
        await server.start()
        back = False
        while not back:
            try:
                back = (await meters.take([(SLOW, "a", 1)], 4)).ok
            except StoreUnavailable:
                await asyncio.sleep(0.02)
        await meters.aclose()
    assert "Traceback" not in caplog.text


@redis
@aio
async def test_redis_learns_no_names() -> None:
    """A subject may be a person's address."""
    async with redis_server() as server:
        meters = RedisMeters(server.url, answer_seconds=5.0)
        assert (await meters.take([(SLOW, "ada@example.com", 1)], 1)).ok
        (key,) = await meters.outbox.client.keys("*")
        key = key.decode() if isinstance(key, bytes) else key
        assert key.startswith("{headgate}:limit:slow:")
        assert "ada" not in key
        assert 0 < await meters.outbox.client.pttl(key) <= 3_600_000
        await meters.aclose()


# In memory, with a clock of our own

Step = tuple[float, int, int]
"""Seconds later, units wanted, units given back of it (at most as many)."""
STEPS = st.lists(
    st.tuples(st.floats(0, 5), st.integers(1, 6), st.integers(0, 6)),
    min_size=1,
    max_size=40,
)


@given(STEPS, st.floats(0.05, 3), st.floats(6, 20))
def test_no_stretch_of_time_sees_more_than_the_burst_and_what_comes_back(
    steps: list[Step], interval: float, most: float
) -> None:
    """Whatever is asked for and given back: in any stretch of T seconds at most `most + T / interval` units are used."""

    @aio
    async def run() -> None:
        clock = FakeClock()
        meters = MemoryMeters(monotonic=clock.monotonic)
        gauge = Gauge("g", most, interval)
        used: list[tuple[float, int]] = []
        for later, units, unused in steps:
            clock.advance(later)
            reading = await meters.take([(gauge, "a", units)], 1)
            if reading.ok:
                back = min(units, unused)
                meters.settle([(gauge, "a", -back)], 1)
                used.append((clock.monotonic(), units - back))
            room = (await meters.take([(gauge, "a", 10**9)], 1)).left[0]
            assert room <= most + 1e-6
        for first, (begin, _) in enumerate(used):
            total = 0
            for end, units in used[first:]:
                total += units
                assert total <= most + (end - begin) / interval + 1e-3

    run()


@aio
async def test_counts_that_have_recovered_are_forgotten() -> None:
    """A count for each end user may be many; those in use are kept."""
    clock = FakeClock()
    meters = MemoryMeters(monotonic=clock.monotonic)
    gauge = Gauge("g", 1.0, 1.0)
    long = Gauge("long", 1.0, 1e6)
    assert (await meters.take([(long, "kept", 1)], 1)).ok
    for number in range(25_000):
        clock.advance(0.001)
        assert (await meters.take([(gauge, f"user {number}", 1)], number)).ok
    assert len(meters) < 12_000
    assert not (await meters.take([(long, "kept", 1)], 1)).ok


@aio
async def test_a_mirror_goes_on_from_what_others_have_counted() -> None:
    """Also at another pace: a share of the amount is a share of what is left."""
    clock = FakeClock()
    meters = MemoryMeters(monotonic=clock.monotonic)
    gauge, share = Gauge("g", 30.0, 1.0), Gauge("g", 10.0, 3.0)
    meters.know([(gauge, "a", 5), (SLOTS, "a", 1)], [12.0, 1.0])
    assert await left_of(meters, gauge, SLOTS) == [12, 1]
    assert await left_of(meters, share) == [4]
