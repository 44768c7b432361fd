"""What holds while the store in which budgets are counted is away."""

from __future__ import annotations

import asyncio
import logging
import time
from itertools import count
from typing import Any

import pytest

from headgate.budgets.away import SharedPurses
from headgate.stores.backends.memory.purses import MemoryPurses
from headgate.stores.errors import StoreUnavailable
from headgate.stores.purses import Hold, Holder, Pot, Standing
from headgate.testing.clock import FakeClock
from tests.support.aio import aio

__all__: list[str] = []

TODAY = int(time.time()) // 86_400 * 86_400
POT = Pot("team", "canal", TODAY, TODAY + 86_400, 300)
IDS = count(1)


def hold(nanos: int, *pots: Pot) -> Hold:
    return Hold(Holder(next(IDS), 7, 0), nanos, pots or (POT,))


class Store(MemoryPurses):
    """A shared store that can go away. Settlements reach it all the same, as they do in the end."""

    def __init__(self) -> None:
        super().__init__(loaded=True)
        self.away = False
        self.asked = 0
        self.adopted: list[Hold] = []

    async def reserve(self, hold: Hold) -> Standing:
        self.asked += 1
        if self.away:
            raise StoreUnavailable("Redis did not answer")
        return await super().reserve(hold)

    waiting = dropped = 0

    def start(self) -> None:
        """It needs no start."""

    def adopt(self, hold: Hold) -> None:
        self.adopted.append(hold)


def network(**options: Any) -> tuple[FakeClock, Store, list[SharedPurses]]:
    """Three nodes and their store, of which each hears for itself."""
    clock, store = FakeClock(), Store()
    nodes = []
    heard = []
    for _ in range(3):
        nodes.append(SharedPurses(store, nodes=3, monotonic=clock.monotonic, **options))
        heard.append(store.heard)

    def all_hear(pot: Pot, spent: int, reserved: int) -> None:
        for each in heard:
            assert each is not None
            each(pot, spent, reserved)

    store.heard = all_hear
    return clock, store, nodes


async def spent_by(node: SharedPurses, nanos: int = 10) -> list[Hold]:
    """What it pays for, of many that ask."""
    holds = []
    while (await node.reserve(each := hold(nanos))).ok:
        holds.append(each)
    return holds


@aio
async def test_each_node_spends_its_part_of_what_was_left() -> None:
    """Of what it heard last; the store is told of all of it."""
    _, store, nodes = network()
    assert (await nodes[0].reserve(hold(30))).ok
    store.away = True
    holds = [await spent_by(node) for node in nodes]
    assert [len(each) for each in holds] == [9, 9, 9]
    assert store.adopted == [each for some in holds for each in some]
    assert nodes[0].away == 10
    assert all(node.is_away for node in nodes)


@aio
async def test_what_comes_back_meanwhile_can_be_spent_here() -> None:
    """Nobody else knows of it. What cost more than was set aside is missing here."""
    _, store, (node, *_) = network()
    before = hold(60)
    assert (await node.reserve(before)).ok
    store.away = True
    holds = await spent_by(node, 20)
    assert len(holds) == 4
    freed = asyncio.Event()
    node.on_freed = freed.set
    node.settle(holds[0], 35)
    assert not freed.is_set()
    node.settle(before, 50)
    assert freed.is_set()
    standing = await node.reserve(hold(1))
    assert not standing.ok, "15 more than it had, 10 back"
    node.settle(holds[1], 0)
    standing = await node.reserve(hold(15))
    assert standing.ok
    assert standing.spent[0] + standing.reserved[0] == 300, "the parts of others are as good as set aside"


@aio
async def test_what_is_only_counted_and_what_costs_nothing_pass_without_the_store() -> None:
    """A soft budget refuses nobody."""
    _, store, (node, *_) = network()
    node.load({POT.key: 300})
    store.away = True
    soft = Pot("soft", "*", TODAY, TODAY + 86_400, -1)
    assert (await node.reserve(hold(10**15, soft))).ok
    assert not (await node.reserve(hold(1, POT, soft))).ok
    assert (await node.reserve(hold(0, POT, soft))).ok


@aio
async def test_a_pot_nobody_has_heard_of_is_known_from_the_database() -> None:
    """Or nothing is set aside: it may have been spent whole."""
    clock, store, (node, *_) = network()
    store.away = True
    with pytest.raises(StoreUnavailable, match="database"):
        await node.reserve(hold(1))
    node.load({POT.key: 240})
    assert len(await spent_by(node)) == 2
    tomorrow = Pot("team", "canal", TODAY + 86_400, TODAY + 2 * 86_400, 300)
    assert (await node.reserve(hold(100, tomorrow))).ok
    assert not (await node.reserve(hold(1, tomorrow))).ok
    assert (await node.standing([POT])).spent == [240]
    clock.advance(2)
    assert (await node.standing([POT])).spent == [0], "the store knows"


@aio
async def test_a_share_is_not_given_out_again_by_news_that_come_while_it_is_spent() -> None:
    """A late answer does not know what nodes have spent without the store."""
    clock, store, (node, *_) = network()
    before = hold(30)
    assert (await node.reserve(before)).ok
    store.away = True
    assert len(await spent_by(node)) == 9
    store.settle(before, 30)
    assert not (await node.reserve(hold(10))).ok
    store.away = False
    clock.advance(2)
    assert (await node.reserve(hold(180))).ok, "the store decides again"
    store.away = True
    assert len(await spent_by(node)) == 3, "a third of the 90 that are left now"


@aio
async def test_whoever_wants_certainty_refuses() -> None:
    """With `refuse` nothing is spent that was not counted together."""
    _, store, (node, *_) = network(policy="refuse")
    node.load({})
    store.away = True
    for times in (1, 2):
        with pytest.raises(StoreUnavailable):
            await node.reserve(hold(1))
        assert node.away == times
    assert not store.adopted


@aio
async def test_a_store_that_does_not_answer_is_left_alone_for_a_moment(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whoever asks it waits in vain; the log says each once."""
    caplog.set_level(logging.INFO, "headgate.budgets")
    clock, store, (node, *_) = network()
    node.load({})
    store.away = True
    for moment, asked in ((0.0, 1), (0.05, 1), (0.06, 2), (0.15, 2), (0.06, 3)):
        clock.advance(moment)
        await node.reserve(hold(1))
        assert store.asked == asked, moment
    clock.advance(2)
    store.away = False
    await node.reserve(hold(1))
    said = [record.getMessage() for record in caplog.records]
    assert [("its share" in line, "is back" in line) for line in said] == [(True, False), (False, True)]


@aio
async def test_whoever_listens_hears_the_store_and_the_share() -> None:
    """What thresholds and headers go by."""
    _, store, (node, *_) = network()
    heard: list[tuple[int, int]] = []
    node.heard = lambda _, spent, reserved: heard.append((spent, reserved))
    assert (await node.reserve(hold(30))).ok
    store.away = True
    assert (await node.reserve(hold(20))).ok
    assert heard == [(0, 30), (0, 300 - 70)], "70 of its share of 90 are left"


@aio
async def test_pots_of_old_periods_are_forgotten() -> None:
    """A pot for each user and day may be many."""
    _, store, (node, *_) = network()
    for number in range(25_000):
        old = Pot("each", f"user {number}", 86_400, 2 * 86_400, 300)
        node._hear(old, 1, 0)
    node._hear(POT, 7, 0)
    assert len(node._shares) < 12_000
    store.away = True
    assert (await node.reserve(hold(1))).spent == [7]


@aio
async def test_the_rest_is_the_stores() -> None:
    """Corrections, orphans, closing."""
    _, store, (node, *_) = network()
    await node.add(POT, 5)
    assert (await node.standing([POT])).spent == [5]
    assert not await node.orphans()
    closed = asyncio.Event()

    async def close() -> None:
        closed.set()

    store.aclose = close  # type: ignore[method-assign]
    await node.aclose()
    assert closed.is_set()


@pytest.mark.parametrize("policy", ["share", "refuse"])
@aio
async def test_what_is_only_watched_refuses_nobody_whatever_is_away(policy: str) -> None:
    """Neither where certainty is wanted, nor while nothing is known at all; beside a budget that refuses it changes nothing."""
    _, store, (node, *_) = network(policy=policy)
    store.away = True
    soft = Pot("soft", "canal", TODAY, TODAY + 86_400, -1)
    watched = hold(500, soft)
    assert (await node.reserve(watched)).ok
    assert store.adopted == [watched]
    with pytest.raises(StoreUnavailable):
        await node.reserve(hold(10, soft, POT))
