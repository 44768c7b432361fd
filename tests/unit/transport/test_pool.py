"""Slots and waiters, without a network."""

from __future__ import annotations

import asyncio

import pytest

from headgate.providers.transport.connection import Connection, Stage
from headgate.providers.transport.parsing import HeadLimits
from headgate.providers.transport.pool import Lane
from tests.support.aio import aio


def lane(max_connections: int = 1) -> Lane:
    return Lane(max_connections, 30.0, HeadLimits())


async def opened(lane: Lane) -> Connection:
    assert await lane.acquire() is None
    connection = Connection(asyncio.get_running_loop(), lane, "host:1")
    lane.adopt(connection)
    return connection


def waiter(lane: Lane) -> asyncio.Task[Connection | None]:
    return asyncio.create_task(lane.acquire())


@aio
async def test_the_connection_used_last_is_used_first() -> None:
    """So that a pool grown in a rush can shrink afterwards."""
    pool = lane(3)
    one, two, three = [await opened(pool) for _ in range(3)]
    for connection in (two, three, one):
        pool.ready(connection)
    assert [pool.take_idle() for _ in range(4)] == [one, three, two, None]


@aio
async def test_waiters_are_served_in_their_order() -> None:
    """With connections that come free, and with slots of connections that are gone."""
    pool = lane(2)
    one, two = await opened(pool), await opened(pool)
    first, second = waiter(pool), waiter(pool)
    await asyncio.sleep(0)
    assert (pool.open, pool.waiting) == (2, 2)
    pool.ready(one)
    two.close()
    assert await first is one
    assert await second is None
    assert (pool.open, pool.idle, pool.waiting) == (2, 0, 0)


@aio
async def test_a_waiter_cancelled_with_a_connection_in_hand_passes_it_on() -> None:
    """It was given the connection in the very turn it was cancelled: the next in line gets it, or the pool."""
    pool = lane()
    connection = await opened(pool)
    first, second = waiter(pool), waiter(pool)
    await asyncio.sleep(0)
    pool.ready(connection)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second is connection
    third = waiter(pool)
    await asyncio.sleep(0)
    pool.ready(connection)
    third.cancel()
    with pytest.raises(asyncio.CancelledError):
        await third
    assert (pool.open, pool.idle) == (1, 1)


@aio
async def test_a_waiter_cancelled_with_a_slot_in_hand_frees_it() -> None:
    """As with a connection."""
    pool = lane()
    connection = await opened(pool)
    first, second = waiter(pool), waiter(pool)
    await asyncio.sleep(0)
    connection.close()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second is None
    assert pool.open == 1
    pool.free_slot()
    assert pool.open == 0


@aio
async def test_a_connection_that_dies_in_a_waiters_hand_costs_no_slot() -> None:
    """The waiter finds it closed; its slot has already gone to the next."""
    pool = lane()
    connection = await opened(pool)
    first, second = waiter(pool), waiter(pool)
    await asyncio.sleep(0)
    pool.ready(connection)
    connection.close()
    handed = await first
    assert handed is connection and handed.stage is Stage.CLOSED
    assert await second is None
    assert pool.open == 1


@aio
async def test_a_connection_never_adopted_frees_nothing() -> None:
    """It died while it was being made: whoever made it still holds the slot."""
    pool = lane()
    assert await pool.acquire() is None
    Connection(asyncio.get_running_loop(), pool, "host:1").close()
    assert pool.open == 1


@aio
async def test_a_connection_can_be_swapped_for_its_slot_past_the_waiters() -> None:
    """The retry of a stale connection needs a new one, and had its turn."""
    pool = lane()
    connection = await opened(pool)
    other = waiter(pool)
    await asyncio.sleep(0)
    pool.swap_for_slot(connection)
    assert connection.stage is Stage.CLOSED
    assert (pool.open, pool.waiting) == (1, 1)
    pool.free_slot()
    assert await other is None
