"""Waiting, deadlines and hanging up, in a time that only moves when somebody sleeps."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from headgate.core.errors import BetweenTimeout, HeadersTimeout, TotalTimeout, UpstreamMalformed
from headgate.core.section import Duration
from headgate.providers.port import Call, Timeouts
from headgate.providers.simulated.script import Script
from headgate.providers.simulated.settings import LatencySettings, ProfileSettings, SimulatedSettings
from headgate.providers.simulated.upstream import SimulatedUpstream
from tests.support.aio import aio
from tests.support.simulated import FakeTime, Rehearsal, chat, messages

__all__: list[str] = []


def settings(speed: float = 1.0, p95: float = 2.0) -> SimulatedSettings:
    """First token after two seconds, then ten tokens a second."""
    steady = ProfileSettings(
        error_rate=0,
        quality=1,
        first_token=LatencySettings(median=Duration(2), p95=Duration(p95)),
        tokens_per_second=10,
    )
    return SimulatedSettings(speed=speed, models={"steady": steady})


@pytest.mark.parametrize(("speed", "seconds"), [(1.0, 2.4), (2.0, 1.2), (0.5, 4.8), (0.0, 0.0)])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@aio
async def test_an_answer_takes_first_token_and_pace(speed: float, seconds: float, stream: bool) -> None:
    """Five tokens: two seconds to the first, four tenths for the rest, divided by the speed."""
    rehearsal = Rehearsal(settings(speed))
    began = rehearsal.time.seconds
    await rehearsal.answer("openai.chat", chat(stream=stream, max_tokens=5))
    assert rehearsal.time.seconds - began == pytest.approx(seconds)


@aio
async def test_a_stream_is_not_kept_back() -> None:
    """The head comes before the first token, and each token when it is said."""
    rehearsal = Rehearsal(settings())
    began = rehearsal.time.seconds
    reply = await rehearsal.send("openai.chat", chat(stream=True, max_tokens=3))
    assert reply.whole is None
    assert reply.sent_at == began
    assert reply.first_byte_at - began == pytest.approx(0.5)
    times = []
    while await reply.chunk():
        times.append(round(rehearsal.time.seconds - began, 3))
    assert times[:4] == [0.5, 2.0, 2.1, 2.2]


@aio
async def test_a_late_reader_gets_everything_that_came_meanwhile() -> None:
    """As from a socket: what is due comes in one piece."""
    rehearsal = Rehearsal(settings())
    reply = await rehearsal.send("anthropic.messages", messages(stream=True, max_tokens=6))
    rehearsal.time.seconds += 1.95
    assert (await reply.chunk()).count(b"text_delta") == 5
    rest = await reply.read(100_000)
    assert rest.count(b"text_delta") == 1
    assert rest.endswith(b'{"type":"message_stop"}\n\n')


@aio
async def test_latencies_spread_as_the_profile_says() -> None:
    """Over many questions: half above the median, few above the 95th percentile, the same each time."""

    async def waits() -> list[float]:
        rehearsal, found = Rehearsal(settings(p95=6.0)), []
        for number in range(300):
            began = rehearsal.time.seconds
            await rehearsal.answer("openai.chat", chat(f"question {number}", max_tokens=1))
            found.append(rehearsal.time.seconds - began)
        return found

    once = await waits()
    assert 0.4 < sum(wait > 2 for wait in once) / 300 < 0.6
    assert 0.02 < sum(wait > 6 for wait in once) / 300 < 0.09
    assert await waits() == pytest.approx(once)


@pytest.mark.parametrize(
    ("timeouts", "body", "error", "after"),
    [
        (Timeouts(headers=1.5), chat(max_tokens=5), HeadersTimeout, 1.5),
        (Timeouts(headers=9, total=1.25), chat(max_tokens=5), TotalTimeout, 1.25),
        (Timeouts(between=1.0), chat(stream=True), BetweenTimeout, 1.5),
        (Timeouts(total=3.0), chat(stream=True), TotalTimeout, 3.0),
    ],
    ids=["headers", "total before the head", "between", "total"],
)
@aio
async def test_a_deadline_is_kept_to_the_moment(
    timeouts: Timeouts, body: dict[str, object], error: type[Exception], after: float
) -> None:
    """Each phase has its own error, raised when the time is up and not later."""
    rehearsal = Rehearsal(settings())
    began = rehearsal.time.seconds
    assert type(await rehearsal.failure("openai.chat", body, timeouts=timeouts)) is error
    assert rehearsal.time.seconds - began == pytest.approx(after)


@aio
async def test_an_error_is_raised_every_time() -> None:
    """A broken reply stays broken; one that was let go is at its end."""
    rehearsal = Rehearsal(settings(0))
    reply = await rehearsal.send("openai.chat", chat(stream=True), fault="stall:2")
    assert (await reply.chunk()).count(b'"content"') == 3
    for _ in range(2):
        with pytest.raises(BetweenTimeout):
            await reply.chunk()
    reply.close()
    reply.close()
    let_go = await rehearsal.send("openai.chat", chat(stream=True))
    let_go.close()
    assert await let_go.chunk() == b""


@aio
async def test_a_body_over_the_readers_limit_is_refused() -> None:
    """Whole or streamed."""
    for body in (chat(), chat(stream=True)):
        reply = await Rehearsal().send("openai.chat", body)
        with pytest.raises(UpstreamMalformed):
            await reply.read(100)


@aio
async def test_whoever_waits_can_be_cancelled() -> None:
    """In `send` and in `chunk`; the reply goes on afterwards where it was."""
    never = asyncio.Event()
    time = FakeTime()
    asleep = asyncio.Event()

    async def sleep(seconds: float) -> None:
        if seconds:
            asleep.set()
            await never.wait()

    upstream = SimulatedUpstream(settings(), clock=time, sleep=sleep)
    request = Rehearsal().adapter.request(_call(chat(stream=True)))
    sending = asyncio.create_task(upstream.send(request, Timeouts()))
    await asleep.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    never.set()
    reply = await upstream.send(request, Timeouts())
    await reply.chunk()
    never.clear()
    asleep.clear()
    reading = asyncio.create_task(reply.chunk())
    await asleep.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    time.seconds += 60
    never.set()
    assert (await reply.chunk()).startswith(b'data: {"id"'), "nothing was lost with the cancelled call"


@aio
async def test_the_provider_sees_a_request_after_the_turn_is_over() -> None:
    """What was scheduled before the call, such as writing the journal, has run by then."""
    order: list[str] = []
    asyncio.get_running_loop().call_soon(order.append, "journal")
    rehearsal = Rehearsal()

    def respond(*given: Any) -> Script:
        order.append("provider")
        return real(*given)

    real = rehearsal.upstream.simulation.respond
    rehearsal.upstream.simulation.respond = respond  # type: ignore[method-assign, assignment]
    await rehearsal.send("openai.chat", chat())
    assert order == ["journal", "provider"]


@aio
async def test_closing_is_idempotent() -> None:
    """And the probe answers with the models."""
    rehearsal = Rehearsal()
    reply = await rehearsal.upstream.send(rehearsal.adapter.probe(), Timeouts())
    assert "sim-small" in {card["id"] for card in json.loads(reply.whole or b"")["data"]}
    await rehearsal.upstream.aclose()
    await rehearsal.upstream.aclose()


def _call(body: dict[str, object]) -> Call:
    return Call("chat", "openai.chat", "steady", json.dumps(body).encode(), stream=True)
