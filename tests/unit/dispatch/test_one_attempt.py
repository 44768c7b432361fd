"""One call of one endpoint: what crosses from dialect to wire, what stays behind, and what may come back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headgate.core.errors import ContextTooLong, UnsupportedRequest, UpstreamMalformed
from headgate.core.ids import IdSource
from headgate.dispatch.manner import Manner
from headgate.dispatch.settings import RetrySettings
from headgate.dispatch.stage import Dispatch
from headgate.edge.dialects.anthropic_messages import AnthropicMessages
from headgate.edge.dialects.openai_chat import OpenAIChat
from headgate.edge.dialects.openai_responses import OpenAIResponses
from headgate.exchange.dialect import Dialect
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.providers.adapters.anthropic import AnthropicAdapter, AnthropicSettings
from headgate.providers.adapters.openai import OpenAIAdapter, OpenAISettings
from headgate.providers.port import (
    Adapter,
    Endpoint,
    Headers,
    Timeouts,
    Upstream,
    UpstreamReply,
    UpstreamRequest,
)
from headgate.providers.transport.reply import HttpReply
from headgate.testing.scripted import Script, ScriptedUpstream
from tests.support.aio import aio
from tests.support.simulated import Rehearsal

MANNER = Manner(retry=RetrySettings(attempts=1))

OPENAI = OpenAIAdapter(OpenAISettings(api_key="k", base_url="http://upstream.test/v1"))
ANTHROPIC = AnthropicAdapter(AnthropicSettings(api_key="k", base_url="http://upstream.test"))
HELLO = [{"role": "user", "content": "hello"}]
COMPLETION = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "hi"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 1, "output_tokens": 1},
}


def asked(dialect: Dialect, *endpoints: Endpoint, **body: Any) -> Exchange:
    raw = json.dumps({"model": "f", **body}).encode()
    exchange = Exchange(id=1, dialect=dialect, body=raw, headers=[], received_at=0.0, started_ns=0)
    exchange.peek = dialect.peek(raw)
    exchange.candidates = endpoints
    return exchange


def endpoint(adapter: Adapter, upstream: Upstream, provider: str = "vendor") -> Endpoint:
    return Endpoint(provider=provider, model="m", adapter=adapter, upstream=upstream)


def answering(body: object, content_type: bytes = b"application/json", status: int = 200) -> ScriptedUpstream:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return ScriptedUpstream([Script([data], status=status, headers=[(b"content-type", content_type)])])


async def dispatch(exchange: Exchange) -> Reply:
    async def proceed(_: Exchange) -> Reply:
        raise AssertionError("dispatch is the last stage")

    return await Dispatch(ids=IdSource(), manner=lambda _: MANNER)(exchange, proceed)


@aio
async def test_a_field_that_lives_in_its_vendors_storage_is_refused_elsewhere() -> None:
    """`previous_response_id` means nothing to another vendor: the refusal names it and the provider, nothing is sent."""
    upstream = answering(MESSAGE)
    exchange = asked(
        OpenAIResponses(), endpoint(ANTHROPIC, upstream, "claude"), input="hi", previous_response_id="resp_1"
    )
    with pytest.raises(UnsupportedRequest, match=r"claude.*previous_response_id") as refused:
        await dispatch(exchange)
    assert refused.value.param == "previous_response_id"
    assert upstream.requests == []


@aio
async def test_the_vendor_itself_gets_what_lives_in_its_storage() -> None:
    """Bytes pass to a provider of the same wire, whatever they name."""
    body = {"id": "r", "object": "response", "status": "completed", "model": "m", "output": []}
    upstream = answering(body)
    native = OpenAIAdapter(OpenAISettings(api_key="k", base_url="http://upstream.test/v1", responses=True))
    await dispatch(
        asked(OpenAIResponses(), endpoint(native, upstream), input="hi", previous_response_id="resp_1")
    )
    assert b'"previous_response_id": "resp_1"' in upstream.requests[0].body


@aio
async def test_fields_that_no_other_wire_has_are_put_on_record() -> None:
    """What one vendor alone understands stays behind when another answers, and the record says what that was."""
    exchange = asked(
        OpenAIChat(),
        endpoint(ANTHROPIC, answering(MESSAGE)),
        messages=HELLO,
        logit_bias={"1": 5},
        store=True,
        max_tokens=5,
    )
    await dispatch(exchange)
    assert exchange.notes["dropped_fields"] == "logit_bias,store"


@aio
async def test_nothing_is_noted_where_nothing_stays_behind() -> None:
    """Neither when bytes pass, nor for a field that the canonical request says to everybody."""
    same = asked(OpenAIChat(), endpoint(OPENAI, answering(COMPLETION)), messages=HELLO, logit_bias={"1": 5})
    await dispatch(same)
    thinking = {"type": "enabled", "budget_tokens": 1024}
    crossed = asked(
        AnthropicMessages(),
        endpoint(OPENAI, answering(COMPLETION)),
        messages=HELLO,
        max_tokens=2000,
        thinking=thinking,
    )
    await dispatch(crossed)
    assert (same.notes, crossed.notes) == ({}, {})


@aio
async def test_the_note_speaks_of_the_endpoint_that_answered() -> None:
    """If the first endpoint would have dropped a field and the second takes it, nothing was dropped."""
    failing = answering({"type": "error", "error": {"type": "api_error", "message": "no"}}, status=500)
    exchange = asked(
        OpenAIChat(),
        endpoint(ANTHROPIC, failing),
        endpoint(OPENAI, answering(COMPLETION)),
        messages=HELLO,
        logit_bias={"1": 5},
    )
    await dispatch(exchange)
    assert len(exchange.attempts) == 2
    assert exchange.notes == {}


@pytest.mark.parametrize("content_type", [b"text/html", b"Text/HTML; charset=utf-8"])
@aio
async def test_a_page_instead_of_a_stream_is_told_at_once(content_type: bytes) -> None:
    """A proxy's page is no stream: the attempt fails over before its body is read, and lets go of the connection."""
    upstream = answering(b"<html>sign in", content_type)
    with pytest.raises(UpstreamMalformed):
        await dispatch(asked(OpenAIChat(), endpoint(OPENAI, upstream), messages=HELLO, stream=True))
    assert upstream.replies[0].closed and not upstream.replies[0].read_to_end


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "dialect", [OpenAIChat(), OpenAIResponses(), AnthropicMessages()], ids=lambda d: d.name
)
@aio
async def test_the_rehearsed_page_is_no_answer(dialect: Dialect, stream: bool) -> None:
    """`x-headgate-fault: html` shows what a proxy's sign-in page does: it is told as what it is, in every dialect."""
    simulated = Rehearsal()
    asks: dict[str, Any] = {"input": "hi"} if dialect.name == "openai.responses" else {"messages": HELLO}
    exchange = asked(
        dialect, endpoint(simulated.adapter, simulated.upstream), **asks, max_tokens=99, stream=stream
    )
    exchange.headers = [(b"x-headgate-fault", b"html")]
    with pytest.raises(UpstreamMalformed):
        await dispatch(exchange)


@pytest.mark.parametrize("content_type", [b"application/json", b"text/plain", b""])
@aio
async def test_a_server_that_does_not_stream_is_understood(content_type: bytes) -> None:
    """A whole answer where a stream was asked for is told as events."""
    exchange = asked(
        OpenAIChat(), endpoint(OPENAI, answering(COMPLETION, content_type)), messages=HELLO, stream=True
    )
    reply = await dispatch(exchange)
    assert reply.frames is not None
    kinds = [type(event).__name__ async for frame in reply.frames for event in frame.events]
    assert kinds == ["Begin", "TextDelta", "Stop", "End"]


class AtOnce:
    """An upstream whose replies come head and body together."""

    def __init__(self, status: int, body: object) -> None:
        self._status, self._body = status, json.dumps(body).encode()

    peer = "host:1"

    def abandon(self) -> None:
        raise AssertionError("let go of a connection that was not held")

    async def send(self, request: UpstreamRequest, timeouts: Timeouts) -> UpstreamReply:
        reply = HttpReply(self._status, Headers(), self, None, 5.0)  # type: ignore[arg-type]
        reply.arrived_whole(self._body)
        return reply

    async def aclose(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("stream", [False, True])
@aio
async def test_a_refusal_that_comes_with_its_head_is_read(stream: bool) -> None:
    """The vendor's own words decide what the refusal means, also when head and body are one packet."""
    error = {"message": "too long", "type": "invalid_request_error", "code": "context_length_exceeded"}
    exchange = asked(
        OpenAIChat(), endpoint(OPENAI, AtOnce(400, {"error": error})), messages=HELLO, stream=stream
    )
    with pytest.raises(ContextTooLong):
        await dispatch(exchange)
