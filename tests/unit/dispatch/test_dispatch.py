"""Attempts in order: what fails before content goes to the next endpoint, the caller's own mistake does not."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from headgate.core.errors import (
    BetweenTimeout,
    ConnectFailed,
    ConnectTimeout,
    ContextTooLong,
    FirstContentTimeout,
    GatewayError,
    PoolTimeout,
    ProviderAuthFailed,
    ProviderFailed,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderRejected,
    TlsFailed,
    UnsupportedRequest,
    UpstreamCut,
    UpstreamMalformed,
    UpstreamReset,
)
from headgate.core.ids import IdSource
from headgate.core.messages import TokenCount
from headgate.dispatch.manner import Manner
from headgate.dispatch.settings import RetrySettings, TimeoutSettings
from headgate.dispatch.stage import Dispatch
from headgate.edge.dialects.anthropic_messages import AnthropicCountTokens, AnthropicMessages
from headgate.edge.dialects.openai_chat import OpenAIChat
from headgate.edge.dialects.openai_embeddings import OpenAIEmbeddings
from headgate.exchange.attempt import Attempt
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.providers.port import Timeouts, UpstreamReply, UpstreamRequest
from headgate.records.attempts import ended_attempt
from headgate.records.places import Place
from headgate.stores.spans import AttemptRow
from headgate.testing.scripted import Script, ScriptedUpstream
from tests.support.aio import aio
from tests.support.chat_wire import DONE, content, finish, usage
from tests.support.small_gateway import ASK, answer, endpoint, stream

__all__: list[str] = []


async def nobody(exchange: Exchange) -> Reply:
    raise AssertionError("dispatch is the last stage")


class Watching:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, int, str]] = []

    def attempt_opened(self, exchange: Exchange, attempt: Any) -> None:
        self.heard.append(("opened", attempt.number, attempt.endpoint.provider))

    def attempt_closed(self, exchange: Exchange, attempt: Any) -> None:
        self.heard.append(("closed", attempt.number, attempt.error.code if attempt.error else ""))


def asked(
    *upstreams: ScriptedUpstream, streaming: bool = False, dialect: Any = None, body: bytes = ASK
) -> Exchange:
    exchange = Exchange(
        id=1, dialect=dialect or OpenAIChat(), body=body, headers=[], received_at=0.0, started_ns=0
    )
    exchange.peek = exchange.dialect.peek(body)
    exchange.peek.stream = streaming
    exchange.candidates = [endpoint(upstream, f"p{number}") for number, upstream in enumerate(upstreams, 1)]
    exchange.observer = Watching()
    return exchange


ONCE = RetrySettings(attempts=1)


async def dispatched(
    exchange: Exchange, timeouts: TimeoutSettings | None = None, *, retry: RetrySettings = ONCE
) -> Reply:
    manner = Manner(timeouts=timeouts, retry=retry)
    stage = Dispatch(ids=IdSource(), manner=lambda _feature: manner)
    return await stage(exchange, nobody)


async def closed(exchange: Exchange) -> None:
    pending = exchange.close()
    if pending is not None:
        await pending


def heard(exchange: Exchange) -> list[tuple[str, int, str]]:
    observer: Any = exchange.observer
    found: list[tuple[str, int, str]] = observer.heard
    return found


ANOTHER_MAY_HELP: list[GatewayError] = [
    ConnectFailed(detail="x"),
    ConnectTimeout(detail="x"),
    TlsFailed(detail="x"),
    PoolTimeout(detail="x"),
    UpstreamReset(detail="x"),
    UpstreamMalformed(detail="x"),
    UpstreamCut(detail="x"),
    ProviderOverloaded("x"),
    ProviderRateLimited("x"),
    ProviderAuthFailed("x"),
    ProviderFailed("x"),
]


@pytest.mark.parametrize("error", ANOTHER_MAY_HELP, ids=lambda error: error.code)
@pytest.mark.parametrize("streaming", [False, True])
@aio
async def test_the_next_endpoint_is_asked_when_one_fails(error: GatewayError, streaming: bool) -> None:
    """Each attempt is announced before and after; the last one's answer counts."""
    first = ScriptedUpstream([Script(refuse=error)])
    second = ScriptedUpstream([stream(content("one "), finish() + DONE) if streaming else answer()])
    exchange = asked(first, second, streaming=streaming)
    reply = await dispatched(exchange)
    if reply.frames is not None:
        async for _ in reply.frames:
            pass
    await closed(exchange)
    assert heard(exchange) == [
        ("opened", 1, "p1"),
        ("closed", 1, error.code),
        ("opened", 2, "p2"),
        ("closed", 2, ""),
    ]
    never_sent = error.code in ("connect_failed", "connect_timeout", "tls_failed", "pool_timeout")
    assert [one.reached_provider for one in exchange.attempts] == [not never_sent, True]
    assert all(attempt.ended_at for attempt in exchange.attempts)


@pytest.mark.parametrize(
    "error", [ProviderRejected("no"), ContextTooLong("no")], ids=lambda error: error.code
)
@aio
async def test_the_callers_mistake_is_not_tried_elsewhere(error: GatewayError) -> None:
    """It would be one there too."""
    second = ScriptedUpstream([answer()])
    exchange = asked(ScriptedUpstream([Script(refuse=error)]), second)
    with pytest.raises(type(error)):
        await dispatched(exchange)
    assert second.requests == []


@aio
async def test_when_all_fail_the_last_error_is_told() -> None:
    """With one attempt on record for each."""
    exchange = asked(
        ScriptedUpstream([Script(refuse=UpstreamReset(detail="x"))]),
        ScriptedUpstream([Script(refuse=ProviderOverloaded("busy"))]),
    )
    with pytest.raises(ProviderOverloaded):
        await dispatched(exchange)
    assert [attempt.error.code for attempt in exchange.attempts if attempt.error] == [
        "upstream_reset",
        "provider_overloaded",
    ]


@aio
async def test_what_no_endpoint_can_do_is_said_so() -> None:
    """Embeddings from a vendor without any, and a model without an endpoint at all."""
    body = b'{"model":"small","input":"x"}'
    exchange = asked(dialect=OpenAIEmbeddings(), body=body)
    exchange.candidates = [endpoint(ScriptedUpstream([answer()]), "claude", kind="anthropic")]
    with pytest.raises(UnsupportedRequest, match="claude"):
        await dispatched(exchange)
    assert exchange.attempts == []
    exchange.candidates = []
    with pytest.raises(UnsupportedRequest, match="small"):
        await dispatched(exchange)


@aio
async def test_tokens_are_estimated_where_nobody_counts_them() -> None:
    """No provider is asked, and the count says that it is none."""
    upstream = ScriptedUpstream([answer()])
    exchange = asked(upstream, dialect=AnthropicCountTokens())
    reply = await dispatched(exchange)
    assert isinstance(reply.answer, TokenCount) and not reply.answer.exact and reply.answer.input_tokens > 5
    assert upstream.requests == []


@aio
async def test_a_stream_without_content_can_still_fail_over() -> None:
    """Role marks, pings and usage commit to nothing."""
    empty = b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'
    first = ScriptedUpstream([stream(empty, b": ping\n\n", UpstreamCut(detail="cut"))])
    exchange = asked(first, ScriptedUpstream([stream(content("one "), finish() + DONE)]), streaming=True)
    reply = await dispatched(exchange)
    assert len(exchange.attempts) == 2 and first.replies[0].closed
    await closed(exchange)
    assert reply.streaming


@aio
async def test_a_stream_that_breaks_after_content_raises_where_it_is_read() -> None:
    """With the attempt's error noted and the upstream let go; no other endpoint is asked."""
    first = ScriptedUpstream([stream(content("one "), UpstreamCut(detail="cut"))])
    second = ScriptedUpstream([answer()])
    exchange = asked(first, second, streaming=True)
    reply = await dispatched(exchange)
    assert reply.frames is not None
    frames = []
    with pytest.raises(UpstreamCut):
        async for frame in reply.frames:
            frames.append(frame)
    assert len(frames) == 1 and second.requests == [] and first.replies[0].closed
    assert heard(exchange)[-1] == ("closed", 1, "upstream_cut")


@aio
async def test_a_stream_without_its_terminal_mark_was_cut() -> None:
    """A body that ends in good order is no answer that ends in good order."""
    exchange = asked(ScriptedUpstream([stream(content("one "))]), streaming=True)
    reply = await dispatched(exchange)
    assert reply.frames is not None
    with pytest.raises(UpstreamCut):
        async for _ in reply.frames:
            pass


@pytest.mark.parametrize("begun", [False, True])
@aio
async def test_leaving_a_stream_early_hangs_up_on_the_provider(begun: bool) -> None:
    """Also before its first frame was taken."""
    upstream = ScriptedUpstream([stream(content("one "), asyncio.Event())])
    exchange = asked(upstream, streaming=True)
    reply = await dispatched(exchange)
    frames: Any = reply.frames
    if begun:
        await anext(frames)
    await frames.aclose()
    await closed(exchange)
    assert upstream.replies[0].closed


@aio
async def test_a_cancelled_attempt_lets_go_and_is_told_of() -> None:
    """Wherever the cancellation meets it."""
    for script in (stream(asyncio.Event()), Script(pieces=[asyncio.Event()])):
        upstream = ScriptedUpstream([script])
        exchange = asked(upstream, streaming=script.headers != ())
        task = asyncio.ensure_future(dispatched(exchange))
        while not upstream.replies:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert upstream.replies[0].closed
        assert heard(exchange)[-1] == ("closed", 1, "")


@aio
async def test_a_caller_who_leaves_during_a_wait_gets_no_second_call() -> None:
    """The wait before a retry ends, and there is nobody left to retry for."""
    upstream = ScriptedUpstream([Script(refuse=UpstreamReset(detail="x")), answer()])
    exchange = asked(upstream)

    def leave() -> None:
        exchange.hung_up = True

    def draw() -> float:
        # The wait is drawn; the caller leaves in it.
        asyncio.get_running_loop().call_soon(leave)
        return 0.05

    manner = Manner(retry=RetrySettings(attempts=3))
    with pytest.raises(UpstreamReset):
        await Dispatch(ids=IdSource(), manner=lambda _: manner, draw=draw)(exchange, nobody)
    assert exchange.hung_up and len(upstream.requests) == 1


class Connecting(ScriptedUpstream):
    """Has not got a connection yet."""

    async def send(self, request: UpstreamRequest, timeouts: Timeouts) -> UpstreamReply:
        self.requests.append(request)
        request.withheld = True
        await asyncio.Event().wait()
        raise AssertionError


def row_of(exchange: Exchange, attempt: Attempt, completion: tuple[int, int]) -> AttemptRow:
    """Its row, when the caller has hung up."""
    place = Place(attempt.endpoint)
    ended = ended_attempt(exchange, attempt, place, ended_at=0.0, hung_up=True, completion=completion)
    return msgspec.convert(ended.row, AttemptRow)


@aio
async def test_a_call_cancelled_before_it_left_has_not_reached_the_provider() -> None:
    """By the transport's own word; so it is billed nothing."""
    exchange = asked(upstream := Connecting([]))
    task = asyncio.create_task(dispatched(exchange))
    while not upstream.requests:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (attempt,) = exchange.attempts
    assert not attempt.reached_provider
    row = row_of(exchange, attempt, completion=(300, 0))
    assert (row.input_tokens, row.output_tokens, row.cost_nanos, row.cost_label) == (0, 0, 0, "")


class MadeUp(ScriptedUpstream):
    """Answers in the provider's place, as a rehearsed fault does."""

    async def send(self, request: UpstreamRequest, timeouts: Timeouts) -> UpstreamReply:
        request.withheld = True
        return await super().send(request, timeouts)


@aio
@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("status", [200, 429, 500])
async def test_an_answer_that_is_made_up_has_not_reached_the_provider(status: int, streaming: bool) -> None:
    """Nobody was asked: it has no tokens and no price, whatever its status is."""
    page = Script([b"<html>no</html>"], status=status, headers=[(b"content-type", b"text/html")])
    exchange = asked(MadeUp([page]), streaming=streaming)
    with pytest.raises(GatewayError):
        await dispatched(exchange)
    (attempt,) = exchange.attempts
    assert not attempt.reached_provider
    row = row_of(exchange, attempt, completion=(300, 0))
    assert (row.input_tokens, row.output_tokens, row.cost_nanos, row.cost_label) == (0, 0, 0, "")


OPENING = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant",'
    b'"model":"c","content":[],"usage":{"input_tokens":100,"output_tokens":1}}}\n\n'
)
WORDS = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"many words "}}\n\n'
)


@aio
async def test_a_stream_that_was_left_has_not_said_all_though_its_opening_told_a_usage() -> None:
    """Anthropic's does: the prompt is right, the one token of the answer is not, and is never billed as exact."""
    body = ASK[:-1] + b',"max_tokens":900,"stream":true}'
    exchange = asked(streaming=True, dialect=AnthropicMessages(), body=body)
    upstream = ScriptedUpstream([stream(OPENING, WORDS, WORDS, asyncio.Event())])
    exchange.candidates = [endpoint(upstream, "claude", kind="anthropic")]
    reply = await dispatched(exchange)
    frames: Any = reply.frames
    for _ in range(3):
        await anext(frames)
    exchange.hung_up = True
    await frames.aclose()
    (attempt,) = exchange.attempts
    assert attempt.usage is not None and attempt.cut_short and not attempt.complete
    row = row_of(exchange, attempt, completion=(60, 0))
    assert (row.input_tokens, row.output_tokens, row.cost_label) == (100, 60, "estimated")


@aio
async def test_silence_before_content_is_its_own_timeout() -> None:
    """What the transport calls silence between pieces is, before any content, a first token that does not come."""
    exchange = asked(
        ScriptedUpstream([stream(b": ping\n\n", BetweenTimeout(detail="silence"))]), streaming=True
    )
    with pytest.raises(FirstContentTimeout):
        await dispatched(exchange)


@aio
async def test_pings_do_not_stand_in_for_content() -> None:
    """`first_token` counts from the request, however much comes that says nothing."""
    pings = [b": ping\n\n"] * 3
    exchange = asked(ScriptedUpstream([stream(*pings, content("late"), DONE)]), streaming=True)
    impatient = TimeoutSettings(first_token=0.0)  # type: ignore[arg-type]
    with pytest.raises(FirstContentTimeout):
        await dispatched(exchange, impatient)


@aio
async def test_the_attempt_knows_what_the_provider_said() -> None:
    """Status, its request's id, model, usage and why it stopped; whole and streamed."""
    headers = [(b"x-request-id", b"their-id")]
    script = answer()
    script.headers = headers
    exchange = asked(ScriptedUpstream([script]))
    await dispatched(exchange)
    attempt = exchange.attempts[0]
    assert (attempt.status, attempt.upstream_request_id, attempt.reported_model) == (200, "their-id", "llama")
    assert attempt.usage is not None and attempt.usage.total == 5 and attempt.finish_reason == "end"
    exchange = asked(ScriptedUpstream([stream(content("x"), finish() + usage(11, 7) + DONE)]), streaming=True)
    reply = await dispatched(exchange)
    assert reply.frames is not None
    async for _ in reply.frames:
        pass
    await closed(exchange)
    attempt = exchange.attempts[0]
    assert attempt.usage is not None and (attempt.usage.prompt, attempt.usage.completion) == (11, 7)
    assert (attempt.reported_model, attempt.finish_reason) == ("m", "end")


@pytest.mark.parametrize("dialect", [OpenAIChat(), AnthropicMessages()], ids=lambda dialect: dialect.name)
@aio
async def test_the_same_wire_passes_bytes_and_another_is_encoded(dialect: Any) -> None:
    """Unknown fields reach the provider exactly when nothing is translated."""
    body = ASK[:-1] + b',"max_tokens":9,"x_own":1.50}'
    upstream = ScriptedUpstream([answer()])
    await dispatched(asked(upstream, dialect=dialect, body=body))
    assert (b'"x_own":1.50' in upstream.requests[0].body) == (dialect.name == "openai.chat")
    assert b'"llama"' in upstream.requests[0].body


def test_timeouts_by_phase() -> None:
    """A whole answer's head comes when the model is done, so it has the total time."""
    settings = TimeoutSettings(connect=1.0, first_token=2.0, between_tokens=3.0, total=4.0)  # type: ignore[arg-type]
    assert settings.phases(stream=False).headers == 4.0
    streamed = settings.phases(stream=True)
    assert (streamed.connect, streamed.headers, streamed.first_content) == (1.0, 2.0, 2.0)
    assert (streamed.between, streamed.total) == (3.0, 4.0)
