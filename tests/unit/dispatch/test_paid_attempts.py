"""Money for an attempt is set aside before it leaves, and given back at once where nobody bills; and nothing leaves without
the consent that a stage is still waiting for."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from headgate.core.errors import BudgetSpent, ConnectFailed, GatewayError, LimitReached, ProviderFailed
from headgate.core.ids import IdSource
from headgate.core.section import Duration
from headgate.dispatch.manner import Manner
from headgate.dispatch.settings import RetrySettings
from headgate.dispatch.stage import Dispatch
from headgate.edge.dialects.openai_chat import OpenAIChat
from headgate.exchange.attempt import Attempt
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.providers.adapters.openai import OpenAIAdapter, OpenAISettings
from headgate.providers.port import Endpoint, Upstream
from headgate.testing.scripted import Script, ScriptedUpstream
from tests.support.aio import aio
from tests.support.small_gateway import ASK, answer

__all__: list[str] = []

ADAPTER = OpenAIAdapter(OpenAISettings(api_key="k", base_url="http://upstream.test/v1"))
REFUSAL = Script(
    [b'{"error": {"message": "no"}}'], status=500, headers=[(b"content-type", b"application/json")]
)


class Till:
    """A purse that notes what it is told. dear: providers that there is no money for."""

    def __init__(self, *, dear: tuple[str, ...] = (), slow: bool = False) -> None:
        self.told: list[tuple[str, str, int]] = []
        self._dear = dear
        self._slow = slow

    def reserve(self, exchange: Exchange, attempt: Attempt) -> Awaitable[None] | None:
        if self._slow:
            return self._later(attempt)
        self._now(attempt)
        return None

    async def _later(self, attempt: Attempt) -> None:
        await asyncio.sleep(0)
        self._now(attempt)

    def _now(self, attempt: Attempt) -> None:
        provider = attempt.endpoint.provider
        if provider in self._dear:
            raise BudgetSpent("too dear", budget="month")
        attempt.reserved_nanos, attempt.pots = 100, (("month", "*", 0),)
        self.told.append(("reserve", provider, attempt.reserved_nanos))

    def settle(self, attempt: Attempt, nanos: int) -> None:
        self.told.append(("settle", attempt.endpoint.provider, nanos))


def place(upstream: Upstream, provider: str) -> Endpoint:
    return Endpoint(provider=provider, model="m", adapter=ADAPTER, upstream=upstream)


def asked(purse: Any, *places: Endpoint) -> Exchange:
    exchange = Exchange(id=1, dialect=OpenAIChat(), body=ASK, headers=[], received_at=0.0, started_ns=0)
    exchange.peek = exchange.dialect.peek(ASK)
    exchange.candidates = places
    exchange.purse = purse
    return exchange


async def dispatched(exchange: Exchange, *, attempts: int = 1) -> Reply:
    manner = Manner(retry=RetrySettings(attempts=attempts, base=Duration(0)))

    async def proceed(_: Exchange) -> Reply:
        raise AssertionError("dispatch is the last stage")

    return await Dispatch(ids=IdSource(), manner=lambda _: manner)(exchange, proceed)


@aio
@pytest.mark.parametrize("slow", [False, True])
async def test_money_is_set_aside_before_an_attempt_is_written_down(slow: bool) -> None:
    """What the record's first entry says of an attempt includes its money."""
    till = Till(slow=slow)
    exchange = asked(till, place(ScriptedUpstream([answer()]), "house"))
    seen: list[tuple[int, int, list[Any]]] = []

    class Watcher:
        def attempt_opened(self, exchange: Exchange, attempt: Attempt) -> None:
            seen.append((attempt.number, attempt.reserved_nanos, list(till.told)))

        def attempt_closed(self, exchange: Exchange, attempt: Attempt) -> None:
            """Of no interest."""

    exchange.observer = Watcher()
    await dispatched(exchange)
    assert seen == [(1, 100, [("reserve", "house", 100)])]
    assert till.told == [("reserve", "house", 100)], "the end settles it, not dispatch"


@aio
async def test_an_endpoint_that_is_too_dear_is_passed_over() -> None:
    """The next one may be cheaper; nothing is sent to the first, and its health is not to blame."""
    first, second = ScriptedUpstream([answer()]), ScriptedUpstream([answer()])
    till = Till(dear=("large",))
    exchange = asked(till, place(first, "large"), place(second, "small"))
    await dispatched(exchange)
    assert (len(first.requests), len(second.requests)) == (0, 1)
    assert [attempt.endpoint.provider for attempt in exchange.attempts] == ["small"]
    assert exchange.candidates[0].health.state(0.0) == "closed"


@aio
async def test_when_all_are_too_dear_the_caller_is_told() -> None:
    exchange = asked(
        Till(dear=("large", "small")), *(place(ScriptedUpstream([]), name) for name in ("large", "small"))
    )
    with pytest.raises(BudgetSpent, match="too dear"):
        await dispatched(exchange, attempts=3)
    assert exchange.attempts == []


@aio
async def test_a_failure_says_more_than_that_the_next_one_is_too_dear() -> None:
    """The first failed, and there is no money for the second: the caller hears of the failure."""
    exchange = asked(
        Till(dear=("large",)),
        place(ScriptedUpstream([REFUSAL]), "small"),
        place(ScriptedUpstream([]), "large"),
    )
    with pytest.raises(ProviderFailed):
        await dispatched(exchange)


@aio
@pytest.mark.parametrize(
    "script", [REFUSAL, Script(refuse=ConnectFailed(detail="nobody there"))], ids=["refused", "never left"]
)
async def test_what_nobody_bills_is_given_back_before_the_next_attempt(script: Script) -> None:
    """The next attempt may need the money."""
    till = Till()
    exchange = asked(till, place(ScriptedUpstream([script]), "a"), place(ScriptedUpstream([answer()]), "b"))
    await dispatched(exchange)
    assert till.told == [("reserve", "a", 100), ("settle", "a", 0), ("reserve", "b", 100)]
    assert [attempt.settled for attempt in exchange.attempts] == [True, False]


def consenting(exchange: Exchange, answer: Callable[[], None], gate: asyncio.Event) -> None:
    async def consent() -> None:
        await gate.wait()
        answer()

    exchange.grant = asyncio.ensure_future(consent())


@aio
async def test_nothing_leaves_before_the_consent_has_come() -> None:
    """Both questions are on their way together; the call waits for both."""
    upstream, gate, till = ScriptedUpstream([answer()]), asyncio.Event(), Till()
    exchange = asked(till, place(upstream, "house"))
    consenting(exchange, lambda: None, gate)
    running = asyncio.ensure_future(dispatched(exchange))
    await asyncio.sleep(0.01)
    assert till.told and not upstream.requests and not running.done()
    gate.set()
    await running
    assert len(upstream.requests) == 1


@aio
@pytest.mark.parametrize("paid", [True, False])
async def test_a_refusal_ends_the_request_and_the_money_is_free(paid: bool) -> None:
    """Nothing was sent, nobody else is asked, nothing stays set aside."""

    def refuse() -> None:
        raise LimitReached("too many", limit="few")

    upstreams = [ScriptedUpstream([answer()]), ScriptedUpstream([answer()])]
    gate, till = asyncio.Event(), Till()
    exchange = asked(
        till if paid else None, *(place(one, name) for one, name in zip(upstreams, "ab", strict=True))
    )
    consenting(exchange, refuse, gate)
    gate.set()
    with pytest.raises(LimitReached):
        await dispatched(exchange, attempts=3)
    assert [one.requests for one in upstreams] == [[], []]
    assert till.told == ([("reserve", "a", 100), ("settle", "a", 0)] if paid else [])
    assert exchange.attempts == []


@aio
async def test_a_caller_who_leaves_while_money_is_counted_holds_none() -> None:
    """Cancelled between the question and the answer."""
    till, gate = Till(), asyncio.Event()
    exchange = asked(till, place(ScriptedUpstream([answer()]), "house"))
    consenting(exchange, lambda: None, gate)
    running = asyncio.ensure_future(dispatched(exchange))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert till.told == [("reserve", "house", 100), ("settle", "house", 0)]


@aio
async def test_money_is_not_waited_for_longer_than_the_request_may_take() -> None:
    """Whoever sets it aside knows when the request has to be over."""
    deadlines: list[float] = []

    class Waits(Till):
        def reserve(self, exchange: Exchange, attempt: Attempt) -> Awaitable[None] | None:
            deadlines.append(exchange.deadline - time.monotonic())
            return super().reserve(exchange, attempt)

    await dispatched(asked(Waits(), place(ScriptedUpstream([answer()]), "house")))
    total = Manner().total
    assert total - 5 < deadlines[0] <= total


def test_budget_spent_is_the_callers_to_know() -> None:
    """SDKs do not try again, and the body names the reason."""
    error: GatewayError = BudgetSpent("spent", budget="month", retry_after=60.0)
    status, headers, body = OpenAIChat().problem(error, "req_1")
    assert status == 429
    assert dict(headers)[b"x-should-retry"] == b"false"
    assert dict(headers)[b"retry-after"] == b"60"
    assert json.loads(body)["error"]["code"] == "budget_spent"
