"""The road under /v1, in this process: errors, hang-ups and bugs all end it cleanly, with nothing left in flight."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.core.errors import ProviderOverloaded, UpstreamCut
from headgate.edge.gate import Gate
from headgate.exchange.exchange import Exchange
from headgate.exchange.heard import Heard
from headgate.exchange.stage import Proceed
from headgate.testing.asgi import Answered, Caller
from headgate.testing.scripted import Script, ScriptedUpstream
from tests.support.aio import aio
from tests.support.chat_wire import DONE, content, finish, usage
from tests.support.raw_connection import RawConnection
from tests.support.small_gateway import ASK, answer, endpoint, small_gateway, stream

__all__: list[str] = []

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
EMBEDDINGS, COUNT = "/v1/embeddings", "/v1/messages/count_tokens"
STREAM = json.dumps({**json.loads(ASK), "stream": True}).encode()


class Keeping:
    """A stage that remembers the exchanges that passed."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []

    async def __call__(self, exchange: Exchange, proceed: Proceed, /) -> Any:
        self.exchanges.append(exchange)
        return await proceed(exchange)


class Lost(Caller):
    """A caller whose connection breaks when the reply begins."""

    async def ask(self, path: str, body: bytes = b"", **_: Any) -> Answered:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            raise RuntimeError("a bug while writing")

        scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": []}
        await self._app(scope, receive, send)
        return Answered()


@aio
async def test_a_whole_answer_says_what_was_done() -> None:
    """Its headers name provider, model and attempts."""
    gate = small_gateway(endpoint(ScriptedUpstream([answer()])))
    said = await Caller(gate).ask(CHAT, ASK)
    assert (said.status, said.complete) == (200, True)
    assert said.headers["x-headgate-provider"] == "house" and said.headers["x-headgate-model"] == "llama"
    assert said.headers["x-headgate-attempts"] == "1" and "x-headgate-fallback" not in said.headers
    assert float(said.headers["x-headgate-overhead-ms"]) < 1000
    assert gate.in_flight == 0


@pytest.mark.parametrize("body", [ASK, STREAM], ids=["whole", "stream"])
@pytest.mark.parametrize("when", ["at once", "later"])
@aio
async def test_a_caller_who_leaves_is_let_go(body: bytes, when: str) -> None:
    """The upstream reply is closed, nothing is sent any more, nothing stays in flight or draining."""
    silence = asyncio.Event()
    upstream = ScriptedUpstream([stream(content("one "), silence)])
    gate = small_gateway(endpoint(upstream), drain_time=0.05)
    leave = 1 if when == "later" and body == STREAM else 0
    said = await Caller(gate).ask(CHAT, body, hang_up_after=leave)
    assert not said.complete and len(said.pieces) <= 1
    assert all(reply.closed for reply in upstream.replies) and len(upstream.requests) == 1
    assert gate.in_flight == 0 and gate._hangups.draining == 0


@aio
async def test_with_enough_draining_the_next_hang_up_ends_its_call() -> None:
    """`max_drains = 0`: no answer is read for its usage alone."""
    go = asyncio.Event()
    upstream = ScriptedUpstream([stream(content("one "), go, finish() + usage() + DONE)])
    gate = small_gateway(endpoint(upstream), drain_time=1000.0, max_drains=0)
    asking = asyncio.ensure_future(Caller(gate).ask(CHAT, STREAM, hang_up_after=1))
    done, _ = await asyncio.wait({asking}, timeout=10)
    assert done, "it is being drained"
    assert not asking.result().complete
    assert upstream.replies[0].closed and not upstream.replies[0].read_to_end


@aio
async def test_a_drain_ends_when_the_provider_has_said_all() -> None:
    """Then the usage is the provider's."""
    go, keeping = asyncio.Event(), Keeping()
    upstream = ScriptedUpstream([stream(content("one "), go, finish() + usage(11, 7) + DONE)])
    gate = small_gateway(endpoint(upstream), stages={"record": keeping}, drain_time=1000.0)
    asking = asyncio.ensure_future(Caller(gate).ask(CHAT, STREAM, hang_up_after=1))
    while not gate._hangups.draining:
        await asyncio.sleep(0)
    go.set()
    said = await asking
    found = keeping.exchanges[0].attempts[0].usage
    assert found is not None and (found.prompt, found.completion) == (11, 7)
    assert len(said.pieces) == 1 and gate._hangups.draining == 0


@aio
async def test_after_a_hang_up_there_is_no_second_attempt() -> None:
    """A failure then is nobody's business but the record's."""
    go = asyncio.Event()
    first = ScriptedUpstream([Script(pieces=[go, UpstreamCut(detail="cut")])])
    second = ScriptedUpstream([answer()])
    gate = small_gateway(endpoint(first), endpoint(second, "other"), drain_time=1000.0)
    asking = asyncio.ensure_future(Caller(gate).ask(CHAT, ASK, hang_up_after=0))
    while not gate._hangups.draining:
        await asyncio.sleep(0.005)
    go.set()
    said = await asking
    assert said.status == 0 and second.requests == []


@pytest.mark.parametrize("path", [CHAT, RESPONSES, MESSAGES])
@aio
async def test_a_bug_is_a_500_that_tells_nothing_but_where_to_look(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The request's id is in the answer and in the log; what broke is in the log alone."""

    async def broken(exchange: Exchange, proceed: Proceed, /) -> Any:
        raise LookupError("the secret inside")

    gate = small_gateway(endpoint(ScriptedUpstream([answer()])), stages={"limit": broken})
    said = await Caller(gate).ask(path, ASK[:-1] + b',"input":"?","max_tokens":9}')
    assert said.status == 500 and b"secret" not in said.body
    request_id = said.headers["x-request-id"]
    assert request_id.encode() in said.body and request_id in caplog.text
    assert "the secret inside" in caplog.text and gate.in_flight == 0


@pytest.mark.parametrize("path", [CHAT, RESPONSES, MESSAGES])
@aio
async def test_a_bug_in_the_middle_of_a_stream_ends_it_with_an_error_event(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Never with half an answer that looks whole; the log has the stack."""

    async def broken(exchange: Exchange, proceed: Proceed, /) -> Any:
        reply = await proceed(exchange)
        frames: Any = reply.frames

        async def some() -> Any:
            yield await anext(frames)
            raise LookupError("the secret inside")

        return reply.with_frames(some())

    upstream = ScriptedUpstream([stream(content("one "), asyncio.Event())])
    gate = small_gateway(endpoint(upstream), stages={"screen": broken})
    said = await Caller(gate).ask(path, STREAM[:-1] + b',"input":"?","max_tokens":9}')
    assert said.status == 200 and said.complete and b"one " in said.body
    assert said.headers["x-request-id"].encode() in said.body and b"secret" not in said.body
    assert not any(mark in said.body for mark in (b"[DONE]", b"response.completed", b"message_stop"))
    assert "the secret inside" in caplog.text
    assert upstream.replies[0].closed and gate.in_flight == 0


@aio
async def test_what_breaks_before_the_first_frame_leaves_no_upstream_open() -> None:
    """The provider's stream has begun; a bug keeps anybody from reading it."""
    upstream = ScriptedUpstream([stream(content("one "), asyncio.Event())])
    gate = small_gateway(endpoint(upstream))
    with pytest.raises(RuntimeError, match="while writing"):
        await Lost(gate).ask(CHAT, STREAM)
    assert upstream.replies[0].closed and gate.in_flight == 0


@aio
async def test_a_stopping_gateway_asks_to_come_again() -> None:
    """503, soon, and SDKs may."""
    gate = small_gateway(endpoint(ScriptedUpstream([answer()])))
    gate.draining = True
    said = await Caller(gate).ask(CHAT, ASK)
    assert (said.status, said.headers["retry-after"], said.headers["x-should-retry"]) == (503, "1", "true")


@pytest.mark.parametrize("why", ["path", "method", "coding", "size", "stopping"])
@pytest.mark.parametrize("by", [0, 7])
@aio
async def test_a_body_that_is_not_taken_is_nobodys(why: str, by: int) -> None:
    """However it arrives: what is kept of requests would have it, compressed past every mask, or of a path that is not served."""
    keeping = Keeping()
    gate = small_gateway(
        endpoint(ScriptedUpstream([])), max_body=10 if why == "size" else 1000, stages={"record": keeping}
    )
    gate.draining = why == "stopping"
    raw = RawConnection(gate)
    await raw.say(
        b"%b %b HTTP/1.1\r\nhost: h\r\n%bcontent-length: %d\r\n\r\n%b"
        % (
            b"PUT" if why == "method" else b"POST",
            b"/v1/nothing" if why == "path" else CHAT.encode(),
            b"content-encoding: gzip\r\n" if why == "coding" else b"",
            len(ASK),
            ASK,
        ),
        by=by,
    )
    (exchange,) = keeping.exchanges
    assert exchange.unreadable is not None and exchange.body == b""
    raw.leave()
    await raw.settle()


@aio
async def test_a_request_that_was_arriving_when_stopping_began_is_served() -> None:
    """It was under way: its caller has sent a part of the body already."""
    gate = small_gateway(endpoint(ScriptedUpstream([answer()])))
    pieces = [ASK[:10], ASK[10:]]
    said: list[Any] = []

    async def receive() -> dict[str, Any]:
        gate.draining = len(pieces) < 2
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    scope = {"type": "http", "method": "POST", "path": CHAT, "query_string": b"", "headers": []}
    await gate(scope, receive, send)
    assert said[0]["status"] == 200 and gate.draining


@aio
async def test_the_second_provider_answers_for_the_first() -> None:
    """And the headers say so."""
    first = ScriptedUpstream([Script(refuse=ProviderOverloaded("busy"))])
    gate = small_gateway(endpoint(first), endpoint(ScriptedUpstream([answer()]), "other"))
    said = await Caller(gate).ask(CHAT, ASK)
    assert (said.status, said.headers["x-headgate-attempts"], said.headers["x-headgate-fallback"]) == (
        200,
        "2",
        "true",
    )
    assert said.headers["x-headgate-provider"] == "other"


@aio
async def test_a_stream_that_breaks_ends_with_an_error_event() -> None:
    """Never with the mark of a good end."""
    gate = small_gateway(endpoint(ScriptedUpstream([stream(content("one "), UpstreamCut(detail="cut"))])))
    said = await Caller(gate).ask(CHAT, STREAM)
    assert said.status == 200 and said.complete
    assert b"upstream_cut" in said.body and b"[DONE]" not in said.body


@pytest.mark.parametrize("more", [False, True])
@aio
async def test_a_growing_body_has_a_bound(more: bool) -> None:
    """Also one that is small by its head."""
    gate = small_gateway(endpoint(ScriptedUpstream([answer()])), max_body=1000)
    said: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"x" * 600, "more_body": True}

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    headers = [(b"content-length", b"2000")] if more else []
    await gate(
        {"type": "http", "method": "POST", "path": CHAT, "query_string": b"", "headers": headers},
        receive,
        send,
    )
    assert said[0]["status"] == 413 and (b"connection", b"close") in said[0]["headers"]


class Kept:
    """A caller of our own server, who may be kept waiting with comments; the order in which the gate said what."""

    def __init__(self, *, start_takes: float = 0.0) -> None:
        self.said: list[tuple[str, Any]] = []
        self._start_takes = start_takes

    async def ask(self, gate: Gate, body: bytes = STREAM) -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            self.said.append((message["type"].removeprefix("http.response."), message))
            if message["type"] == "http.response.start":
                await asyncio.sleep(self._start_takes)

        def begin(status: int, headers: list[tuple[bytes, bytes]], piece: bytes) -> None:
            self.said.append(("begin", {"status": status, "headers": headers, "body": piece}))

        def push(piece: bytes) -> bool:
            self.said.append(("push", {"body": piece}))
            return True

        scope = {"type": "http", "method": "POST", "path": CHAT, "query_string": b"", "headers": []}
        await gate(
            {**scope, "headgate.turn": self._turn(begin, push)},
            receive,
            send,
        )

    @staticmethod
    def _turn(begin: Any, push: Any) -> Any:
        """As much of a `Turn` as a gate asks for; whole replies go the slow way."""
        return SimpleNamespace(
            task=asyncio.current_task(),
            begin=begin,
            push=push,
            pusher=lambda: push,
            whole=lambda *_: False,
            whole_body=lambda: None,
            heard=Heard(),
        )

    @property
    def order(self) -> list[str]:
        return [name for name, _ in self.said]


@aio
async def test_the_head_of_a_first_comment_does_not_say_who_answers() -> None:
    """Nobody has: the one who was asked may fail yet, and what it took is not known."""
    silence = asyncio.Event()
    upstream = ScriptedUpstream([stream(silence, content("one "), finish() + usage() + DONE)])
    caller = Kept()
    gate = small_gateway(endpoint(upstream), waiting=0.02)
    asking = asyncio.create_task(caller.ask(gate))
    while "begin" not in caller.order:
        await asyncio.sleep(0.005)
    silence.set()
    await asking
    head = caller.said[0][1]
    names = {name.decode() for name, _ in head["headers"]}
    assert caller.order[0] == "begin" and head["status"] == 200 and upstream.requests
    assert {"x-request-id", "content-type"} <= names
    assert not [name for name in names if name.startswith("x-headgate-")]
    assert b"one " in b"".join(message.get("body", b"") for _, message in caller.said)


@pytest.mark.parametrize("bug", [False, True], ids=["refused", "a bug"])
@aio
async def test_while_a_refusal_is_written_no_comment_is(bug: bool) -> None:
    """However slowly it goes out: a second head would be told inside the first one's reply."""

    async def broken(exchange: Exchange, proceed: Proceed, /) -> Any:
        raise LookupError("inside")

    upstream = ScriptedUpstream([Script(refuse=ProviderOverloaded("busy"))])
    caller = Kept(start_takes=0.2)
    await caller.ask(small_gateway(endpoint(upstream), waiting=0.05, stages={"limit": broken} if bug else {}))
    # On a machine that stood still meanwhile a comment may come first; then the refusal is an event behind it.
    assert caller.order in (["start", "body"], ["begin", "body"])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(
    [
        "messages",
        "input",
        "tools",
        "tool_choice",
        "stream",
        "max_tokens",
        "system",
        "content",
        "role",
        "thinking",
        "response_format",
        "stream_options",
        "instructions",
        "text",
        "reasoning",
        "metadata",
        "user",
        "stop",
        "dimensions",
        "encoding_format",
    ]
)
blocks = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(
            [
                "text",
                "image_url",
                "input_text",
                "tool_use",
                "tool_result",
                "image",
                "thinking",
                "function",
                "document",
                "message",
                "function_call",
            ]
        )
        | json_values,
        "role": st.sampled_from(["user", "assistant", "system", "tool", "developer"]) | json_values,
        "content": json_values,
        "text": json_values,
        "source": json_values,
        "image_url": json_values,
        "input": json_values,
        "tool_calls": json_values,
        "function": json_values,
    },
)
bodies = st.dictionaries(names, json_values | blocks | st.lists(blocks, max_size=3), max_size=5)


@given(
    path=st.sampled_from([CHAT, RESPONSES, MESSAGES, EMBEDDINGS, COUNT]), fields=bodies, kind=st.booleans()
)
@settings(max_examples=400, deadline=None)
def test_no_json_makes_the_gateway_fail(path: str, fields: dict[str, Any], kind: bool) -> None:
    """Any fields, to a provider of either family: answered or refused in words, never 500."""

    @aio
    async def check() -> None:
        gate = _random_gate(kind)
        said = await Caller(gate).ask(path, json.dumps({**fields, "model": "small"}).encode())
        assert said.status != 500, (fields, said.body)
        if said.status >= 400:
            assert json.loads(said.body)["error"]["message"]
        assert gate.in_flight == 0

    check()


@given(data=st.binary(max_size=80), path=st.sampled_from([CHAT, RESPONSES, MESSAGES, EMBEDDINGS, COUNT]))
@settings(max_examples=100, deadline=None)
def test_no_bytes_make_the_gateway_fail(data: bytes, path: str) -> None:
    """Whatever is sent as a body."""

    @aio
    async def check() -> None:
        said = await Caller(_random_gate(True)).ask(path, data)
        assert 400 <= said.status < 500 or said.status == 200

    check()


def _random_gate(openai: bool) -> Gate:
    if openai:
        return small_gateway(endpoint(ScriptedUpstream([answer()])))
    said = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "llama",
        "content": [{"type": "text", "text": "hello"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    whole = Script(pieces=[json.dumps(said).encode()], headers=[(b"content-type", b"application/json")])
    return small_gateway(endpoint(ScriptedUpstream([whole]), kind="anthropic"))
