"""What is read by comparing says what reading in full says."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from headgate.core.events import TextDelta
from headgate.providers.wires.anthropic_messages.streaming import MessagesDecoder
from headgate.providers.wires.openai_chat.stream import ChatStream
from headgate.providers.wires.repeating import RepeatingText

__all__: list[str] = []


def chat(words: str, *, ascii_only: bool = True, **more: object) -> bytes:
    choice = {"index": 0, "delta": {"content": words}, "finish_reason": None}
    chunk = {"id": "c", "model": "m", "choices": [choice], **more}
    return b"data: " + json.dumps(chunk, ensure_ascii=ascii_only).encode() + b"\n\n"


def claude(words: str, *, ascii_only: bool = True) -> bytes:
    event = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": words}}
    data = json.dumps(event, ensure_ascii=ascii_only).encode()
    return b"event: content_block_delta\ndata: " + data + b"\n\n"


def said(decoder: ChatStream | MessagesDecoder, data: bytes) -> list[str]:
    frame = decoder.feed(data)
    return [event.text for event in (frame.events if frame else ()) if isinstance(event, TextDelta)]


text = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)


@given(st.lists(text, min_size=3, max_size=8), st.booleans())
def test_every_chunk_of_a_chat_says_its_own_words(pieces: list[str], ascii_only: bool) -> None:
    """Escapes, quotes and other scripts too; the shape is learned from the first ones."""
    decoder = ChatStream()
    for piece in ["one ", "two ", *pieces]:
        assert said(decoder, chat(piece, ascii_only=ascii_only)) == [piece]


@given(st.lists(text, min_size=3, max_size=8), st.booleans())
def test_every_delta_of_a_message_says_its_own_words(pieces: list[str], ascii_only: bool) -> None:
    """The same on Anthropic's wire."""
    decoder = MessagesDecoder()
    for piece in ["one ", "two ", *pieces]:
        assert said(decoder, claude(piece, ascii_only=ascii_only)) == [piece]


def test_an_event_with_more_in_it_is_read_in_full() -> None:
    """Usage, another choice, two events at once: none of them is like the one learned."""
    decoder = ChatStream()
    for piece in ("one ", "two ", "three "):
        said(decoder, chat(piece))
    frame = decoder.feed(chat("four ", usage={"prompt_tokens": 3, "completion_tokens": 4}))
    assert frame is not None and len(frame.events) == 2
    assert said(decoder, chat("five ") + chat("six ")) == ["five ", "six "]


def test_after_the_stop_the_same_bytes_mean_nothing() -> None:
    """A choice that has stopped says no more, as when read in full."""
    decoder = ChatStream()
    for piece in ("one ", "two "):
        said(decoder, chat(piece))
    stop = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    decoder.feed(b"data: " + json.dumps(stop).encode() + b"\n\n")
    assert said(decoder, chat("three ")) == []


def test_bytes_that_are_no_string_are_not_taken_for_words() -> None:
    """A quote in the middle, a raw line break, half a character: all left to whoever reads in full."""
    shape = RepeatingText(b'"content":')
    shape.learn(b'data: {"content":"one"}\n\n', "one")
    assert shape.words(b'data: {"content":"two"}\n\n') == "two"
    for middle in (b'a","b":"c', b"a\nb", b"\xff", b"a\\", b"a\\u12"):
        assert shape.words(b'data: {"content":"' + middle + b'"}\n\n') is None


def test_words_that_stand_elsewhere_too_teach_nothing() -> None:
    """Which of the two are the words could not be told."""
    shape = RepeatingText(b'"content":')
    shape.learn(b'data: {"id":"one","content":"one"}\n\n', "one")
    assert shape.words(b'data: {"id":"one","content":"two"}\n\n') is None


def test_a_stream_that_never_repeats_itself_is_let_alone() -> None:
    """Whoever adds something new to each event costs eight lessons and no more."""
    shape = RepeatingText(b'"content":')
    for number in range(20):
        data = b'data: {"n":%d,"content":"w%d"}\n\n' % (number, number)
        assert shape.words(data) is None
        shape.learn(data, f"w{number}")
    shape.learn(b'data: {"content":"one"}\n\n', "one")
    assert shape.words(b'data: {"content":"two"}\n\n') is None
