"""A stream that trickles: `timeouts.least_rate` ends it in words, and `resume` has another endpoint finish it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest

from headgate.dispatch.manner import Manner
from headgate.dispatch.settings import RetrySettings, TimeoutSettings
from headgate.providers.adapters.openai import OpenAIAdapter, OpenAISettings
from headgate.providers.port import Endpoint
from headgate.providers.transport.client import Transport
from headgate.providers.transport.settings import TransportSettings
from headgate.testing.asgi import Answered, Caller
from tests.support import vendor_faults as faults
from tests.support.aio import aio
from tests.support.asking import Got
from tests.support.misbehaving import Misbehaving, Turn, framed, misbehaving_provider
from tests.support.small_gateway import small_gateway
from tests.support.three_wires import TEXT

__all__: list[str] = []

WINDOW = 0.4
"""Seconds over which the rate is judged here, instead of ten."""
ASK = json.dumps(
    {"model": "small", "stream": True, "messages": [{"role": "user", "content": "How high is the water?"}]}
).encode()


@pytest.fixture(scope="module")
def provider() -> Iterator[Misbehaving]:
    with misbehaving_provider() as running:
        yield running


async def trickle(turn: Turn) -> None:
    """A word at once, and then a letter each 50 ms: five tokens a second, and never silent for long."""
    await turn.open()
    await turn.send(framed(turn.wire.words("one ")))
    while not turn.peer.reader.at_eof():
        await asyncio.sleep(0.05)
        await turn.send(framed(turn.wire.words("t")))


async def streamed(provider: Misbehaving, *models: str, least_rate: float, resume: bool = False) -> Got:
    """Through the real edge, dispatch and transport, with that least rate."""
    transport = Transport(TransportSettings())
    adapter = OpenAIAdapter(OpenAISettings(base_url=f"{provider.url}/v1"))
    manner = Manner(
        timeouts=TimeoutSettings(least_rate=least_rate),
        retry=RetrySettings(attempts=1),
        resume=resume,
        rate_window=WINDOW,
    )
    places = [
        Endpoint(provider="house", model=model, adapter=adapter, upstream=transport) for model in models
    ]
    try:
        answered: Answered = await Caller(small_gateway(*places, manner=manner)).ask(
            "/v1/chat/completions", ASK
        )
    finally:
        await transport.aclose()
    return Got("chat", answered.status, answered.headers, answered.body, not answered.complete)


@aio
async def test_a_stream_that_trickles_ends_with_an_error(provider: Misbehaving) -> None:
    """The words that came, then an event that says why; nobody waits for a stream that would take all night."""
    provider.plays["slow-1"] = trickle
    got = await streamed(provider, "slow-1", least_rate=50)
    assert (got.status, got.complete, got.error) == (200, False, "rate_too_low")
    assert got.text.startswith("one t") and len(got.text) < 40
    assert await asyncio.to_thread(provider.gone["slow-1"].wait, 5), "the provider is still talking to us"


@aio
async def test_another_endpoint_finishes_what_trickled(provider: Misbehaving) -> None:
    """With `resume`, one complete answer."""
    provider.plays["slow-2"] = trickle
    got = await streamed(provider, "slow-2", "quick-2", least_rate=50, resume=True)
    assert (got.status, got.complete, got.error) == (200, True, "")
    assert len(provider.asked("quick-2")) >= 1 and got.text.startswith("one t")


@aio
async def test_a_stream_above_the_floor_is_left_alone(provider: Misbehaving) -> None:
    """Over more than a window; and so is the slowest one, where no floor is set."""
    provider.plays["steady-3"] = faults.slow_drip
    for least_rate in (0.5, 0.0):
        got = await streamed(provider, "steady-3", least_rate=least_rate)
        assert (got.status, got.text, got.complete) == (200, TEXT, True)
