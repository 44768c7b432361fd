"""What holds while the store that counts limits is away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import pytest

from headgate.admission.limits.away import SharedMeters
from headgate.core.errors import LimitsUnavailable
from headgate.stores.backends.memory.meters import MemoryMeters
from headgate.stores.errors import StoreUnavailable
from headgate.stores.meters import Gauge, Reading, Want
from headgate.testing.clock import FakeClock
from tests.support.aio import aio

__all__: list[str] = []

SLOW = Gauge("slow", 30.0, 3600.0)
SLOTS = Gauge("slots", 7.0, 0.0)


class Store(MemoryMeters):
    """A shared store that can go away."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(monotonic=clock.monotonic)
        self.away = False
        self.asked = 0

    async def take(self, wants: Sequence[Want], holder: int) -> Reading:
        self.asked += 1
        if self.away:
            raise StoreUnavailable("Redis did not answer")
        return await super().take(wants, holder)


def network(**settings: Any) -> tuple[FakeClock, Store, list[SharedMeters]]:
    """Three nodes and their store."""
    clock = FakeClock()
    store = Store(clock)
    made = [
        SharedMeters(
            store, MemoryMeters(monotonic=clock.monotonic), nodes=3, monotonic=clock.monotonic, **settings
        )
        for _ in range(3)
    ]
    return clock, store, made


async def taken(meters: SharedMeters, gauge: Gauge, first: int = 0) -> int:
    """How many single units it lets pass."""
    count = 0
    while (await meters.take([(gauge, "a", 1)], first + count)).ok:
        count += 1
    return count


@aio
async def test_without_the_store_each_node_lets_its_share_of_what_is_left_pass() -> None:
    """All together not more than there was; each goes on from what it heard last."""
    clock, store, nodes = network()
    for node in nodes:
        for holder in range(4):
            assert (await node.take([(SLOW, "a", 1)], holder)).ok
    store.away = True
    # The first heard last that 26 were left, the third that 18 were: a third of that each.
    assert [await taken(node, SLOW) for node in nodes] == [8, 7, 6]
    assert nodes[0].away == 9
    clock.advance(3 * 3600)
    assert [await taken(node, SLOW) for node in nodes] == [1, 1, 1], "back at a third of the pace"


@aio
async def test_without_the_store_each_node_lets_its_share_of_requests_run() -> None:
    """At least one; what it has under way counts."""
    _, store, nodes = network()
    assert (await nodes[0].take([(SLOTS, "a", 1)], 1)).ok
    store.away = True
    assert await taken(nodes[0], SLOTS, 10) == 1
    assert await taken(nodes[1], SLOTS, 10) == 2
    nodes[0].settle([(SLOTS, "a", -1)], 1)
    assert await taken(nodes[0], SLOTS, 20) == 1
    one = Gauge("one", 1.0, 0.0)
    assert await taken(nodes[2], one) == 1


@aio
async def test_what_was_taken_here_is_given_back_here() -> None:
    """The store never heard of it; what the store gave it gets back."""
    clock, store, nodes = network()
    assert (await nodes[0].take([(SLOTS, "a", 1)], 1)).ok
    store.away = True
    assert (await nodes[0].take([(SLOTS, "a", 1)], 2)).ok
    store.away = False
    clock.advance(60)
    nodes[0].settle([(SLOTS, "a", -1)], 2)
    assert (await nodes[1].take([(SLOTS, "a", 1)], 3)).left == [5.0]
    nodes[0].settle([(SLOTS, "a", -1)], 1)
    assert (await nodes[1].take([(SLOTS, "a", 1)], 4)).left == [5.0]


@aio
async def test_a_request_larger_than_a_share_can_pass() -> None:
    """Once nothing else is taken: it must not wait for Redis."""
    _, store, nodes = network()
    store.away = True
    assert (await nodes[0].take([(SLOW, "a", 25)], 1)).ok
    assert not (await nodes[0].take([(SLOW, "a", 1)], 2)).ok


@aio
async def test_a_store_that_does_not_answer_is_left_alone_for_a_moment(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whoever asks it waits in vain; the log says each once."""
    caplog.set_level(logging.INFO, "headgate.limits")
    clock, store, (node, *_) = network()
    store.away = True
    for moment, asked in ((0.0, 1), (0.05, 1), (0.06, 2), (0.15, 2), (0.06, 3)):
        clock.advance(moment)
        await node.take([(SLOW, "a", 1)], 1)
        assert store.asked == asked, moment
    clock.advance(2)
    store.away = False
    await node.take([(SLOW, "a", 1)], 1)
    said = [record.getMessage() for record in caplog.records]
    assert [("its share" in line, "is back" in line) for line in said] == [(True, False), (False, True)]


@aio
async def test_whoever_wants_certainty_refuses() -> None:
    """With `refuse` nothing passes that was not counted."""
    _, store, (node, *_) = network(policy="refuse")
    store.away = True
    for count in (1, 2, 3):
        with pytest.raises(LimitsUnavailable) as refused:
            await node.take([(SLOW, "a", 1)], 1)
        assert refused.value.status == 503
        assert node.away == count
    store.away = False


@aio
async def test_closing_closes_the_store() -> None:
    """Its connections are the only ones."""
    closed = asyncio.Event()
    _, store, (node, *_) = network()

    async def close() -> None:
        closed.set()

    store.aclose = close  # type: ignore[method-assign]
    await node.aclose()
    assert closed.is_set()
