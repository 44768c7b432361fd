"""Last good answers: what is kept, for whom, how long, and how it is given again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import UpstreamCut
from headgate.core.events import Begin, End, Event, Stop, TextDelta, ToolCallBegin, events_of
from headgate.core.frame import Frame
from headgate.core.messages import (
    Answer,
    Choice,
    EmbeddingsReply,
    StopReason,
    Text,
    Thinking,
    TokenCount,
    ToolCall,
)
from headgate.core.usage import Usage
from headgate.dispatch.ladder.climb import Ladder
from headgate.dispatch.ladder.stale import Kept, MemoryStale, key_of, packed
from headgate.edge.dialects.openai_embeddings import OpenAIEmbeddings
from headgate.exchange.dialect import LocalReply
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply, whole
from headgate.exchange.wish import wish_of
from headgate.testing.clock import FakeClock
from tests.support.aio import aio
from tests.support.ladders import DOWN, answered, asked, ladder, read, said

__all__: list[str] = []


class Frames:
    """A stream of events, one a frame; an exception breaks it off."""

    def __init__(self, events: list[Event | Exception]) -> None:
        self._events = iter(events)
        self.closed = False

    def __aiter__(self) -> Frames:
        return self

    async def __anext__(self) -> Frame:
        for event in self._events:
            if isinstance(event, Exception):
                raise event
            return Frame(b"bytes", [event])
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self.closed = True


class Pumping(Frames):
    async def pump(self, deliver: Any) -> bool:
        async for frame in self:
            if not deliver(frame):
                return False
        return True


def of_user(name: str) -> Exchange:
    """As admission leaves it."""
    exchange = asked()
    exchange.user = name
    return exchange


async def remembered(ladder: Ladder, exchange: Exchange, answer: Any = None) -> None:
    ladder.remember(exchange, whole(answered() if answer is None else answer))


@aio
async def test_the_last_good_answer_is_given_again() -> None:
    """Marked: in the header, in the record, as its model, and with its age; it cost nothing."""
    clock = FakeClock()
    steps = ladder("stale", clock=clock)
    await remembered(steps, asked(), answered("Yesterday's."))
    await remembered(steps, asked(), answered("By noon."))
    clock.advance(90)
    later = asked()
    reply = await steps.answer(later, DOWN, deadline=0.0)
    assert reply is not None and isinstance(reply.answer, Answer)
    assert (reply.answer.text, reply.answer.model, reply.answer.usage) == (
        "By noon.",
        "headgate/degraded",
        Usage(),
    )
    assert reply.answer.id == ""
    assert later.degraded == "stale"
    assert (b"x-headgate-degraded", b"stale") in later.reply_headers
    assert (b"age", b"90") in later.reply_headers


@pytest.mark.parametrize(
    "other",
    [
        lambda: asked("Where is my parcel"),
        lambda: asked(key="key_2"),
        lambda: asked(temperature=0.5),
        lambda: asked(tools=[{"type": "function", "function": {"name": "f", "parameters": {}}}]),
        lambda: asked(user="somebody else"),
        lambda: asked(headers=[(b"x-headgate-user", b"somebody else")]),
        lambda: of_user("ada"),
        lambda: asked(metadata={"a": "b"}),
        lambda: asked(made_up_by_a_vendor={"deep": [1]}),
        lambda: asked(response_format={"type": "json_object"}),
    ],
)
@aio
async def test_nobody_gets_an_answer_to_something_else(other: Any) -> None:
    """Another key, or anything else that a provider could see, makes it another request."""
    steps = ladder("stale")
    await remembered(steps, asked())
    assert await said(steps, other()) is None
    assert await said(steps, asked()) == "By noon."


@aio
async def test_whose_answer_it_was_is_said_only_if_it_is_given() -> None:
    """Of what the cache keeps that is known."""

    async def older(_: Exchange) -> Kept:
        return Kept(packed(answered("Long ago.")) or b"", 0, origin_id=7)

    clock = FakeClock()
    steps = ladder("stale", clock=clock)
    steps._older = older
    clock.advance(10 * 86_400)
    old = asked()
    assert await steps.answer(old, DOWN, deadline=0.0) is None and old.origin_id == 0

    async def newer(_: Exchange) -> Kept:
        return Kept(packed(answered("Just now.")) or b"", clock.wall_ns(), origin_id=8)

    steps._older = newer
    fresh = asked()
    assert await said(steps, fresh) == "Just now." and fresh.origin_id == 8


@aio
async def test_of_another_feature_nothing_is_taken() -> None:
    """Its prompt may be another one."""
    steps = ladder("stale")
    exchange = asked()
    await remembered(steps, exchange)
    again = asked()
    again.feature = "other"
    assert key_of(again) != key_of(exchange)
    assert await said(steps, again) is None


@aio
async def test_how_an_answer_is_written_does_not_matter() -> None:
    """What was answered whole is given as a stream, and the other way round."""
    steps = ladder("stale")
    await remembered(steps, asked())
    streaming = asked(stream=True, stream_options={"include_usage": True})
    reply = await steps.answer(streaming, DOWN, deadline=0.0)
    assert reply is not None and reply.frames is not None
    body = await read(streaming, reply)
    assert b"By noon." in body and body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("frames", [Frames, Pumping])
@aio
async def test_a_stream_is_kept_when_it_has_ended(frames: type[Frames]) -> None:
    """As its frames pass, unchanged, whether they are asked for or pumped."""
    steps = ladder("stale")
    first = asked(stream=True)
    reply = steps.remember(first, Reply(wire="openai.chat", frames=frames([*events_of(answered("Soon."))])))
    assert reply.wire == "openai.chat", "bytes go on passing untouched"
    passed: list[Frame] = []
    listening: Any = reply.frames
    if frames is Pumping:

        def one(frame: Frame) -> bool:
            passed.append(frame)
            return False

        while not await listening.pump(one):
            assert await said(steps, asked()) is None
    else:
        async for frame in listening:
            assert await said(steps, asked()) is None
            passed.append(frame)
    assert [frame.data for frame in passed] == [b"bytes"] * 5
    assert await said(steps, asked()) == "Soon."


@pytest.mark.parametrize("broken", [True, False])
@aio
async def test_a_stream_that_did_not_end_is_not_kept(broken: bool) -> None:
    """It broke off, or its caller left; the provider's stream is closed either way."""
    steps = ladder("stale")
    frames = Frames([Begin(), TextDelta(text="So"), Stop(reason="end"), UpstreamCut(detail="x")])
    reply = steps.remember(asked(stream=True), Reply(frames=frames))
    listening: Any = reply.frames
    seen = 0
    try:
        async for _ in listening:
            seen += 1
            if not broken and seen == 2:
                break
    except UpstreamCut:
        assert broken
    await listening.aclose()
    assert frames.closed
    assert await said(steps, asked()) is None


def stopped(reason: StopReason | None) -> Answer:
    return Answer(choices=[Choice(parts=[Text(text="By")], stop_reason=reason)])


NOT_GOOD: dict[str, LocalReply] = {
    "cut by its limit": stopped("max_tokens"),
    "filtered": stopped("content_filter"),
    "without a reason": stopped(None),
    "empty": answered(""),
    "a tool's call": Answer(choices=[Choice(parts=[ToolCall(id="t", name="pay")], stop_reason="tool_use")]),
    "words and a call": Answer(
        choices=[Choice(parts=[Text(text="I pay."), ToolCall(id="t", name="pay")], stop_reason="end")]
    ),
    "nothing": Answer(),
    "one choice of two": Answer(choices=[*answered().choices, Choice(stop_reason="end")]),
    "an estimated count": TokenCount(input_tokens=3, exact=False),
    "no vectors": EmbeddingsReply(vectors=[]),
}


@pytest.mark.parametrize("name", NOT_GOOD)
def test_only_whole_answers_in_words_are_kept(name: str) -> None:
    """What was cut or filtered was no good answer, and an action is not repeated from memory."""
    assert packed(NOT_GOOD[name]) is None


@aio
async def test_thinking_is_not_given_again() -> None:
    """It may be signed, and belongs to a turn that never took place."""
    steps = ladder("stale")
    kept = answered()
    kept.choices[0].parts.insert(0, Thinking(text="hm", signature="s"))
    await remembered(steps, asked(), kept)
    reply = await steps.answer(asked(), DOWN, deadline=0.0)
    assert reply is not None and isinstance(reply.answer, Answer)
    assert reply.answer.choices[0].parts == [Text(text="By noon.")]


@aio
async def test_a_tool_call_in_a_stream_is_not_kept() -> None:
    """As in a whole answer."""
    steps = ladder("stale")
    events: list[Any] = [Begin(), ToolCallBegin(index=0, id="t", name="pay"), Stop(reason="end"), End()]
    frames: Any = steps.remember(asked(), Reply(frames=Frames(events))).frames
    assert [frame.events[0] async for frame in frames] == events
    assert await said(steps, asked()) is None


@aio
async def test_embeddings_are_kept_too() -> None:
    """The same text has the same vector."""
    steps = ladder("stale")

    def wanted(**more: Any) -> Exchange:
        return asked(dialect=OpenAIEmbeddings(), input="river", messages=None, **more)

    await remembered(steps, wanted(), EmbeddingsReply(vectors=[[0.1, 1e-9]], model="m", usage=Usage(input=1)))
    exchange = wanted(encoding_format="base64")
    reply = await steps.answer(exchange, DOWN, deadline=0.0)
    assert reply is not None and isinstance(reply.answer, EmbeddingsReply)
    assert reply.answer.vectors == [[0.1, 1e-9]]
    assert reply.answer.model == "headgate/degraded"


# How old


@aio
async def test_an_answer_is_too_old_after_its_time() -> None:
    """The rung says after which."""
    clock = FakeClock()
    steps = ladder("stale:1h", clock=clock)
    await remembered(steps, asked())
    clock.advance(3599)
    assert await said(steps, asked()) == "By noon."
    clock.advance(1)
    assert await said(steps, asked()) is None


@pytest.mark.parametrize(
    ("header", "kept", "given"),
    [
        (b"no-store", False, True),
        (b"no-cache", True, False),
        (b"max-age=60", True, False),
        (b"private, MAX-AGE=600", True, True),
        (b"max-age=, x", True, True),
    ],
)
@aio
async def test_the_caller_may_say_what_is_kept_and_how_old_it_may_be(
    header: bytes, kept: bool, given: bool
) -> None:
    """In `cache-control`, as everywhere."""
    clock = FakeClock()
    headers = [(b"cache-control", header)]
    steps = ladder("stale", clock=clock)
    await remembered(steps, asked(headers=headers))
    assert (await said(steps, asked()) is not None) == kept
    await remembered(steps, asked())
    clock.advance(100)
    assert (await said(steps, asked(headers=headers)) is not None) == given


@given(st.binary())
def test_any_cache_control_is_understood_or_overlooked(value: bytes) -> None:
    """Headers come from strangers."""
    wish_of(asked(headers=[(b"cache-control", value)]).headers)


# What is not kept at all


@aio
async def test_without_the_rung_nothing_is_looked_at() -> None:
    """The reply is the very same, and the request is not even read."""
    steps = ladder("say:Later.")
    exchange = asked()
    exchange.body = b"unreadable"
    frames = Frames([])
    reply = steps.remember(exchange, Reply(frames=frames))
    assert reply.frames is frames


@aio
async def test_what_the_ladder_answered_is_not_kept_as_good() -> None:
    """Nor what a shadow of a request was answered."""
    steps = ladder("stale")
    degraded, shadow = asked(), asked()
    degraded.degraded, shadow.purpose = "model:small", "shadow"
    await remembered(steps, degraded)
    await remembered(steps, shadow)
    assert await said(steps, asked()) is None


@aio
async def test_what_is_changed_later_does_not_change_what_is_kept() -> None:
    """Stages further up put personal data back into this one answer."""
    steps = ladder("stale")
    answer = answered("Dear <PERSON_1>")
    await remembered(steps, asked(), answer)
    answer.choices[0].parts = [Text(text="Dear Ada")]
    assert await said(steps, asked()) == "Dear <PERSON_1>"


@aio
async def test_an_answer_that_cannot_be_read_is_left_alone() -> None:
    """It passes; whoever reads it says what is wrong."""

    def decode(body: bytes) -> Any:
        raise UpstreamCut(detail="x")

    steps = ladder("stale")
    reply = Reply(wire="openai.chat", body=b"{", decode=decode)
    assert steps.remember(asked(), reply) is reply


# The store


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 400), st.integers(1, 50)), max_size=60))
def test_the_store_stays_within_its_bytes(steps: list[tuple[int, int, int]]) -> None:
    """Whatever is kept, and its count is what it holds."""
    clock = FakeClock()
    store = MemoryStale(clock, most_bytes=2000)
    for key, size, seconds in steps:
        store.keep(bytes([key]), b"x" * size, seconds=seconds)
        clock.advance(1)
        assert store.bytes <= 2000
        assert store.bytes == sum(300 + len(kept.answer) for kept, _ in store._entries.values())


@aio
async def test_what_was_kept_longest_ago_goes_first() -> None:
    """An answer kept again counts as new."""
    store = MemoryStale(FakeClock(), most_bytes=1000)
    for key in (b"a", b"b", b"a", b"c", b"d"):
        store.keep(key, b"xx", seconds=60)
    assert await store.last(b"b") is None
    assert [await store.last(key) is not None for key in (b"a", b"c", b"d")] == [True, True, True]


@aio
async def test_an_answer_that_is_too_large_replaces_nothing_by_nothing() -> None:
    """The old one is gone then, too: it is no longer the last."""
    store = MemoryStale(FakeClock())
    store.keep(b"a", b"small", seconds=60)
    store.keep(b"a", b"x" * 600_000, seconds=60)
    assert await store.last(b"a") is None
    assert store.bytes == 0


@aio
async def test_old_answers_are_forgotten_not_only_hidden() -> None:
    """They may hold personal data."""
    clock = FakeClock()
    store = MemoryStale(clock)
    store.keep(b"a", b"secret", seconds=60)
    clock.advance(61)
    assert await store.last(b"z") is None
    assert store.bytes == 0


def test_long_requests_are_not_compared() -> None:
    """They hardly come twice."""
    assert key_of(asked("x" * 1_000_001)) is None
