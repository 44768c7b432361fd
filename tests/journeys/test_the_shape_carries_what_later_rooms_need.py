"""Four tiny stages, each the seed of a later room, in a real journey behind the real edge: the shape holds them all.

The provider is scripted (its bytes are OpenAI's wire), everything else is what runs in production.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from itertools import pairwise
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.core.errors import GatewayError, InvalidRequest, UpstreamCut
from headgate.core.events import Event, TextDelta
from headgate.core.ids import IdSource
from headgate.core.messages import Answer, ChatRequest, Choice, Text
from headgate.dispatch.manner import Manner
from headgate.dispatch.settings import RetrySettings
from headgate.dispatch.stage import Dispatch
from headgate.edge.accept import accept
from headgate.edge.gate import Gate
from headgate.edge.paths import Paths
from headgate.edge.settings import ServerSettings
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Frame, Reply, whole
from headgate.exchange.stage import Proceed, Stage
from headgate.journey import journey
from headgate.providers.adapters.openai import OpenAIAdapter, OpenAISettings
from headgate.providers.port import Endpoint
from headgate.routing.directory import Directory
from headgate.routing.stage import Router
from headgate.testing.asgi import Answered, Caller
from headgate.testing.scripted import Script, ScriptedUpstream
from tests.support.aio import aio

MANNER = Manner(retry=RetrySettings(attempts=1))

ASK = {"model": "small", "messages": [{"role": "user", "content": "hello"}], "vendor_field": {"kept": [1, 2]}}


def gate_over(upstream: ScriptedUpstream, **stages: Stage) -> Gate:
    adapter = OpenAIAdapter(OpenAISettings(api_key="k", base_url="http://upstream.test/v1"))
    endpoint = Endpoint(provider="house", model="llama", adapter=adapter, upstream=upstream)
    directory = Directory(
        features={},
        models={"small": [endpoint]},
        providers={"house": "openai"},
        make=lambda provider, model: endpoint,
    )
    ids = IdSource()
    proceed = journey(
        {
            **stages,
            "accept": accept,
            "route": Router(directory),
            "dispatch": Dispatch(ids=ids, manner=lambda feature: MANNER),
        }
    )
    return Gate(
        proceed=proceed,
        paths=Paths(),
        settings=ServerSettings(drain_time=0.05),  # type: ignore[arg-type]
        ids=ids,
    )


def completion(text: str) -> Script:
    body = {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "llama",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }
    return Script(pieces=[json.dumps(body).encode()], headers=[(b"content-type", b"application/json")])


def chunk(delta: dict[str, object], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return (
        b"data: "
        + json.dumps(
            {
                "id": "c1",
                "object": "chat.completion.chunk",
                "created": 1,
                "model": "llama",
                "choices": [choice],
            },
            ensure_ascii=False,
        ).encode()
        + b"\n\n"
    )


def streamed(*texts: str) -> bytes:
    body = chunk({"role": "assistant", "content": ""})
    body += b"".join(chunk({"content": text}) for text in texts)
    return body + chunk({}, "stop") + b"data: [DONE]\n\n"


class Silence(asyncio.Event):
    """Never set; `reached` says that somebody has begun to wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()

    async def wait(self) -> Literal[True]:
        self.reached.set()
        return await super().wait()


def sse(pieces: Sequence[bytes | GatewayError | asyncio.Event]) -> Script:
    return Script(pieces=pieces, headers=[(b"content-type", b"text/event-stream")])


def text_of(answered: Answered) -> str:
    """What an OpenAI client would have put together."""
    text = ""
    for line in answered.body.split(b"\n"):
        if line.startswith(b"data: {"):
            for choice in json.loads(line[6:]).get("choices", ()):
                text += choice["delta"].get("content") or ""
    return text


async def ask(
    gate: Gate, *, path: str = "/v1/chat/completions", hang_up_after: int | None = None, **extra: object
) -> Answered:
    return await Caller(gate).ask(path, json.dumps(ASK | extra).encode(), hang_up_after=hang_up_after)


# (a) edit the request


async def shout(exchange: Exchange, proceed: Proceed) -> Reply:
    request = exchange.request
    assert isinstance(request, ChatRequest)
    for message in request.messages:
        for part in message.parts:
            if isinstance(part, Text):
                part.text = part.text.upper()
    exchange.edit(request)
    return await proceed(exchange)


@aio
async def test_a_stage_edits_the_request_and_unknown_fields_survive() -> None:
    """What the provider receives is the edited prompt, with the vendor's own fields still there."""
    upstream = ScriptedUpstream([completion("hi")])

    answered = await ask(gate_over(upstream, compose=shout))

    sent = json.loads(upstream.requests[0].body)
    assert answered.status == 200
    assert sent["messages"][0]["content"] == "HELLO"
    assert sent["vendor_field"] == {"kept": [1, 2]}
    assert sent["model"] == "llama"


@aio
async def test_without_an_edit_the_callers_bytes_pass_but_for_the_models_name() -> None:
    """Odd spacing, key order and numbers arrive at the provider as the caller wrote them."""
    upstream = ScriptedUpstream([completion("hi")])
    body = b'{ "temperature":0.70,\n "model" : "small","messages":[ {"role":"user","content":"h\\u00e9"} ], "n":1.0 }'

    await Caller(gate_over(upstream)).ask("/v1/chat/completions", body)

    assert upstream.requests[0].body == body.replace(b'"small"', b'"llama"')


# (b) answer without an upstream


async def know_it_already(exchange: Exchange, proceed: Proceed) -> Reply:
    return whole(
        Answer(
            id="kept", model="memory", choices=[Choice(parts=[Text(text="from memory")], stop_reason="end")]
        )
    )


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_a_stage_answers_and_no_provider_is_asked(path: str) -> None:
    """A stage that returns a reply ends the way down, in whatever dialect the caller speaks."""

    @aio
    async def run() -> None:
        upstream = ScriptedUpstream([completion("never")])
        answered = await ask(gate_over(upstream, recall=know_it_already), path=path, max_tokens=10)
        assert answered.status == 200
        assert b"from memory" in answered.body
        assert upstream.requests == []

    run()


# (c) change streamed text with a hold-back


class Replace:
    """Replaces `secret` by `######` in streamed text, holding back only as much as could be its beginning."""

    secret = "Füße42"
    mask = "######"

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        reply = await proceed(exchange)
        assert reply.frames is not None
        return reply.with_frames(self._frames(reply.frames))

    async def _frames(self, frames: AsyncIterator[Frame]) -> AsyncGenerator[Frame, None]:
        held = ""
        try:
            async for frame in frames:
                events: list[Event] = []
                for event in frame.events:
                    if isinstance(event, TextDelta):
                        held = (held + event.text).replace(self.secret, self.mask)
                        keep = self._could_begin(held)
                        if ready := held[: len(held) - keep]:
                            events.append(TextDelta(text=ready))
                        held = held[len(held) - keep :]
                    else:
                        if held and type(event).__name__ == "Stop":
                            events.append(TextDelta(text=held))
                            held = ""
                        events.append(event)
                yield Frame(None, events)
        finally:
            await frames.aclose()  # type: ignore[attr-defined]

    def _could_begin(self, text: str) -> int:
        return next((n for n in range(len(self.secret) - 1, 0, -1) if text.endswith(self.secret[:n])), 0)


@given(
    cuts=st.lists(st.integers(0, 2000), max_size=60),
    words=st.lists(st.sampled_from(["Füße42", "Füß", "e42", "Fü", "日本", "🙂", "42", " a "]), max_size=25),
)
@settings(max_examples=60, deadline=None)
def test_a_stage_changes_streamed_text_whatever_the_chunk_borders(cuts: list[int], words: list[str]) -> None:
    """The pattern is replaced wherever token, packet and character borders fall, and nothing else changes."""
    body = streamed(*words)
    borders = sorted({cut % (len(body) + 1) for cut in cuts} | {0, len(body)})
    pieces = [body[a:b] for a, b in pairwise(borders)]

    @aio
    async def run() -> None:
        gate = gate_over(ScriptedUpstream([sse(pieces)]), screen=Replace())
        answered = await ask(gate, stream=True)
        assert text_of(answered) == "".join(words).replace("Füße42", "######")
        assert answered.body.rstrip().endswith(b"data: [DONE]")

    run()


# (d) run at the end whatever happened


class AtTheEnd:
    """Notes how each exchange ended."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        exchange.on_close(lambda: self._over(exchange))
        return await proceed(exchange)

    async def _over(self, exchange: Exchange) -> None:
        await asyncio.sleep(0)  # closing may wait
        how = "hung up" if exchange.hung_up else (exchange.error.code if exchange.error else "finished")
        self.seen.append(how)


async def refuse(exchange: Exchange, proceed: Proceed) -> Reply:
    raise InvalidRequest("not today")


async def stumble(exchange: Exchange, proceed: Proceed) -> Reply:
    raise ZeroDivisionError("a bug")


@aio
async def test_the_end_is_seen_when_all_went_well() -> None:
    end = AtTheEnd()
    await ask(gate_over(ScriptedUpstream([completion("hi")]), record=end))
    await ask(gate_over(ScriptedUpstream([sse([streamed("a", "b")])]), record=end), stream=True)
    assert end.seen == ["finished", "finished"]


@aio
async def test_the_end_is_seen_when_a_later_stage_refuses_or_stumbles() -> None:
    end = AtTheEnd()
    first = await ask(gate_over(ScriptedUpstream([completion("hi")]), record=end, limit=refuse))
    second = await ask(gate_over(ScriptedUpstream([completion("hi")]), record=end, limit=stumble))
    assert (first.status, second.status) == (400, 500)
    assert end.seen == ["invalid_request", "internal_error"]


@aio
async def test_the_end_is_seen_when_the_caller_hangs_up_in_the_middle_of_a_stream() -> None:
    """The provider's connection is let go of, too."""
    end, never = AtTheEnd(), asyncio.Event()
    upstream = ScriptedUpstream([sse([chunk({"content": "a"}), chunk({"content": "b"}), never])])
    await ask(gate_over(upstream, record=end), stream=True, hang_up_after=1)
    assert end.seen == ["hung up"]
    assert upstream.replies[0].closed


@aio
async def test_a_caller_who_hangs_up_is_drained_for_its_usage() -> None:
    """If the provider finishes soon after, the answer is read to its end: it is billed as it was."""
    end = AtTheEnd()
    upstream = ScriptedUpstream(
        [sse([chunk({"content": "a"}), chunk({"content": "b"}), chunk({}, "stop"), b"data: [DONE]\n\n"])]
    )
    await ask(gate_over(upstream, record=end), stream=True, hang_up_after=1)
    assert end.seen == ["hung up"]
    assert upstream.replies[0].read_to_end


@aio
async def test_the_end_is_seen_when_the_server_cancels_the_request() -> None:
    end, silence = AtTheEnd(), Silence()
    upstream = ScriptedUpstream([sse([chunk({"content": "a"}), silence])])
    task = asyncio.ensure_future(ask(gate_over(upstream, record=end), stream=True))
    await silence.reached.wait()

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(end.seen) == 1
    assert upstream.replies[0].closed


@aio
async def test_a_stream_cut_in_the_middle_ends_with_an_error_event_and_never_as_success() -> None:
    end = AtTheEnd()
    upstream = ScriptedUpstream([sse([chunk({"content": "a"}), UpstreamCut(detail="house")])])
    answered = await ask(gate_over(upstream, record=end), stream=True)
    assert b"[DONE]" not in answered.body
    last = json.loads(answered.body.strip().split(b"\n")[-1].removeprefix(b"data: "))
    assert last["error"]["code"] == "upstream_cut"
    assert end.seen == ["upstream_cut"]


@aio
async def test_before_the_first_content_a_cut_stream_is_a_plain_error_with_a_status() -> None:
    """Status and first byte are not committed before there is content, so the caller gets a real refusal."""
    role = chunk({"role": "assistant", "content": ""})
    upstream = ScriptedUpstream([sse([role, UpstreamCut(detail="house")])])
    answered = await ask(gate_over(upstream), stream=True)
    assert answered.status == 502
    assert json.loads(answered.body)["error"]["code"] == "upstream_cut"
