"""What limits of time mean: which silence they end, what is left for others, and what they say of an endpoint's health."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import monotonic
from typing import Any

import pytest

from headgate.core.errors import (
    BetweenTimeout,
    FirstContentTimeout,
    GatewayError,
    HeadersTimeout,
    ProviderOverloaded,
    TotalTimeout,
)
from headgate.core.ids import IdSource
from headgate.core.section import Duration
from headgate.dispatch import attempting
from headgate.dispatch.ladder.climb import LEAST_MODEL_SECONDS, Ask
from headgate.dispatch.ladder.plan import LadderPlan
from headgate.dispatch.ladder.settings import rungs_of
from headgate.dispatch.manner import Manner
from headgate.dispatch.settings import HedgeSettings, RetrySettings, TimeoutSettings
from headgate.dispatch.stage import Dispatch
from headgate.edge.dialects.openai_chat import OpenAIChat
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.providers.health.settings import HealthSettings
from headgate.providers.port import Endpoint, Timeouts, UpstreamReply, UpstreamRequest
from headgate.testing.scripted import Script, ScriptedReply, ScriptedUpstream
from tests.support.aio import aio, aio_within
from tests.support.chat_wire import DONE, content
from tests.support.small_gateway import ASK, answer, endpoint, stream

__all__: list[str] = []

ONCE = RetrySettings(attempts=1)
BUSY = ProviderOverloaded("busy")


class Timed(ScriptedUpstream):
    """Remembers how long it was given. A script that refuses with a timeout stands for an endpoint that was silent."""

    def __init__(self, scripts: list[Script], *, silent: bool = False) -> None:
        super().__init__(scripts)
        self.given: list[Timeouts] = []
        self.silent = silent
        """Is its limit really waited for?"""

    async def send(self, request: UpstreamRequest, timeouts: Timeouts) -> UpstreamReply:
        self.given.append(timeouts)
        if self.silent:
            await asyncio.sleep(timeouts.headers)
        return await super().send(request, timeouts)


class SlowReply(ScriptedReply):
    """Each piece takes its time, and silence longer than `between` is told as the transport tells it."""

    def __init__(self, script: Script, seconds: float) -> None:
        super().__init__(script)
        self._seconds = seconds

    async def chunk(self) -> bytes:
        await asyncio.sleep(min(self._seconds, self.between))
        if self._seconds > self.between:
            raise BetweenTimeout(detail="silence")
        return await super().chunk()


class SlowUpstream(ScriptedUpstream):
    """Takes its time for the head, and for each piece."""

    def __init__(self, script: Script, *, head: float, piece: float) -> None:
        super().__init__([script])
        self._head, self._piece = head, piece

    async def send(self, request: UpstreamRequest, timeouts: Timeouts) -> UpstreamReply:
        self.requests.append(request)
        reply = SlowReply(self.scripts[0], self._piece)  # sent now
        await asyncio.sleep(self._head)
        reply.between = timeouts.between
        self.replies.append(reply)
        return reply


async def nobody(exchange: Exchange) -> Reply:
    raise AssertionError("dispatch is the last stage")


def asked(*endpoints: Endpoint, streaming: bool = False) -> Exchange:
    exchange = Exchange(
        id=1, dialect=OpenAIChat(), body=ASK, headers=[], received_at=monotonic(), started_ns=0
    )
    exchange.peek = exchange.dialect.peek(ASK)
    exchange.peek.stream = streaming
    exchange.candidates = endpoints
    return exchange


async def dispatched(exchange: Exchange, **manner: Any) -> Reply:
    how = Manner(**{"retry": ONCE, **manner})
    return await Dispatch(ids=IdSource(), manner=lambda _: how)(exchange, nobody)


def brittle(upstream: ScriptedUpstream, name: str) -> Endpoint:
    """One failure, and it is left alone."""
    one = endpoint(upstream, name)
    one.health.configure(settings=HealthSettings(failures=1, cooldown=Duration(60)))
    return one


def silent(error: GatewayError | None = None) -> Timed:
    return Timed([Script(refuse=error or HeadersTimeout(detail="silence"))])


@aio_within(10)
async def test_time_that_was_spent_waiting_for_anothers_answer_is_gone() -> None:
    """In front of routing, for the call of an equal request: the first attempt has what is left, and never nothing."""
    for waited, left in ((40, 60), (99, LEAST_MODEL_SECONDS)):
        one = Timed([answer()])
        exchange = asked(endpoint(one))
        exchange.deadline = monotonic() + 100 - waited
        await dispatched(exchange, timeouts=TimeoutSettings(total=Duration(100)))
        assert [each.total for each in one.given] == [pytest.approx(left, abs=1)]


# The first token


@aio_within(10)
async def test_the_time_of_the_head_counts_for_the_first_token() -> None:
    """It is due so long after the request was sent, not after the head came."""
    late = SlowUpstream(stream(content("one "), DONE), head=0.1, piece=0.12)
    with pytest.raises(FirstContentTimeout):
        await dispatched(
            asked(endpoint(late), streaming=True), timeouts=TimeoutSettings(first_token=Duration(0.15))
        )
    assert late.replies[0].closed


@aio_within(10)
async def test_bytes_that_complete_no_event_do_not_move_the_limit() -> None:
    """A comment that drips in byte by byte says nothing, however alive the connection is."""
    drip = SlowUpstream(stream(b": ", *[b"x"] * 40, b"\n\n", content("one "), DONE), head=0.0, piece=0.03)
    with pytest.raises(FirstContentTimeout):
        await dispatched(
            asked(endpoint(drip), streaming=True), timeouts=TimeoutSettings(first_token=Duration(0.15))
        )
    assert drip.replies[0].closed


# A refusal that does not end


@pytest.mark.parametrize("streaming", [False, True])
@aio_within(5)
async def test_a_refusal_whose_body_stalls_is_told_by_its_status(
    streaming: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a moment; the next endpoint is asked, and the connection is let go."""
    monkeypatch.setattr(attempting, "ERROR_BODY_SECONDS", 0.05)
    stalled = ScriptedUpstream([Script(pieces=[b'{"error":', asyncio.Event()], status=529)])
    good = ScriptedUpstream([stream(content("one "), DONE) if streaming else answer()])
    exchange = asked(endpoint(stalled, "a"), endpoint(good, "b"), streaming=streaming)
    await dispatched(exchange)
    first, second = exchange.attempts
    assert (first.status, second.status) == (529, 200) and isinstance(first.error, ProviderOverloaded)
    assert stalled.replies[0].closed and len(good.requests) == 1


@aio
async def test_a_refusal_whose_body_breaks_off_is_told_by_its_status() -> None:
    """It was understood before."""
    cut = ScriptedUpstream([Script(pieces=[b'{"error":', BetweenTimeout(detail="silence")], status=529)])
    with pytest.raises(ProviderOverloaded):
        await dispatched(asked(endpoint(cut)))


# What others leave


class Reserves:
    """A ladder whose only rung is a model."""

    def __init__(self, ask: Ask, endpoints: Sequence[Endpoint], seconds_gone: float) -> None:
        self._ask, self._endpoints, self._gone = ask, endpoints, seconds_gone

    async def answer(self, exchange: Exchange, failure: GatewayError, *, deadline: float) -> Reply:
        exchange.deadline -= self._gone
        return await self._ask(exchange, self._endpoints)


@pytest.mark.parametrize(
    ("gone", "least", "most"),
    [(0.0, 550.0, 600.0), (550.0, 40.0, 50.0), (9000.0, 4.0, LEAST_MODEL_SECONDS)],
    ids=["all", "what is left", "a little"],
)
@pytest.mark.parametrize("streaming", [False, True])
@aio
async def test_a_model_of_the_ladder_has_what_is_left_of_the_requests_time(
    gone: float, least: float, most: float, streaming: bool
) -> None:
    """A little in any case; two of them share it, so that a silent one leaves time for the other."""
    one, other = silent(), Timed([stream(content("one "), DONE) if streaming else answer()])
    reserves = [endpoint(one, "one"), endpoint(other, "other")]
    how = Manner(
        timeouts=TimeoutSettings(total=Duration(600), first_token=Duration(600)),
        retry=ONCE,
        ladder=LadderPlan(rungs=rungs_of(["model:small"])),
    )
    made: Any = lambda ask: Reserves(ask, reserves, gone)  # noqa: E731
    dispatch = Dispatch(ids=IdSource(), manner=lambda _: how, ladder=made)
    exchange = asked(endpoint(ScriptedUpstream([Script(refuse=BUSY)])), streaming=streaming)
    await dispatch(exchange, nobody)
    share = 1.0 if streaming else 0.5
    assert least * share <= one.given[0].headers <= most * share
    assert least <= other.given[0].total <= most
    assert [each.kind for each in exchange.attempts] == ["", "degrade", "degrade"]


@aio
async def test_who_had_less_time_than_usual_and_was_silent_has_not_failed() -> None:
    """What others had taken from the request's time says nothing of its health; theirs is another matter."""
    a, b = Timed([Script(refuse=HeadersTimeout(detail="silence"))], silent=True), silent()
    first, second = brittle(a, "a"), brittle(b, "b")
    limits = TimeoutSettings(total=Duration(1), attempt=Duration(0.2))
    with pytest.raises(HeadersTimeout):
        await dispatched(asked(first, second), timeouts=limits)
    assert len(b.given) == 1
    now = monotonic()
    assert (first.health.state(now), second.health.state(now)) == ("open", "closed")


@pytest.mark.parametrize("hedge", [None, HedgeSettings(after="10s")], ids=["plain", "hedged"])
@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("count", [2, 3])
@aio
async def test_who_had_about_all_of_the_usual_time_and_was_silent_has_failed(
    count: int, streaming: bool, hedge: HedgeSettings | None
) -> None:
    """A failure before it that came at once took nothing away: in an outage of two, both are left alone."""
    places = [
        brittle(ScriptedUpstream([Script(refuse=BUSY)]), "a"),
        *[brittle(silent(), name) for name in "bc"[: count - 1]],
    ]
    with pytest.raises(HeadersTimeout):
        await dispatched(asked(*places, streaming=streaming), hedge=hedge)
    now = monotonic()
    assert [one.health.state(now) for one in places] == ["open"] * count


@pytest.mark.parametrize(
    ("error", "state"), [(TotalTimeout(detail="x"), "closed"), (BetweenTimeout(detail="x"), "open")]
)
@aio
async def test_a_stream_that_was_merely_too_long_is_no_failure(error: GatewayError, state: str) -> None:
    """It spoke until the request's time was over; one that falls silent is another matter."""
    one = brittle(ScriptedUpstream([stream(content("one "), error)]), "a")
    reply = await dispatched(asked(one, streaming=True))
    assert reply.frames is not None
    with pytest.raises(type(error)):
        async for _ in reply.frames:
            pass
    assert one.health.state(monotonic()) == state
