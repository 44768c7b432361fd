"""What a hit says is what was kept."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from headgate.cache.retelling import Retelling, decoded, spoken_pieces
from headgate.core.events import AnswerBuilder, Event, events_of
from headgate.core.messages import Answer, Choice, Text, Thinking, ToolCall
from headgate.core.usage import Usage
from headgate.edge.paths import Paths
from headgate.exchange.dialect import Peek
from headgate.exchange.exchange import Exchange
from headgate.stores.answers import CacheEntry

__all__: list[str] = []

TEXTS = st.text(max_size=200)
PARTS = st.one_of(
    st.builds(Text, text=TEXTS.filter(bool)),
    st.builds(Thinking, text=TEXTS, signature=st.sampled_from(["", "sig"])).filter(lambda one: one.text),
    st.builds(ToolCall, id=st.sampled_from(["c1", "c2"]), name=st.just("f"), arguments=st.text(max_size=80)),
)
ANSWERS = st.builds(
    Answer,
    id=st.just("a1"),
    model=st.just("llama"),
    created=st.just(7),
    usage=st.just(Usage(input=3, output=5)),
    choices=st.lists(
        st.builds(Choice, parts=st.lists(PARTS, max_size=4), stop_reason=st.just("end")),
        min_size=1,
        max_size=1,
    ),
)


def folded(events: list[Event]) -> Answer:
    builder = AnswerBuilder()
    for event in events:
        builder.add(event)
    return builder.answer()


def entry_of(answer: Answer) -> CacheEntry:
    return CacheEntry(
        key=b"k" * 16,
        compat=b"c" * 16,
        tenant="",
        feature="faq",
        scope="feature",
        owner="",
        user="",
        operation="chat",
        model="small",
        reported_model="llama",
        prompt="",
        tags={},
        question="",
        answer=msgspec.json.encode(answer),
        origin_id=1,
        made_ns=1,
        fresh_ns=2,
        until_ns=2,
        cost_nanos=1,
        took_us=1_000_000,
    )


def exchange_of(path: str, *, stream: bool) -> Exchange:
    dialect = Paths().dialect("POST", path, [])
    found = Exchange(id=1, dialect=dialect, body=b"{}", headers=[], received_at=0.0, started_ns=0, path=path)
    found.peek = Peek(model="faq", stream=stream)
    return found


@given(ANSWERS)
def test_pieces_say_what_the_whole_says(answer: Answer) -> None:
    """Word by word or at once: folded, it is the same answer."""
    events = events_of(answer)
    assert folded(spoken_pieces(events)) == folded(events)


@given(st.text(min_size=1, max_size=300).filter(str.strip))
def test_every_dialect_says_what_was_kept(text: str) -> None:
    """Whole and streamed, told for the first time and from what was written before."""
    answer = Answer(id="a1", model="llama", choices=[Choice(parts=[Text(text=text)], stop_reason="end")])
    entry, retelling = entry_of(answer), Retelling()
    assert decoded(entry) == answer
    for path in ("/v1/chat/completions", "/v1/messages", "/v1/responses"):
        for _ in range(2):
            reply = retelling.tell(exchange_of(path, stream=False), entry)
            assert json.dumps(text) in json.dumps(json.loads(reply.body or b""))
            assert reply.wire and reply.answer == answer
            streamed: Any = retelling.tell(exchange_of(path, stream=True), entry).frames

            async def read(frames: Any) -> tuple[bytes, list[Event]]:
                found = [frame async for frame in frames]
                return b"".join(each.data for each in found), [
                    event for each in found for event in each.events
                ]

            data, events = asyncio.run(read(streamed))
            assert folded(events).text == text
            lines = [json.loads(line[6:]) for line in data.split(b"\n") if line.startswith(b"data: {")]
            assert json.dumps(text)[1:-1] in json.dumps(lines)


def test_what_was_written_is_remembered_within_a_bound() -> None:
    """The oldest goes first, and nothing is counted twice."""
    retelling = Retelling(most_bytes=5_000)
    for number in range(50):
        answer = Answer(id=str(number), choices=[Choice(parts=[Text(text="x" * 200)], stop_reason="end")])
        entry = msgspec.structs.replace(entry_of(answer), origin_id=number)
        retelling.tell(exchange_of("/v1/chat/completions", stream=False), entry)
    assert 0 < retelling.bytes <= 5_000
    retelling.clear()
    assert retelling.bytes == 0
