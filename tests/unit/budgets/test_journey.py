"""A request's whole way, recorded and dispatched for real: what was set aside is settled, whatever becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from headgate.core.errors import BudgetSpent
from headgate.core.ids import IdSource
from headgate.dispatch.manner import Manner
from headgate.dispatch.settings import HedgeSettings, RetrySettings
from headgate.dispatch.stage import Dispatch
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.exchange.stage import Proceed
from headgate.journey import journey
from headgate.providers.adapters.openai import OpenAIAdapter, OpenAISettings
from headgate.providers.catalog.settings import PriceSettings, own_rates
from headgate.providers.port import Endpoint
from headgate.testing.scripted import Script, ScriptedUpstream
from tests.support.aio import aio
from tests.support.budgeting import Budgeting
from tests.support.exchanges import closed
from tests.support.recording import Recording
from tests.support.small_gateway import answer, stream

__all__: list[str] = []

ADAPTER = OpenAIAdapter(OpenAISettings(api_key="k", base_url="http://upstream.test/v1"))
REFUSAL = Script([b'{"error": {"message": "no"}}'], status=500)
KEY = ("all", "*", 0)
COST = 5 * 1000
"""Nano-dollars of `answer()`: five tokens at a dollar a million."""
WORD = b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
END = (
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}\n\n'
    b"data: [DONE]\n\n"
)


def place(*scripts: Script, name: str = "house", usd: str = "0", per_million: str = "1") -> Endpoint:
    price = PriceSettings(input=Decimal(per_million), output=Decimal(per_million), request=Decimal(usd))
    return Endpoint(
        provider=name,
        model="m",
        adapter=ADAPTER,
        upstream=ScriptedUpstream(list(scripts)),
        own_price=own_rates(price),
    )


class Way:
    """Record, budget, a route of these places, dispatch."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.bench = Budgeting({"name": "all", "each": False, "usd": 1, "per": "prepaid", "wait": "0s"})
        self.places: list[Endpoint] = []
        self.manner = Manner(retry=RetrySettings(attempts=1))
        self.proceed = journey(
            {
                "record": recording.stage,
                "budget": self.bench.stage,
                "route": self.route,
                "dispatch": Dispatch(ids=IdSource(), manner=lambda _: self.manner),
            }
        )

    async def route(self, exchange: Exchange, proceed: Proceed, /) -> Reply:
        exchange.candidates = self.places
        return await proceed(exchange)

    async def ask(self, *places: Endpoint, words: int | None = None, **fields: Any) -> Exchange:
        """The answer read to its end, or so many frames of it, and the request closed. Raises as the journey does."""
        self.places = list(places)
        exchange = self.bench.exchange(**fields)
        try:
            reply = await self.proceed(exchange)
            if reply.frames is not None:
                read = 0
                async for _ in reply.frames:
                    read += 1
                    if read == words:
                        exchange.hung_up = True
                        break
                await reply.frames.aclose()  # type: ignore[attr-defined]
        finally:
            await closed(exchange)
        return exchange

    async def standing(self) -> tuple[int, int]:
        """(spent, reserved)"""
        return await self.bench.standing(KEY)


@pytest.fixture
def way(tmp_path: Path) -> Iterator[Way]:
    recording = Recording(tmp_path)
    yield Way(recording)
    recording.close()


@aio
async def test_a_whole_answer_is_settled_at_what_it_cost(way: Way) -> None:
    """And the record says what had been set aside for it, and from where."""
    exchange = await way.ask(place(answer()), max_tokens=100)
    assert exchange.attempts[0].reserved_nanos > 100 * 1000
    assert exchange.attempts[0].pots == (KEY,)
    assert await way.standing() == (COST, 0)


@aio
async def test_a_stream_is_settled_at_its_end(way: Way) -> None:
    """By the usage it ends with."""
    await way.ask(place(stream(WORD, END)), stream=True)
    assert await way.standing() == (COST, 0)


@aio
async def test_a_stream_that_somebody_leaves_is_settled_by_estimate(way: Way) -> None:
    """Nothing stays set aside, and it is not free."""
    await way.ask(place(stream(WORD, WORD, WORD, END)), stream=True, words=1)
    spent, reserved = await way.standing()
    assert spent > 0
    assert reserved == 0


@aio
async def test_what_nobody_bills_gives_back_before_the_next_attempt(way: Way) -> None:
    """The budget pays for one of them at a time."""
    await way.ask(place(REFUSAL, usd="0.9", name="first"), place(answer(), usd="0.9", name="second"))
    assert await way.standing() == (900_000_000 + COST, 0)


@aio
async def test_a_failover_goes_to_what_the_budget_can_pay(way: Way) -> None:
    """An endpoint that is too dear is not asked; the next one is."""
    dear, cheap = place(answer(), usd="2", name="dear"), place(answer(), name="cheap")
    exchange = await way.ask(dear, cheap)
    assert [attempt.endpoint.provider for attempt in exchange.attempts] == ["cheap"]
    with pytest.raises(BudgetSpent):
        await way.ask(dear)
    assert await way.standing() == (COST, 0)


@aio
async def test_a_hedge_is_paid_for_too(way: Way) -> None:
    """Both calls set aside and both settle; the one that was let go costs what it may have used."""
    way.manner = Manner(retry=RetrySettings(attempts=1), hedge=HedgeSettings(after="1ms", share=1.0))
    never = asyncio.Event()
    slow = place(Script([never, b"{}"], headers=[(b"content-type", b"application/json")]), name="slow")
    exchange = await way.ask(slow, place(answer(), name="quick"))
    assert [attempt.kind for attempt in exchange.attempts] == ["", "hedge"]
    spent, reserved = await way.standing()
    assert spent > COST
    assert reserved == 0


@aio
async def test_a_hedge_that_there_is_no_money_for_is_not_made(way: Way) -> None:
    """And spoils nothing: the first call goes on."""
    way.manner = Manner(retry=RetrySettings(attempts=1), hedge=HedgeSettings(after="1ms", share=1.0))
    body = answer()
    gate = asyncio.Event()
    slow = place(Script([gate, *body.pieces], headers=body.headers), usd="0.6", name="slow")
    asyncio.get_running_loop().call_later(0.05, gate.set)
    exchange = await way.ask(slow, place(answer(), usd="0.6", name="quick"))
    assert [attempt.endpoint.provider for attempt in exchange.attempts] == ["slow"]
    assert await way.standing() == (600_000_000 + COST, 0)


@aio
async def test_a_caller_who_is_cancelled_leaves_nothing_set_aside(way: Way) -> None:
    """Wherever the call was."""
    never = asyncio.Event()
    task = asyncio.create_task(way.ask(place(Script([never]))))
    while not (await way.standing())[1]:
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (await way.standing())[1] == 0


@aio
async def test_what_a_request_spends_reaches_the_database(way: Way) -> None:
    """The same sum in the ledger as in the purse."""
    exchange = await way.ask(place(answer()))
    row, (attempt,) = await way.recording.stored(exchange)
    assert row.cost_nanos == attempt.cost_nanos == COST
    assert attempt.reserved_nanos == exchange.attempts[0].reserved_nanos
    assert way.recording.store.pots() == {KEY: COST}
