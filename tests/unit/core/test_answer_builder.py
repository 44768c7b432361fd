"""A stream folded back into the answer it spells."""

from __future__ import annotations

import msgspec

from headgate.core.events import (
    AnswerBuilder,
    Begin,
    End,
    Event,
    OpaqueDelta,
    Stop,
    TextDelta,
    ThinkingDelta,
    ToolCallBegin,
    ToolCallDelta,
    events_of,
)
from headgate.core.messages import Answer, Choice, Opaque, Text, Thinking, ToolCall


def folded(*events: Event) -> Answer:
    builder = AnswerBuilder()
    for event in events:
        builder.add(event)
    return builder.answer()


def test_each_signed_thought_stays_a_part_of_its_own() -> None:
    """A signature vouches for its own block alone, so two blocks in a row are never joined."""
    answer = folded(
        ThinkingDelta(text="fir"),
        ThinkingDelta(text="st"),
        ThinkingDelta(signature="s1"),
        ThinkingDelta(text="second"),
        ThinkingDelta(signature="s2"),
        TextDelta(text="so"),
    )
    assert answer.choices[0].parts == [
        Thinking(text="first", signature="s1"),
        Thinking(text="second", signature="s2"),
        Text(text="so"),
    ]


def test_a_redacted_thought_stands_between_its_neighbours() -> None:
    """Ciphertext is never joined with readable thoughts, before or behind it."""
    answer = folded(ThinkingDelta(text="a"), ThinkingDelta(redacted="xyz"), ThinkingDelta(text="b"))
    assert answer.choices[0].parts == [Thinking(text="a"), Thinking(redacted="xyz"), Thinking(text="b")]


def test_choices_that_take_turns_keep_one_text_each() -> None:
    """With n = 2 the pieces of both answers arrive mixed; each answer is still one text."""
    answer = folded(
        TextDelta(text="a", choice=0),
        TextDelta(text="x", choice=1),
        TextDelta(text="b", choice=0),
        TextDelta(text="y", choice=1),
    )
    assert [choice.parts for choice in answer.choices] == [[Text(text="ab")], [Text(text="xy")]]


def test_another_kind_of_part_ends_the_text_of_its_own_choice_only() -> None:
    """A tool call, a thought or a foreign part splits the text it stands in, and no other choice's."""
    answer = folded(
        TextDelta(text="a", choice=0),
        TextDelta(text="x", choice=1),
        ToolCallBegin(index=0, id="c", name="f", choice=0),
        ToolCallDelta(index=0, arguments="{}", choice=0),
        TextDelta(text="b", choice=0),
        TextDelta(text="y", choice=1),
        ThinkingDelta(text="hm", choice=1),
        TextDelta(text="z", choice=1),
        OpaqueDelta(wire="w", name="", raw=b"", part=msgspec.Raw(b"{}")),
        TextDelta(text="c", choice=0),
    )
    assert answer.choices[0].parts == [
        Text(text="a"),
        ToolCall(id="c", name="f", arguments="{}"),
        Text(text="b"),
        Opaque(wire="w", raw=msgspec.Raw(b"{}")),
        Text(text="c"),
    ]
    assert answer.choices[1].parts == [Text(text="xy"), Thinking(text="hm"), Text(text="z")]


def test_fields_of_one_vendor_keep_the_name_of_their_wire() -> None:
    """Only with it can the same family put them back; an answer taken apart and folded again is the same."""
    answer = Answer(
        id="r1",
        model="m",
        choices=[Choice(parts=[Text(text="hi")], stop_reason="end")],
        extra={"service_tier": msgspec.Raw(b'"flex"')},
        extra_wire="openai.chat",
    )
    assert folded(*events_of(answer)) == answer


def test_a_broken_off_stream_still_gives_what_was_said() -> None:
    """What a caller has seen can be recorded, with nothing said about why it stopped."""
    builder = AnswerBuilder()
    for event in (Begin(id="r1", model="m"), TextDelta(text="half")):
        builder.add(event)
    assert builder.answer().text == "half"
    assert builder.answer().choices[0].stop_reason is None
    builder.add(Stop(reason="end"))
    builder.add(End())
    assert builder.stopped


def test_words_that_wait_come_after_the_events_that_wait() -> None:
    """Whoever has no time leaves both behind; the answer is the same as of what is told one by one."""
    builder = AnswerBuilder()
    builder.waiting += [Begin(id="a"), TextDelta(text="one ")]
    builder.words += ["two ", "three"]
    assert builder.answer() == folded(Begin(id="a"), TextDelta(text="one two three"))
    builder.fold()
    assert not builder.waiting and not builder.words
    assert builder.answer().text == "one two three"
