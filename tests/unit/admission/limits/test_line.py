"""Who waits for room in a limit is let in in turn."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from headgate.admission.limits.line import Line
from headgate.admission.limits.rules import Ask, plan_of
from headgate.admission.limits.settings import LimitSettings, QueueSettings
from headgate.core.errors import LimitsUnavailable
from headgate.core.section import Duration, decode_value
from headgate.stores.backends.memory.meters import MemoryMeters
from headgate.stores.meters import Reading
from tests.support.aio import aio

__all__: list[str] = []


def gauge(**settings: Any) -> Any:
    limit = msgspec.convert({"name": "a", **settings}, LimitSettings, dec_hook=decode_value)
    return plan_of([limit], {}).rules[0].gauges[0]


SLOT = gauge(concurrency=1)


class Room:
    """A line before a count of one slot, and who has been let in."""

    def __init__(self) -> None:
        self.meters = MemoryMeters()
        self.line = Line(self.meters)
        self.order: list[str] = []
        self._holders = 0

    async def occupy(self) -> None:
        assert (await self.meters.take([(SLOT, "x", 1)], 1)).ok

    def free(self) -> None:
        self.meters.settle([(SLOT, "x", -1)], 1)
        self.line.room_came()

    def come(
        self,
        name: str,
        *,
        key: str = "k",
        wait: float = 20,
        most: int = 100,
        priority: int = 0,
        asks: Any = None,
    ) -> asyncio.Task[Reading]:
        self._holders += 1
        wanted: list[Ask] = asks or [(SLOT, "x", 1)]
        holder = 1000 + self._holders

        async def waiting() -> Reading:
            reading = await self.line.wait(
                wanted,
                holder=holder,
                key=key,
                feature="chatting",
                settings=QueueSettings(wait=Duration(wait), most=most, priority=priority),
                reading=Reading(False, [], [0.0]),
            )
            if reading.ok:
                self.order.append(name)
            return reading

        return asyncio.ensure_future(waiting())

    async def let_all_in(self, count: int) -> None:
        """Give the slot back as often as somebody has got it."""
        for number in range(count):
            self.free()
            while len(self.order) <= number:
                await asyncio.sleep(0)


async def settle_down() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@aio
async def test_keys_take_turns_and_within_a_key_the_first_is_first() -> None:
    """One caller with many requests does not keep the others waiting."""
    room = Room()
    await room.occupy()
    tasks = [room.come(f"a{number}", key="a") for number in range(4)]
    tasks += [room.come(f"b{number}", key="b") for number in range(2)]
    tasks += [room.come("c0", key="c")]
    await settle_down()
    await room.let_all_in(7)
    assert room.order == ["a0", "b0", "c0", "a1", "b1", "a2", "a3"]
    assert all(task.result().ok for task in tasks)
    assert room.line.waiting == 0
    assert room.line.let_in == 7


@aio
async def test_higher_priorities_go_first() -> None:
    """Also those that came later."""
    room = Room()
    await room.occupy()
    for name, priority in (("low", -1), ("middle", 0), ("high", 5), ("high too", 5)):
        room.come(name, key=name, priority=priority)
        await settle_down()
    await room.let_all_in(4)
    assert room.order == ["high", "high too", "middle", "low"]


@aio
async def test_waiting_has_an_end() -> None:
    """After `wait` the reading says what there was no room in; the place is free again."""
    room = Room()
    await room.occupy()
    reading = await room.come("a", wait=0.05)
    assert not reading.ok
    assert len(reading.waits) == 1
    assert (room.line.waiting, room.line.in_vain) == (0, 1)
    room.free()
    assert (await room.come("b")).ok


@aio
async def test_who_hangs_up_leaves_the_line_and_takes_nothing_along() -> None:
    """At whatever moment, also the one in which it is let in."""
    for turns in range(8):
        room = Room()
        await room.occupy()
        leaving, staying = room.come("leaving", key="a"), room.come("staying", key="b")
        await settle_down()
        room.free()
        for _ in range(turns):
            await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        if leaving.cancelled():
            assert (await staying).ok, turns
            assert room.order == ["staying"]
        else:
            staying.cancel()
            await asyncio.gather(staying, return_exceptions=True)
        assert room.line.waiting == 0


@aio
async def test_a_small_request_does_not_overtake_a_large_one() -> None:
    """Where the same count is too short for both; what wants another count may pass."""
    room = Room()
    tokens = gauge(tokens=100, per="1s")
    assert (await room.meters.take([(tokens, "x", 100)], 1)).ok
    tasks = [
        room.come("large", key="a", asks=[(tokens, "x", 20)]),
        room.come("small", key="b", asks=[(tokens, "x", 1)]),
        room.come("elsewhere", key="b", asks=[(tokens, "y", 1)]),
    ]
    assert all(reading.ok for reading in await asyncio.gather(*tasks))
    assert room.order == ["elsewhere", "large", "small"]


@aio
async def test_the_line_is_full_when_it_has_as_many_as_it_may() -> None:
    """Of each feature."""
    room = Room()
    await room.occupy()
    settings = QueueSettings(most=2)
    waiting = [room.come("a"), room.come("b")]
    await settle_down()
    assert room.line.full("chatting", settings)
    assert not room.line.full("other", settings)
    waiting[0].cancel()
    await settle_down()
    assert not room.line.full("chatting", settings)
    waiting[1].cancel()
    await settle_down()


@aio
async def test_an_error_while_counting_reaches_the_request_that_waits() -> None:
    """And only that one; the line goes on."""

    class Broken(MemoryMeters):
        broken = True

        async def take(self, wants: Any, holder: int) -> Reading:
            if self.broken and holder == 1001:
                raise LimitsUnavailable("Redis is away")
            return await super().take(wants, holder)

    room = Room()
    room.meters = Broken()
    room.line = Line(room.meters)
    await room.occupy()
    first, second = room.come("a", key="a"), room.come("b", key="b")
    with pytest.raises(LimitsUnavailable):
        await first
    room.free()
    assert (await second).ok


@aio
async def test_room_that_others_give_back_is_found_without_a_word() -> None:
    """Another node says nothing when it gives back."""
    room = Room()
    room.line = Line(room.meters, look_every=0.01)
    await room.occupy()
    waiting = room.come("a")
    await settle_down()
    room.meters.settle([(SLOT, "x", -1)], 1)
    assert (await waiting).ok
