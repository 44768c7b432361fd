"""The stage: all limits are checked, then taken; what was not used is given back at the end."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from headgate.admission.limits.rules import plan_of
from headgate.admission.limits.saying import until
from headgate.admission.limits.settings import LimitSettings, QueueSettings
from headgate.admission.limits.stage import Limit
from headgate.core.errors import LimitReached, TooLargeForLimit
from headgate.core.section import decode_value
from headgate.core.tokens import tokens_of_body
from headgate.core.usage import Usage
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.stores.backends.memory.meters import MemoryMeters
from tests.support.aio import aio
from tests.support.exchanges import BODY, Desk, closed

__all__: list[str] = []

REPLY = Reply()
PROMPT = tokens_of_body(BODY)


class Bench:
    """A limit stage and requests for it, on a clock that stands still."""

    def __init__(self, *limits: dict[str, Any], queue: dict[str, Any] | None = None) -> None:
        self.desk = Desk()
        found = msgspec.convert(list(limits), list[LimitSettings], dec_hook=decode_value)
        queues = {}
        if queue is not None:
            queues["chatting"] = msgspec.convert(queue, QueueSettings, dec_hook=decode_value)
        meters = MemoryMeters(monotonic=self.desk.clock.monotonic)
        self.stage = Limit(meters, plan_of(found, queues), lambda _: ("chatting", "small"))

    async def ask(self, *, max_tokens: int | None = None, operation: str = "chat") -> Exchange:
        exchange = self.desk.exchange(operation=operation)
        exchange.peek.max_tokens = max_tokens
        assert await self.stage(exchange, _proceed) is REPLY
        return exchange

    async def refused(self, **settings: Any) -> LimitReached:
        with pytest.raises(LimitReached) as raised:
            await self.ask(**settings)
        return raised.value


async def _proceed(exchange: Exchange) -> Reply:
    return REPLY


def told(exchange: Exchange) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in exchange.reply_headers}


@aio
async def test_a_good_reply_tells_how_much_is_left() -> None:
    """Of the tightest limit on requests and of the tightest on tokens, as OpenAI does."""
    bench = Bench(
        {"name": "wide", "requests": 600},
        {"name": "narrow", "requests": 60},
        {"name": "words", "tokens": 6000, "per": "1h"},
    )
    exchange = await bench.ask(max_tokens=600 - PROMPT)
    assert told(exchange) == {
        "x-headgate-limit": "words",
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-limit-tokens": "6000",
        "x-ratelimit-remaining-tokens": "5400",
        "x-ratelimit-reset-tokens": "6m0s",
    }


@aio
async def test_a_refusal_says_which_limit_it_was_and_when_there_is_room() -> None:
    """Of several, the one that takes longest; nothing is taken from the others."""
    bench = Bench(
        {"name": "minute", "requests": 3}, {"name": "hour", "requests": 2, "per": "1h", "of": "team"}
    )
    await bench.ask()
    await bench.ask()
    error = await bench.refused()
    assert error.message == (
        "limit `hour` is reached: 2 requests an hour for each team; there is room again in 30m0s"
    )
    assert (error.status, error.code, error.retryable, error.fault) == (429, "limit_reached", True, "caller")
    assert error.retry_after == 1800
    assert bench.stage.refused.total() == 1
    bench.desk.clock.advance(1800)
    exchange = await bench.ask()
    assert told(exchange)["x-ratelimit-limit-requests"] == "2"


@aio
async def test_requests_under_way_are_over_when_the_exchange_is() -> None:
    """After the last byte, not when the head is there."""
    bench = Bench({"name": "slots", "concurrency": 2, "each": False})
    first, second = await bench.ask(), await bench.ask()
    error = await bench.refused()
    assert "2 requests at the same time for all together" in error.message
    assert error.retry_after == 1.0
    await closed(first)
    third = await bench.ask()
    await bench.refused()
    await closed(second)
    await closed(third)
    await bench.ask()


@aio
async def test_tokens_are_settled_by_what_the_providers_said() -> None:
    """What was set aside and not used is there again; what was used besides is missing."""
    bench = Bench({"name": "words", "tokens": 1000}, {"name": "answers", "output_tokens": 1000})

    async def left(*, used: Usage | None) -> tuple[int, int]:
        exchange = await bench.ask(max_tokens=100)
        attempt = bench.desk.attempt(exchange)
        attempt.usage, attempt.finish_reason, attempt.status = used, "end", 200
        await closed(exchange)
        reading = await bench.stage._meters.take(
            [(rule.gauges[0], "key_1", 10**9) for rule in bench.stage.plan.rules], 1
        )
        bench.desk.clock.advance(60)
        return round(reading.left[0]), round(reading.left[1])

    assert await left(used=Usage(input=20, output=30)) == (950, 970)
    assert await left(used=Usage(input=20, output=300, reasoning=100)) == (580, 600)
    assert await left(used=None) == (1000 - PROMPT, 1000), "a provider that said nothing"


@aio
async def test_what_can_never_pass_is_refused_for_good() -> None:
    """An SDK must not try it again; the message says what to change."""
    bench = Bench(
        {"name": "answers", "output_tokens": 1000, "burst": 0.5}, {"name": "prompts", "input_tokens": 5000}
    )
    error = await bench.refused(max_tokens=501)
    assert isinstance(error, TooLargeForLimit)
    assert not error.retryable
    assert "501 tokens for its answer (`max_tokens`)" in error.message
    assert "at most 500" in error.message
    assert error.retry_after is None
    assert error.param == "max_tokens"
    await bench.ask(max_tokens=500)


@aio
async def test_what_costs_nobody_anything_is_not_limited() -> None:
    """The list of models is our own."""
    bench = Bench({"name": "a", "requests": 1})
    for _ in range(3):
        exchange = await bench.ask(operation="models")
        assert told(exchange) == {}
    await bench.ask(operation="count_tokens")
    await bench.refused(operation="embeddings")


@aio
async def test_a_request_that_no_limit_is_about_passes_untouched() -> None:
    """No headers, nothing to close."""
    bench = Bench({"name": "a", "requests": 1, "only": {"team": ["other"]}})
    for _ in range(3):
        exchange = await bench.ask()
        assert told(exchange) == {}
        assert not exchange._closers


@aio
async def test_a_feature_with_a_queue_lets_its_requests_wait() -> None:
    """The time is on the exchange; one too many is refused, and so is one that waited in vain."""
    bench = Bench({"name": "slots", "concurrency": 1}, queue={"wait": "20s", "most": 1})
    first = await bench.ask()
    waiting = asyncio.ensure_future(bench.ask())
    while not bench.stage.line.waiting:
        await asyncio.sleep(0)
    error = await bench.refused()
    assert "1 requests of `chatting` wait already" in error.message
    await asyncio.sleep(0.01)
    await closed(first)
    second = await waiting
    assert second.queued_seconds > 0.005  # uvloop's timers go by whole milliseconds
    assert first.queued_seconds == 0
    await closed(second)
    assert bench.stage.line.waiting == 0


@aio
async def test_waiting_in_vain_ends_with_a_refusal() -> None:
    """Which says how long it was."""
    bench = Bench({"name": "slots", "concurrency": 1}, queue={"wait": "30ms"})
    first = await bench.ask()
    error = await bench.refused()
    assert "limit `slots` is reached" in error.message
    assert "waited 0.03 s" in error.message
    await closed(first)
    await closed(await bench.ask())


@aio
async def test_who_hangs_up_while_waiting_leaves_the_queue() -> None:
    """Its slot was never taken, so nothing is missing afterwards."""
    bench = Bench({"name": "slots", "concurrency": 1}, queue={"wait": "20s"})
    first = await bench.ask()
    waiting = asyncio.ensure_future(bench.ask())
    while not bench.stage.line.waiting:
        await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert bench.stage.line.waiting == 0
    await closed(first)
    await closed(await bench.ask())
    await bench.ask()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, b"0ms"),
        (0, b"0ms"),
        (0.0201, b"21ms"),
        (1, b"1s"),
        (1.25, b"1.25s"),
        (59.96, b"59.96s"),
        (360, b"6m0s"),
        (3599.5, b"1h0m0s"),
        (86400, b"24h0m0s"),
    ],
)
def test_times_are_written_as_openai_writes_them(seconds: float, text: bytes) -> None:
    """Some clients read them."""
    assert until(seconds) == text
