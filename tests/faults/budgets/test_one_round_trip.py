"""A request that limits and budgets are about asks Redis once before its attempt and tells it once afterwards."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from headgate.admission.limits.away import SharedMeters
from headgate.admission.limits.rules import plan_of as limits_of
from headgate.admission.limits.settings import LimitSettings
from headgate.admission.limits.stage import Limit
from headgate.budgets.away import SharedPurses
from headgate.budgets.plan import plan_of as budgets_of
from headgate.budgets.purse import Till
from headgate.budgets.settings import BudgetSettings
from headgate.budgets.stage import Budget
from headgate.budgets.uses import Uses
from headgate.core.clock import SystemClock
from headgate.core.ids import IdSource
from headgate.core.section import decode_value
from headgate.dispatch.attempting import Attempting
from headgate.dispatch.manner import Manner
from headgate.edge.dialects.openai_chat import OpenAIChat
from headgate.exchange.caller import Caller
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.exchange.stage import Proceed
from headgate.journey import journey
from headgate.providers.catalog.rates import Rates, Step
from headgate.providers.port import Endpoint, Timeouts
from headgate.stores.backends.memory.meters import MemoryMeters
from headgate.stores.backends.redis.meters import RedisMeters
from headgate.stores.backends.redis.outbox import Outbox
from headgate.stores.backends.redis.purses import RedisPurses
from headgate.testing.scripted import ScriptedUpstream
from tests.support.aio import aio
from tests.support.exchanges import closed
from tests.support.redis_server import redis_server
from tests.support.small_gateway import ASK, answer, endpoint

__all__: list[str] = []

RATES = Rates((Step(1, 1, 1, 1, 1, 1),), per_request=1000)


class Prices:
    """One price for all."""

    def rates(self, endpoint: Endpoint) -> Rates | None:
        return RATES

    async def looked_up(self, endpoint: Endpoint) -> Rates | None:
        return RATES


class Counting(Outbox):
    """Notes how many calls each round trip carries."""

    def __init__(self, url: str) -> None:
        # A shared machine may take longer than a request would wait.
        super().__init__(url, answer_seconds=5.0)
        self.trips: list[int] = []

    async def _together(self, calls):
        self.trips.append(len(calls))
        return await super()._together(calls)


@pytest.mark.needs("redis")
@aio
async def test_limits_and_budgets_travel_together() -> None:
    """Two questions in one round trip before the call leaves, two corrections in one after it."""
    async with redis_server() as redis:
        outbox, clock = Counting(redis.url), SystemClock()
        meters = SharedMeters(RedisMeters(outbox), MemoryMeters())
        purses = SharedPurses(RedisPurses(outbox))
        limits = msgspec.convert([{"name": "a", "tokens": 10**6}], list[LimitSettings], dec_hook=decode_value)
        budgets = msgspec.convert(
            [{"name": "b", "usd": 10, "per": "day"}], list[BudgetSettings], dec_hook=decode_value
        )
        limit = Limit(meters, limits_of(limits, {}), lambda _: ("", "small"))
        limit.overlaps = True
        budget = Budget(
            Till(purses, Prices(), clock, Uses(clock)), budgets_of(budgets), lambda _: ("", "small")
        )
        place = endpoint(ScriptedUpstream([answer(), answer()]))
        attempting = Attempting(IdSource(clock))
        before: list[int] = []

        async def dispatch(exchange: Exchange, _: Proceed) -> Reply:
            reply = await attempting(exchange, place, Manner(), Timeouts(), alone=True)
            before.extend(outbox.trips)
            return reply

        proceed = journey({"limit": limit, "budget": budget, "dispatch": dispatch})
        try:
            for number in (1, 2):
                outbox.trips.clear()
                before.clear()
                exchange = Exchange(
                    id=number, dialect=OpenAIChat(), body=ASK, headers=[], received_at=0.0, started_ns=0
                )
                exchange.peek, exchange.caller = exchange.dialect.peek(ASK), Caller("key_1", "app")
                await proceed(exchange)
                if number == 2:  # the first one finds a Redis that knows nothing yet
                    assert before == [2]
                (attempt,) = exchange.attempts
                assert exchange.purse is not None
                outbox.trips.clear()
                exchange.purse.settle(attempt, 5)
                await closed(exchange)
                while sum(outbox.trips) < 2:
                    await asyncio.sleep(0.005)
                assert outbox.trips == [2]
        finally:
            await purses.aclose()
            await meters.aclose()
            await outbox.aclose()
