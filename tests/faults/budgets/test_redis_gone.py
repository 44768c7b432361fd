"""Redis that hangs, dies, comes back without its data: nothing is spent twice, lost, or set aside for nobody."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import count
from typing import Any

import pytest

from headgate.budgets.away import SharedPurses
from headgate.stores.backends.redis import holding
from headgate.stores.backends.redis.meters import RedisMeters
from headgate.stores.backends.redis.outbox import Outbox
from headgate.stores.backends.redis.purses import RedisPurses
from headgate.stores.errors import StoreUnavailable
from headgate.stores.meters import Gauge
from headgate.stores.purses import Hold, Holder, Pot, PotKey, Purses, Standing
from tests.support.aio import aio
from tests.support.redis_server import RedisServer, redis_server

__all__: list[str] = []

pytestmark = pytest.mark.needs("redis")

TODAY = int(time.time()) // 86_400 * 86_400
IDS = count(1 << 60)
POT = Pot("team", "canal", TODAY, TODAY + 86_400, 300)


def hold(nanos: int, pot: Pot = POT) -> Hold:
    return Hold(Holder(next(IDS), 7, 0), nanos, [pot])


class Uses:
    """What the database knows."""

    def __init__(self) -> None:
        self.spent: dict[PotKey, int] = {}

    async def uses(self, *, since: int, budget: str = "") -> Mapping[PotKey, int]:
        return self.spent


@asynccontextmanager
async def network(
    nodes: int = 1, **options: Any
) -> AsyncIterator[tuple[RedisServer, Uses, list[RedisPurses]]]:
    """Purses on one Redis, warm."""
    uses = Uses()
    async with redis_server() as server, AsyncExitStack() as stack:
        made = []
        for _ in range(nodes):
            one = RedisPurses(server.url, uses, **({"answer_seconds": 0.3, "pause_seconds": 0.5} | options))
            stack.push_async_callback(one.aclose)
            await until_known(one)
            made.append(one)
        yield server, uses, made


async def until_known(purses: Purses) -> tuple[int, int]:
    """Spent and reserved, when Redis can tell."""
    while True:
        try:
            standing = await purses.standing([POT])
        except StoreUnavailable:
            await asyncio.sleep(0.02)
        else:
            return standing.spent[0], standing.reserved[0]


async def until(purses: Purses, spent: int, reserved: int) -> None:
    """It must come to that, and stay so."""
    while await until_known(purses) != (spent, reserved):
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.1)
    assert await until_known(purses) == (spent, reserved)


async def again(purses: Purses, held: Hold) -> Standing:
    """Reserve, as soon as it can be."""
    while True:
        try:
            return await purses.reserve(held)
        except StoreUnavailable:
            await asyncio.sleep(0.02)


@aio
async def test_a_redis_that_hangs_sets_nothing_aside_for_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """Requests hear of it in time. What they had asked is carried out late, or not at all, and undone in either case."""
    async with network(2) as (server, _, (node, other)):
        kept = hold(10)
        assert (await node.reserve(kept)).ok
        server.freeze()
        began = time.monotonic()
        said = await asyncio.gather(*(node.reserve(hold(50)) for _ in range(3)), return_exceptions=True)
        assert all(isinstance(each, StoreUnavailable) for each in said)
        assert 0.2 < time.monotonic() - began < 3
        server.thaw()
        await until(other, 0, 10)
        assert (await again(node, hold(290))).ok
    assert "Traceback" not in caplog.text


@aio
async def test_what_was_told_while_redis_hung_counts_once() -> None:
    """It is told again, and what was sent first is carried out as well: one of the two counts."""
    async with network(2) as (server, _, (node, other)):
        holds = [hold(10) for _ in range(5)]
        for each in holds:
            assert (await node.reserve(each)).ok
        server.freeze()
        for each in holds[:3]:
            node.settle(each, 7)
        await asyncio.sleep(0.5)
        node.settle(holds[3], 8)
        await asyncio.sleep(0.4)
        server.thaw()
        node.settle(holds[4], 9)
        await until(other, 38, 0)
        assert not node.waiting
        assert not node.dropped


@aio
async def test_a_redis_that_lost_its_data_is_told_by_the_database_and_by_those_who_hold() -> None:
    """What is spent comes from the database, what is set aside from the nodes; while that is not so, nothing is set aside."""
    async with network(3) as (server, uses, nodes):
        holds = [hold(20) for _ in nodes]
        for node, each in zip(nodes, holds, strict=True):
            assert (await node.reserve(each)).ok
        over = hold(30)
        assert (await nodes[0].reserve(over)).ok
        nodes[0].settle(over, 25)
        await until(nodes[0], 25, 60)
        await server.kill()
        with pytest.raises(StoreUnavailable):
            await nodes[0].reserve(hold(1))
        nodes[1].settle(holds[1], 11)
        uses.spent = {POT.key: 25 + 11}
        await server.start()
        with pytest.raises(StoreUnavailable):
            await nodes[2].reserve(hold(300))
        for node in nodes:
            node._holding.renew()
        await until(nodes[2], 36, 40)
        nodes[0].settle(holds[0], 20)
        nodes[2].settle(holds[2], 0)
        await until(nodes[1], 56, 0)


@aio
async def test_what_the_database_had_told_already_does_not_count_again() -> None:
    """A settlement that waited for Redis so long that it was in the database before that was read."""
    async with network(pause_seconds=0.2) as (server, uses, (node,)):
        old, new = hold(20), hold(20)
        assert (await node.reserve(old)).ok
        assert (await node.reserve(new)).ok
        await server.kill()
        node.settle(old, 15)
        await asyncio.sleep(0.6)
        uses.spent = {POT.key: 15}
        await server.start()
        await until(node, 15, 20)
        node.settle(new, 3)
        await until(node, 18, 0)


@aio
async def test_a_flushed_redis_is_filled_again() -> None:
    """As one that was restarted."""
    async with network() as (_, uses, (node,)):
        held = hold(20)
        assert (await node.reserve(held)).ok
        uses.spent = {POT.key: 100}
        await node.outbox.client.flushall()
        with pytest.raises(StoreUnavailable, match="lost what"):
            await node.reserve(hold(1))
        await until(node, 100, 20)
        assert not (await again(node, hold(181))).ok
        assert (await again(node, hold(180))).ok


@aio
async def test_a_redis_without_data_waits_for_what_a_killed_process_has_left() -> None:
    """Both died together: what the journal holds is spent, and the database does not know it yet."""
    uses, recovered = Uses(), False
    async with redis_server() as server:
        node = RedisPurses(server.url, uses, answer_seconds=0.3, ready=lambda: recovered)
        try:
            asked = asyncio.create_task(node.reserve(hold(200)))
            await asyncio.sleep(0.4)
            assert not asked.done()
            uses.spent = {POT.key: 200}
            recovered = True
            assert not (await asked).ok
            assert await until_known(node) == (200, 0)
        finally:
            await node.aclose()


@aio
async def test_a_redis_without_memory_is_told_when_it_has_some_again() -> None:
    """It refuses to write, says so, and nothing is lost. A settlement that can never be carried out keeps nobody waiting."""
    async with network() as (_, _, (node,)):
        client = node.outbox.client
        one, two = hold(20), hold(20)
        assert (await node.reserve(one)).ok
        await client.config_set("maxmemory", "1")
        node.settle(one, 15)
        with pytest.raises(StoreUnavailable):
            await node.reserve(two)
        await asyncio.sleep(0.3)
        assert node.waiting
        await client.config_set("maxmemory", "0")
        await until(node, 15, 0)
        await client.set("{headgate}:pot:bad:0:" + node._keys.key("bad", "*", 0).rpartition(":")[2], "text")
        node.settle(hold(1, Pot("bad", "*", 0, 0, -1)), 1)
        assert (await again(node, two)).ok
        node.settle(two, 5)
        await until(node, 20, 0)
        assert node.dropped == 1


@aio
async def test_no_orphans_are_made_by_an_outage() -> None:
    """Leases that ended while Redis hung are renewed before anybody takes them for those of a dead node."""
    async with network(2, lease_seconds=0.6) as (server, _, (node, other)):
        held = hold(20)
        assert (await node.reserve(held)).ok
        server.freeze()
        await asyncio.sleep(1.2)
        server.thaw()
        began = time.monotonic()
        while time.monotonic() - began < 1.2:
            with suppress(StoreUnavailable):
                assert not await other.orphans()
            await asyncio.sleep(0.02)
        await until(other, 0, 20)
        node.settle(held, 20)
        await until(other, 20, 0)


@aio
async def test_each_node_spends_its_share_and_tells_when_redis_is_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """All together not more than there was, neither without Redis nor in the moment of its return."""
    caplog.set_level(logging.INFO, "headgate.budgets")
    monkeypatch.setattr(holding, "TOGETHER_SECONDS", 1.2)
    async with network(3) as (server, _, nodes):
        shared = [SharedPurses(node, nodes=3) for node in nodes]
        first = [hold(10) for _ in shared]
        for node, each in zip(shared, first, strict=True):
            assert (await node.reserve(each)).ok
        for behind in nodes:
            await until_known(behind)
        server.freeze()
        taken: list[tuple[SharedPurses, Hold]] = []

        async def spend(node: SharedPurses) -> None:
            for _ in range(12):
                if (await node.reserve(each := hold(10))).ok:
                    taken.append((node, each))

        await asyncio.gather(*map(spend, shared))
        assert len(taken) == 27, "nine for each, of the 270 that were left"
        for node, each in taken[::2]:
            node.settle(each, 10)
        server.thaw()
        ended = time.monotonic() + 3
        while time.monotonic() < ended:
            for node in shared:
                assert not (await node.reserve(hold(10))).ok
            await asyncio.sleep(0.05)
        assert not any(node.is_away for node in shared)
        await until(nodes[0], 140, 160)
        for node, each in taken[1::2]:
            node.settle(each, 5)
        for node, each in zip(shared, first, strict=True):
            node.settle(each, 0)
        await until(nodes[1], 140 + 5 * 13, 0)
        assert shared[0].away > 9
    said = [record.getMessage() for record in caplog.records]
    assert sum("spends its share" in line for line in said) == 3
    assert sum("is back" in line for line in said) == 3


@aio
async def test_limits_and_budgets_of_one_turn_leave_together() -> None:
    """One round trip for a request that has both."""
    async with redis_server() as server:
        outbox = Outbox(server.url, answer_seconds=5.0)
        meters, purses = RedisMeters(outbox), RedisPurses(outbox, Uses())
        await until_known(purses)
        trips = 0
        together = outbox._together

        async def counted(calls: Any) -> Any:
            nonlocal trips
            trips += 1
            return await together(calls)

        outbox._together = counted  # type: ignore[method-assign]
        reading, standing = await asyncio.gather(
            meters.take([(Gauge("g", 10.0, 1.0), "a", 1)], 1), purses.reserve(held := hold(10))
        )
        assert reading.ok and standing.ok
        assert trips == 1
        meters.settle([(Gauge("g", 10.0, 1.0), "a", -1)], 1)
        purses.settle(held, 4)
        assert await until_known(purses) == (4, 0)
        await purses.aclose()
        await meters.aclose()
        await outbox.aclose()
        with pytest.raises(StoreUnavailable, match="closed"):
            await purses.standing([POT])


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_to_redis_what_was_spent_is_what_it_says_in_the_end(seed: int) -> None:
    """Three nodes, a Redis that hangs again and again, callers that leave: the sum is right to the nano-dollar, nothing stays
    set aside, and nobody has spent what was not there."""

    @aio
    async def run() -> None:
        chance = random.Random(seed)
        pot = Pot("team", "canal", TODAY, TODAY + 86_400, 3_000)
        async with network(3, answer_seconds=0.05) as (server, _, nodes):
            spent = 0
            over = asyncio.Event()

            async def caller(node: RedisPurses) -> None:
                nonlocal spent
                while not over.is_set():
                    held = hold(chance.randint(1, 90), pot)
                    task = asyncio.ensure_future(node.reserve(held))
                    if chance.random() < 0.3:
                        await asyncio.sleep(chance.random() * 0.01)
                        task.cancel()
                    try:
                        ok = (await task).ok
                    except (StoreUnavailable, asyncio.CancelledError):
                        ok = False
                    await asyncio.sleep(chance.random() * 0.01)
                    if ok:
                        nanos = chance.randint(0, min(held.nanos, 4))
                        spent += nanos
                        node.settle(held, nanos)

            callers = [asyncio.ensure_future(caller(nodes[at % 3])) for at in range(12)]
            for _ in range(6):
                await asyncio.sleep(chance.random() * 0.3)
                server.freeze()
                await asyncio.sleep(chance.random() * 0.3)
                server.thaw()
            over.set()
            await asyncio.gather(*callers)
            assert spent <= pot.most
            await until(nodes[0], spent, 0)
            assert spent > 20
            assert not any(node.waiting or node.dropped for node in nodes)

    run()
