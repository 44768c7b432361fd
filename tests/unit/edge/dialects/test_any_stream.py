"""However a provider's pieces interleave, each dialect says all of them and keeps its order of events."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.core.events import (
    AnswerBuilder,
    Begin,
    End,
    Event,
    Stop,
    TextDelta,
    ThinkingDelta,
    ToolCallBegin,
    ToolCallDelta,
)
from headgate.core.messages import Answer, Text, Thinking, ToolCall
from tests.golden.dialects.scripts import encode

ARGUMENTS = st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=6), max_size=3)


@st.composite
def streams(draw: st.DrawFn) -> list[Event]:
    """Text, thinking and up to three calls whose pieces come in any order."""
    queues: list[list[Event]] = [
        [TextDelta(text=text) for text in draw(st.lists(st.text(max_size=4), max_size=4))],
        [ThinkingDelta(text=text) for text in draw(st.lists(st.text(max_size=4), max_size=2))],
    ]
    for index in range(draw(st.integers(0, 3))):
        text = json.dumps(draw(ARGUMENTS))
        cut = draw(st.integers(0, len(text)))
        pieces = [piece for piece in (text[:cut], text[cut:]) if piece]
        queues.append(
            [
                ToolCallBegin(index=index, id=f"c{index}", name=f"f{index}"),
                *(ToolCallDelta(index=index, arguments=piece) for piece in pieces),
            ]
        )
    events: list[Event] = []
    while any(queues):
        queue = draw(st.sampled_from([queue for queue in queues if queue]))
        events.append(queue.pop(0))
    return [Begin(id="x", model="m"), *events, Stop(reason="end"), End()]


def spoken(events: list[Event]) -> Answer:
    builder = AnswerBuilder()
    for event in events:
        builder.add(event)
    return builder.answer()


def wanted(events: list[Event]) -> tuple[str, str, dict[str, Any]]:
    """All text, all reasoning, and the arguments by call."""
    parts = spoken(events).choices[0].parts
    return (
        "".join(part.text for part in parts if isinstance(part, Text)),
        "".join(part.text for part in parts if isinstance(part, Thinking)),
        {part.id: json.loads(part.arguments) for part in parts if isinstance(part, ToolCall)},
    )


def data_of(dialect: str, events: list[Event]) -> list[dict[str, Any]]:
    written = encode(dialect, events).decode().split("\n\n")[:-1]
    return [json.loads(one.partition("data: ")[2]) for one in written if not one.endswith("[DONE]")]


@settings(max_examples=80, deadline=None)
@given(events=streams())
def test_anthropic_says_it_all_in_blocks_of_a_row(events: list[Event]) -> None:
    """Blocks do not overlap, count up, and hold what the provider said."""
    text = thought = ""
    calls: dict[str, str] = {}
    live: dict[str, Any] = {}
    count = 0
    for data in data_of("anthropic_messages", events):
        if data["type"] == "content_block_start":
            assert not live
            assert data["index"] == count
            live, count = data["content_block"], count + 1
            if live["type"] == "tool_use":
                calls[live["id"]] = ""
        elif data["type"] == "content_block_delta":
            assert data["index"] == count - 1
            delta = data["delta"]
            if live["type"] == "tool_use":
                calls[live["id"]] += delta["partial_json"]
            text += delta.get("text", "")
            thought += delta.get("thinking", "")
        elif data["type"] == "content_block_stop":
            live = {}
    assert (text, thought, {name: json.loads(said) for name, said in calls.items()}) == wanted(events)


@settings(max_examples=80, deadline=None)
@given(events=streams())
def test_chat_says_it_all(events: list[Event]) -> None:
    """Every piece, at its call."""
    text = thought = ""
    calls: dict[int, str] = {}
    for data in data_of("openai_chat", events):
        for choice in data["choices"]:
            delta = choice["delta"]
            text += delta.get("content") or ""
            thought += delta.get("reasoning_content") or ""
            for call in delta.get("tool_calls", ()):
                calls[call["index"]] = calls.get(call["index"], "") + call["function"]["arguments"]
    named = {f"c{index}": json.loads(said) for index, said in calls.items()}
    assert (text, thought, named) == wanted(events)


@settings(max_examples=80, deadline=None)
@given(events=streams())
def test_responses_say_it_all(events: list[Event]) -> None:
    """The deltas, the finished items and the final response agree."""
    seen = data_of("openai_responses", events)
    text = "".join(data["delta"] for data in seen if data["type"] == "response.output_text.delta")
    last = seen[-1]["response"]["output"]
    done = [data["item"] for data in seen if data["type"] == "response.output_item.done"]
    assert sorted(done, key=lambda item: int(item["id"].rpartition("_")[2])) == last
    thought = "".join(part["text"] for item in last for part in item.get("summary", ()))
    said = "".join(part["text"] for item in last for part in item.get("content", ()))
    calls = {
        item["call_id"]: json.loads(item["arguments"]) for item in last if item["type"] == "function_call"
    }
    assert said == text
    assert (text, thought, calls) == wanted(events)
