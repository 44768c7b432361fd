"""What every place where budgets are counted promises; run on memory and on a real Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from headgate.stores.backends.memory.purses import MemoryPurses
from headgate.stores.backends.redis.purses import RedisPurses
from headgate.stores.errors import StoreUnavailable
from headgate.stores.purses import Hold, Holder, Pot, PotKey, Purses, Standing
from tests.support.aio import aio
from tests.support.redis_server import RedisServer, redis_server

__all__: list[str] = []

both = pytest.mark.parametrize("backend", ["memory", pytest.param("redis", marks=pytest.mark.needs("redis"))])
redis = pytest.mark.needs("redis")

TODAY = int(time.time()) // 86_400 * 86_400
IDS = count(1 << 60)


def pot(budget: str = "team", subject: str = "canal", *, most: int = 100, period: int = TODAY) -> Pot:
    return Pot(budget, subject, period, period + 86_400 if period else 0, most)


def hold(nanos: int, *pots: Pot, **holder: Any) -> Hold:
    return Hold(Holder(next(IDS), 7, 1_790_000_000_000_000_000, **holder), nanos, pots or (pot(),))


class Uses:
    """What the database knows."""

    def __init__(self, spent: Mapping[PotKey, int] | None = None) -> None:
        self.spent = dict(spent or {})
        self.read = 0
        self.gone = False

    async def uses(self, *, since: int, budget: str = "") -> Mapping[PotKey, int]:
        assert since < TODAY - 31 * 86_400 and not budget
        self.read += 1
        if self.gone:
            raise StoreUnavailable("no database")
        return self.spent


async def made_for(server: RedisServer, stack: AsyncExitStack, **options: Any) -> RedisPurses:
    """A shared machine may take longer than a request would wait."""
    made = RedisPurses(server.url, options.pop("uses", None), **({"answer_seconds": 5.0} | options))
    stack.push_async_callback(made.aclose)
    return made


@asynccontextmanager
async def nodes(backend: str) -> AsyncIterator[Callable[[], Any]]:
    """Makes purses that count together."""
    async with AsyncExitStack() as stack:
        if backend == "memory":
            one = MemoryPurses(loaded=True)

            async def same() -> Purses:
                return one

            yield same
            return
        server = await stack.enter_async_context(redis_server())

        async def make() -> Purses:
            return await made_for(server, stack)

        yield make


async def stands(purses: Purses, *pots: Pot) -> list[tuple[int, int]]:
    """Spent and reserved of each."""
    standing = await purses.standing(pots or (pot(),))
    assert standing.ok
    return list(zip(standing.spent, standing.reserved, strict=True))


@both
def test_it_is_set_aside_in_all_pots_or_in_none(backend: str) -> None:
    """One pot that is too empty keeps all others as they were; the standing says how each stands."""

    @aio
    async def run() -> None:
        async with nodes(backend) as make:
            purses = await make()
            mine, all_of_us = pot("each", "ada", most=50), pot("all", "*", most=60, period=0)
            counted = pot("counted", "*", most=-1)
            first = hold(30, mine, all_of_us, counted)
            assert await purses.reserve(first) == Standing(True, [0, 0, 0], [30, 30, 30])
            other = pot("each", "bob", most=50)
            refused = await purses.reserve(hold(31, other, all_of_us, counted))
            assert refused == Standing(False, [0, 0, 0], [0, 30, 30])
            assert await stands(purses, mine, all_of_us, counted, other) == [
                (0, 30),
                (0, 30),
                (0, 30),
                (0, 0),
            ]
            assert (await purses.reserve(hold(30, other, all_of_us))).ok, "to the last nano-dollar"
            assert not (await purses.reserve(hold(1, other, all_of_us))).ok
            assert (await purses.reserve(hold(0, other, all_of_us))).ok, "what costs nothing is never refused"
            assert (await purses.reserve(hold(10**15, counted))).ok, "what is only counted never is"

    run()


@both
@pytest.mark.parametrize(("spent", "stand"), [(30, (30, 0)), (12, (12, 0)), (0, (0, 0)), (45, (45, 0))])
def test_settling_makes_fact_of_what_was_set_aside(backend: str, spent: int, stand: tuple[int, int]) -> None:
    """As much, less, nothing, more; told twice it counts once."""

    @aio
    async def run() -> None:
        async with nodes(backend) as make:
            purses = await make()
            held = hold(30, pot(), pot("all", "*"))
            assert (await purses.reserve(held)).ok
            for _ in range(3):
                purses.settle(held, spent)
            assert await stands(purses, pot(), pot("all", "*")) == [stand, stand]

    run()


@both
def test_who_spent_more_than_there_was_pays_with_what_comes_next(backend: str) -> None:
    """More than was set aside may be gone; then nothing is left until the period is over."""

    @aio
    async def run() -> None:
        async with nodes(backend) as make:
            purses = await make()
            held = hold(90)
            assert (await purses.reserve(held)).ok
            purses.settle(held, 130)
            assert await purses.reserve(hold(1)) == Standing(False, [130], [0])
            assert (await purses.reserve(hold(0))).ok
            tomorrow = pot(period=TODAY + 86_400)
            assert (await purses.reserve(hold(100, tomorrow))).ok

    run()


@both
def test_what_nobody_knows_of_counts_once_when_it_is_settled(backend: str) -> None:
    """It was set aside in a store that has lost it."""

    @aio
    async def run() -> None:
        async with nodes(backend) as make:
            purses = await make()
            await stands(purses)
            unknown = hold(30)
            purses.settle(unknown, 20)
            purses.settle(unknown, 20)
            assert await stands(purses) == [(20, 0)]

    run()


@both
def test_many_at_once_never_get_more_than_there_is(backend: str) -> None:
    """Three nodes, two hundred callers, two pots: one pays for 50 of them, and exactly 50 are paid."""

    @aio
    async def run() -> None:
        async with nodes(backend) as make:
            three = [await make() for _ in range(3)]
            one, other = pot("small", most=50 * 7 + 6), pot("large", most=10**6)
            holds = [hold(7, one, other) for _ in range(200)]
            readings = await asyncio.gather(*(three[at % 3].reserve(each) for at, each in enumerate(holds)))
            assert sum(reading.ok for reading in readings) == 50
            assert await stands(three[0], one, other) == [(0, 350), (0, 350)]
            for at, each in enumerate(holds):
                if readings[at].ok:
                    three[at % 3].settle(each, at % 8)
            spent = sum(at % 8 for at, reading in enumerate(readings) if reading.ok)
            while await stands(three[0], one, other) != [(spent, 0), (spent, 0)]:
                await asyncio.sleep(0.01)

    run()


@both
def test_what_is_spent_can_be_corrected(backend: str) -> None:
    """Up and down, also of a pot nobody has paid from."""

    @aio
    async def run() -> None:
        async with nodes(backend) as make:
            purses = await make()
            await purses.add(pot(), 80)
            assert not (await purses.reserve(hold(21))).ok
            await purses.add(pot(), -30)
            assert await purses.reserve(hold(21)) == Standing(True, [50], [21])

    run()


@both
def test_whoever_listens_hears_how_pots_stand(backend: str) -> None:
    """With the first reservation, and with every settlement."""

    @aio
    async def run() -> None:
        async with nodes(backend) as make:
            purses = await make()
            heard: list[tuple[Pot, int, int]] = []
            purses.heard = lambda *said: heard.append(said)
            held = hold(60)
            await purses.reserve(held)
            assert heard == [(pot(), 0, 60)]
            refused = await purses.reserve(hold(60))
            assert not refused.ok
            purses.settle(held, 10)
            while heard[-1] != (pot(), 10, 0):
                await asyncio.sleep(0.005)
            # A shared store tells with every answer; here nothing was spent in between.
            assert set(heard[1:-1]) <= {(pot(), 0, 60)}

    run()


@both
def test_who_stops_waiting_sets_nothing_aside(backend: str) -> None:
    """Cancelled before, while or just after the answer comes: in the end all is free."""

    @aio
    async def run() -> None:
        async with nodes(backend) as make:
            purses = await make()
            await stands(purses)
            for turns in range(14):
                held = hold(5)
                task = asyncio.ensure_future(purses.reserve(held))
                for _ in range(turns):
                    await asyncio.sleep(0)
                if task.done():
                    purses.settle(held, 0)
                    continue
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            while await stands(purses) != [(0, 0)]:
                await asyncio.sleep(0.01)

    run()


class Against(RuleBasedStateMachine):
    """Purses and a model of them go the same way, whatever happens in whatever order."""

    backend = ""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.spent: dict[PotKey, int] = {}
        self.reserved: dict[PotKey, int] = {}
        self.held: list[Hold] = []
        self.node_of: dict[int, int] = {}
        self.settled: list[Hold] = []
        self.pots = [pot(f"p{at}", "x", most=most) for at, most in enumerate((40, 100, -1))]

    @initialize()
    def begin(self) -> None:
        async def begin() -> None:
            self.make = await self.stack.enter_async_context(nodes(self.backend))
            self.nodes = [await self.make() for _ in range(2)]

        self.runner.run(begin())

    def teardown(self) -> None:
        for held in self.held:
            self._settle(held, 0)
        self.runner.run(self.stack.aclose())
        self.runner.close()

    @rule(nanos=st.integers(0, 60), which=st.sets(st.integers(0, 2), min_size=1), node=st.integers(0, 1))
    def reserve(self, nanos: int, which: set[int], node: int) -> None:
        pots = [self.pots[at] for at in sorted(which)]
        held = hold(nanos, *pots)
        fits = all(
            each.most < 0
            or not nanos
            or self.spent.get(each.key, 0) + self.reserved.get(each.key, 0) + nanos <= each.most
            for each in pots
        )
        assert self.runner.run(self.nodes[node].reserve(held)).ok == fits
        if fits:
            self.held.append(held)
            self.node_of[held.holder.attempt_id] = node
            for each in pots:
                self.reserved[each.key] = self.reserved.get(each.key, 0) + nanos

    @precondition(lambda self: self.held)
    @rule(data=st.data(), nanos=st.integers(0, 80))
    def settle(self, data: st.DataObject, nanos: int) -> None:
        held = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        self._settle(held, nanos)
        self.settled.append(held)
        for each in held.pots:
            self.reserved[each.key] -= held.nanos
            self.spent[each.key] = self.spent.get(each.key, 0) + nanos

    @precondition(lambda self: self.settled)
    @rule(nanos=st.integers(0, 80))
    def settle_again(self, nanos: int) -> None:
        self._settle(self.settled[-1], nanos)

    @rule(nanos=st.integers(-20, 20))
    def add(self, nanos: int) -> None:
        self.runner.run(self.nodes[0].add(self.pots[0], nanos))
        key = self.pots[0].key
        self.spent[key] = self.spent.get(key, 0) + nanos

    @invariant()
    def as_the_model(self) -> None:
        async def both() -> list[Standing]:
            return [await node.standing(self.pots) for node in self.nodes]

        for standing in self.runner.run(both()):
            assert standing.spent == [self.spent.get(each.key, 0) for each in self.pots]
            assert standing.reserved == [self.reserved.get(each.key, 0) for each in self.pots]

    def _settle(self, held: Hold, nanos: int) -> None:
        async def settle() -> None:
            # As in a gateway, the node that set it aside settles it; the standing is asked of the same connection.
            node = self.nodes[self.node_of[held.holder.attempt_id]]
            node.settle(held, nanos)
            await node.standing(self.pots)

        self.runner.run(settle())


class AgainstMemory(Against):
    backend = "memory"


class AgainstRedis(Against):
    backend = "redis"


TestMemoryGoesAsTheModel = AgainstMemory.TestCase
TestMemoryGoesAsTheModel.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestRedisGoesAsTheModel = pytest.mark.needs("redis")(AgainstRedis.TestCase)
TestRedisGoesAsTheModel.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)


# In Redis alone


@redis
@aio
async def test_what_a_dead_node_set_aside_counts_as_spent_and_is_told_once() -> None:
    """What a living one holds stays set aside, however long it takes; a late word of the dead one corrects the figure."""
    async with redis_server() as server, AsyncExitStack() as stack:
        living, third, dying = [await made_for(server, stack, lease_seconds=0.6) for _ in range(3)]
        kept = hold(10)
        assert (await living.reserve(kept)).ok
        lost = hold(
            30, pot(), pot("all", "*"), provider="p", model="m", feature="f", key_id="k", user="ada\ud800"
        )
        assert (await dying.reserve(lost)).ok
        # Killed: it renews nothing any more.
        await dying._holding.aclose()
        assert await stands(living, pot(), pot("all", "*")) == [(0, 40), (0, 30)]
        found: list[Any] = []
        while not found:
            for each in await asyncio.gather(living.orphans(), third.orphans()):
                found.extend(each)
            await asyncio.sleep(0.02)
        (orphan,) = found
        assert orphan.nanos == 30
        assert orphan.pots == (pot().key, pot("all", "*").key)
        assert orphan.holder.attempt_id == lost.holder.attempt_id
        assert (orphan.holder.model, orphan.holder.user) == ("m", "ada?")
        assert await stands(living, pot(), pot("all", "*")) == [(30, 10), (30, 0)]
        assert not await living.orphans()
        assert not await third.orphans()
        dying.settle(lost, 12)
        while await stands(living, pot(), pot("all", "*")) != [(12, 10), (12, 0)]:
            await asyncio.sleep(0.01)
        living.settle(kept, 3)
        assert await stands(living) == [(15, 0)]


@redis
@aio
async def test_an_orphan_whose_finder_dies_is_found_again() -> None:
    """Whoever asks again has dealt with what it was given; who does not, has not."""
    async with redis_server() as server, AsyncExitStack() as stack:
        first, second = [await made_for(server, stack, lease_seconds=0.4) for _ in range(2)]
        lost = hold(30)
        assert (await first.reserve(lost)).ok
        first._holding.let_go(lost)
        await stands(second)
        while not await first.orphans():
            await asyncio.sleep(0.02)
        await first.aclose()
        while not (again := await second.orphans()):
            await asyncio.sleep(0.02)
        assert again[0].holder == lost.holder
        assert await stands(second) == [(30, 0)], "counted once"
        assert not await second.orphans()
        await asyncio.sleep(1.0)
        assert not await second.orphans()


@redis
@aio
async def test_redis_learns_no_names_in_its_keys_and_forgets_old_periods() -> None:
    """A subject may be a person's address; a pot is kept two days longer than its period, a prepaid one for ever."""
    async with redis_server() as server, AsyncExitStack() as stack:
        purses = await made_for(server, stack)
        mine, paid = pot("each", "ada@example.com"), pot("paid", "ada@example.com", period=0)
        assert (await purses.reserve(hold(1, mine, paid))).ok
        purses.settle(unknown := hold(1, other := pot("other", "ada@example.com")), 1)
        await stands(purses, other)
        assert unknown.pots == (other,)
        client = purses.outbox.client
        keys = [key.decode() if isinstance(key, bytes) else key for key in await client.keys("*pot:*")]
        assert sorted(key.split(":")[2] for key in keys) == ["each", "other", "paid"]
        for key in keys:
            assert key.startswith("{headgate}:pot:")
            assert "ada" not in key
            if "paid" in key:
                assert await client.ttl(key) == -1
            else:
                assert abs(await client.expiretime(key) - (TODAY + 3 * 86_400)) <= 1


@redis
@aio
async def test_purses_begin_with_what_the_database_knows() -> None:
    """One node reads it, however many begin at once; requests wait for it."""
    async with redis_server() as server, AsyncExitStack() as stack:
        uses = Uses({pot().key: 70, ("paid", "*", 0): 5})
        three = [await made_for(server, stack, uses=uses) for _ in range(3)]
        readings = await asyncio.gather(*(node.reserve(hold(20)) for node in three))
        assert sorted(reading.ok for reading in readings) == [False, False, True]
        assert await stands(three[1], pot(), pot("paid", "*", period=0)) == [(70, 20), (5, 0)]
        assert uses.read == 1
        late = await made_for(server, stack, uses=uses)
        assert await stands(late) == [(70, 20)]
        assert uses.read == 1


@redis
@aio
async def test_without_the_database_nothing_is_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis that knows nothing and a database that does not answer: nothing is set aside until it does."""
    monkeypatch.setattr("headgate.stores.backends.redis.purses.FIRST_FILL_SECONDS", 0.2)
    monkeypatch.setattr("headgate.stores.backends.redis.filling._RETRY_SECONDS", 0.1)
    async with redis_server() as server, AsyncExitStack() as stack:
        uses = Uses({pot().key: 70})
        uses.gone = True
        purses = await made_for(server, stack, uses=uses)
        with pytest.raises(StoreUnavailable, match="does not know yet"):
            await purses.reserve(hold(20))
        uses.gone = False
        while True:
            try:
                assert await purses.reserve(hold(20)) == Standing(True, [70], [20])
            except StoreUnavailable:
                continue
            break


# In memory alone


@aio
async def test_in_memory_requests_wait_until_it_is_known_what_was_spent_before() -> None:
    """And are told when that cannot be read; once it can, it goes on."""
    purses = MemoryPurses()
    with pytest.raises(StoreUnavailable, match="not known yet"):
        purses.reserve_now(hold(1))
    waiting = asyncio.ensure_future(purses.reserve(hold(31)))
    await asyncio.sleep(0)
    purses.not_loaded("no database")
    with pytest.raises(StoreUnavailable, match="no database"):
        await waiting
    purses.load({pot().key: 70, ("paid", "*", 0): 5})
    purses.not_loaded("a later reading fails")
    assert purses.reserve_now(hold(31)) == Standing(False, [70], [0])
    assert await purses.reserve(hold(30)) == Standing(True, [70], [30])
    assert await stands(purses, pot("paid", "*", period=0)) == [(5, 0)]


@aio
async def test_in_memory_waiting_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody may ever say what was spent before."""
    monkeypatch.setattr("headgate.stores.backends.memory.purses.LOADING_SECONDS", 0.02)
    with pytest.raises(StoreUnavailable, match="not known yet"):
        await MemoryPurses().reserve(hold(1))


def test_in_memory_whoever_waits_is_told_when_something_is_free_again() -> None:
    """Less than was set aside, or a correction; not when all of it was spent."""
    purses = MemoryPurses(loaded=True)
    freed: list[int] = []
    purses.on_freed = lambda: freed.append(1)
    whole, part = hold(10), hold(10)
    assert purses.reserve_now(whole).ok and purses.reserve_now(part).ok
    purses.settle(whole, 10)
    assert not freed
    purses.settle(part, 9)
    assert len(freed) == 1
    aio(lambda: purses.add(pot(), -1))()
    assert len(freed) == 2


def test_in_memory_pots_of_old_periods_are_forgotten() -> None:
    """A pot for each user and day may be many; what is set aside and what has no end is kept."""
    now = float(TODAY)
    purses = MemoryPurses(loaded=True, seconds=lambda: now)
    purses.load({("loaded", "*", TODAY - 40 * 86_400): 1, ("loaded", "*", TODAY - 20 * 86_400): 1})
    running, paid = hold(1, pot("running")), hold(1, pot("paid", period=0))
    assert purses.reserve_now(running).ok and purses.reserve_now(paid).ok
    purses.settle(paid, 1)
    for number in range(25_000):
        now += 86_400 / 1000
        today = int(now) // 86_400 * 86_400
        each = hold(1, pot("each", f"user {number}", period=today))
        assert purses.reserve_now(each).ok
        purses.settle(each, 1)
    assert len(purses) < 12_000
    assert aio(lambda: stands(purses, pot("paid", period=0), pot("running")))() == [(1, 0), (0, 1)]
