"""Streams and whole answers are two spellings of the same: folding one gives the other."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import ProviderFailed
from headgate.core.events import (
    AnswerBuilder,
    Begin,
    End,
    Event,
    Failure,
    OpaqueDelta,
    Stop,
    TextDelta,
    ThinkingDelta,
    ToolCallBegin,
    ToolCallDelta,
    UsageReport,
    events_of,
    is_content,
)
from headgate.core.messages import Answer, Choice, Text, Thinking, ToolCall
from headgate.core.usage import Usage

__all__: list[str] = []

words = st.text(min_size=1, max_size=12)


def _no_neighbours(parts: list[Any]) -> list[Any]:
    # Two texts in a row are one text in two pieces; so are two thoughts.
    kept: list[Any] = []
    for part in parts:
        if not kept or isinstance(part, ToolCall) or type(part) is not type(kept[-1]):
            kept.append(part)
    return kept


parts = st.lists(
    st.one_of(
        st.builds(lambda text: Text(text=text), words),
        st.builds(lambda text, mark: Thinking(text=text, signature=mark), words, st.text(max_size=4)),
        st.builds(
            lambda name, text: ToolCall(id=f"call_{name}", name=name, arguments=text),
            words,
            st.text(max_size=9),
        ),
    ),
    max_size=5,
).map(_no_neighbours)
choices = st.builds(
    lambda parts, reason: Choice(parts=parts, stop_reason=reason),
    parts,
    st.sampled_from(["end", "length", None]),
)
answers = st.builds(
    lambda choices, usage: Answer(id="a", model="m", created=7, choices=choices, usage=usage),
    st.lists(choices, min_size=1, max_size=3).filter(lambda found: found[-1].parts or found[-1].stop_reason),
    st.none() | st.just(Usage(input=1, output=2)),
)


def folded(events: list[Event]) -> Answer:
    builder = AnswerBuilder()
    for event in events:
        builder.add(event)
    return builder.answer()


@given(answers)
def test_an_answer_survives_being_a_stream(answer: Answer) -> None:
    """Parts, stops and usage."""
    assert msgspec.to_builtins(folded(events_of(answer))) == msgspec.to_builtins(answer)


@given(answers, st.integers(1, 4))
def test_the_size_of_pieces_makes_no_difference(answer: Answer, size: int) -> None:
    """Text and arguments may come character by character, those of several choices by turns."""
    pieces: list[Event] = []
    for event in events_of(answer):
        if isinstance(event, TextDelta):
            text = event.text
            pieces += [
                TextDelta(text=text[at : at + size], choice=event.choice) for at in range(0, len(text), size)
            ]
        elif isinstance(event, ToolCallDelta):
            text = event.arguments
            pieces += [
                ToolCallDelta(index=event.index, arguments=text[at : at + size], choice=event.choice)
                for at in range(0, len(text), size)
            ]
        else:
            pieces.append(event)
    assert msgspec.to_builtins(folded(pieces)) == msgspec.to_builtins(answer)


def test_choices_may_take_turns() -> None:
    """Each keeps its own text, in many pieces."""
    events: list[Event] = [Begin(id="a")]
    for number in range(400):
        events.append(TextDelta(text=f"{number} ", choice=number % 2))
    answer = folded(events)
    texts = [choice.parts[0].text for choice in answer.choices if isinstance(choice.parts[0], Text)]
    assert texts == ["".join(f"{number} " for number in range(start, 400, 2)) for start in (0, 1)]


def test_parallel_calls_may_interleave() -> None:
    """Pieces find their call by its index."""
    events: list[Event] = [
        ToolCallBegin(index=0, id="a", name="one"),
        ToolCallBegin(index=1, id="b", name="two"),
        ToolCallDelta(index=1, arguments="{"),
        ToolCallDelta(index=0, arguments="[1"),
        ToolCallDelta(index=1, arguments="}"),
        ToolCallDelta(index=0, arguments="]"),
        ToolCallDelta(index=9, arguments="of no call"),
    ]
    calls = [part for part in folded(events).choices[0].parts if isinstance(part, ToolCall)]
    assert [(call.name, call.arguments) for call in calls] == [("one", "[1]"), ("two", "{}")]


def test_a_broken_off_stream_can_be_asked_too() -> None:
    """What was said so far, without a stop; the failure is kept apart."""
    builder = AnswerBuilder()
    assert builder.answer().choices[0].parts == [] and not builder.stopped
    builder.add(TextDelta(text="so far"))
    builder.add(Failure(error=ProviderFailed("broke")))
    assert builder.answer().choices[0].stop_reason is None
    assert builder.failure is not None and builder.failure.message == "broke"


def test_usage_is_what_was_reported_last() -> None:
    """Reports are cumulative; the first beginning counts."""
    builder = AnswerBuilder()
    for event in (
        Begin(id="a"),
        Begin(id="b"),
        UsageReport(usage=Usage(output=1)),
        UsageReport(usage=Usage(output=5)),
    ):
        builder.add(event)
    assert builder.usage == Usage(output=5) and builder.answer().id == "a"


def test_what_commits_to_an_answer() -> None:
    """Something the caller sees; not marks, pings, usage or empty pieces."""
    seen: list[Event] = [
        TextDelta(text="x"),
        ThinkingDelta(text="x"),
        ToolCallBegin(index=0, id="a", name="n"),
        OpaqueDelta(wire="w", name="n", raw=b"", part=msgspec.Raw(b"{}")),
    ]
    unseen: list[Event] = [
        Begin(),
        TextDelta(text=""),
        OpaqueDelta(wire="w", name="ping", raw=b""),
        UsageReport(usage=Usage()),
        Stop(reason="end"),
        End(),
    ]
    assert all(map(is_content, seen)) and not any(map(is_content, unseen))
