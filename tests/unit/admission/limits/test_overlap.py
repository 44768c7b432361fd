"""A limit stage that asks and goes on: the answer is waited for by whoever lets something leave."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from headgate.admission.limits.rules import plan_of
from headgate.admission.limits.settings import LimitSettings, QueueSettings
from headgate.admission.limits.stage import Limit
from headgate.core.errors import LimitReached
from headgate.core.section import decode_value
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.stores.backends.memory.meters import MemoryMeters
from headgate.stores.meters import Reading, Want
from tests.support.aio import aio
from tests.support.exchanges import Desk, closed

__all__: list[str] = []

REPLY = Reply()


class Distant(MemoryMeters):
    """Counts that answer when they are let."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = asyncio.Event()
        self.asked = 0

    async def take(self, wants: Sequence[Want], holder: int) -> Reading:
        self.asked += 1
        await self.answers.wait()
        return await super().take(wants, holder)


def stage_on(meters: MemoryMeters, *, queue: bool = False, slots: int = 1) -> Limit:
    limits = msgspec.convert(
        [{"name": "few", "concurrency": slots}], list[LimitSettings], dec_hook=decode_value
    )
    stage = Limit(meters, plan_of(limits, {"f": QueueSettings()} if queue else {}), lambda _: ("f", "small"))
    stage.overlaps = True
    return stage


@aio
async def test_the_next_stage_begins_before_the_answer_is_there() -> None:
    """And what was taken is given back when the request is over."""
    meters = Distant()
    stage, desk = stage_on(meters), Desk()
    order: list[str] = []

    async def proceed(exchange: Exchange) -> Reply:
        order.append("next stage")
        meters.answers.set()
        await exchange.granted()
        order.append("granted")
        return REPLY

    exchange = desk.exchange()
    assert await stage(exchange, proceed) is REPLY
    assert order == ["next stage", "granted"]
    assert any(name == b"x-headgate-limit" for name, _ in exchange.reply_headers)
    assert len(meters) == 1
    await closed(exchange)
    assert len(meters) == 0


@aio
async def test_a_refusal_reaches_whoever_waits() -> None:
    """As often as it is asked for."""
    meters = Distant()
    meters.answers.set()
    stage, desk = stage_on(meters), Desk()

    async def waits(exchange: Exchange) -> Reply:
        await exchange.granted()
        return REPLY

    first, second = desk.exchange(), desk.exchange()
    await stage(first, waits)
    with pytest.raises(LimitReached):
        await stage(second, waits)
    with pytest.raises(LimitReached):
        await second.granted()
    await closed(second)
    await closed(first)
    assert len(meters) == 0


@aio
async def test_who_is_gone_before_the_answer_takes_nothing() -> None:
    """Nobody waited: the question is withdrawn."""
    meters = Distant()
    stage, desk = stage_on(meters), Desk()

    async def leaves(exchange: Exchange) -> Reply:
        await asyncio.sleep(0)
        return REPLY

    exchange = desk.exchange()
    await stage(exchange, leaves)
    assert meters.asked == 1
    await closed(exchange)
    meters.answers.set()
    await asyncio.sleep(0.01)
    assert len(meters) == 0


@aio
async def test_a_feature_with_a_queue_waits_in_its_place() -> None:
    """Room may take seconds: nothing below begins before it is there."""
    meters = Distant()
    stage, desk = stage_on(meters, queue=True), Desk()
    meters.answers.set()
    exchange = desk.exchange()

    async def proceed(exchange: Exchange) -> Reply:
        assert exchange.grant is None
        return REPLY

    assert await stage(exchange, proceed) is REPLY
    await closed(exchange)
