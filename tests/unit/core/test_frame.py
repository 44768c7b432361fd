"""A piece of a stream, of which mostly nobody asks for the events."""

from __future__ import annotations

from headgate.core.events import End, TextDelta
from headgate.core.frame import Frame

__all__: list[str] = []


def test_a_frame_of_words_says_them_as_an_event_to_whoever_asks() -> None:
    """Of the first choice, and the same event each time: some stages change what they are given."""
    frame = Frame(b"data: x\n\n", words="water ")
    assert list(frame.events) == [TextDelta(text="water ")]
    assert frame.events[0] is frame.events[0]
    assert repr(frame) == "<Frame 9 bytes, ['TextDelta']>"


def test_a_frame_of_events_has_no_words() -> None:
    """Whoever reads `words` alone would miss them; a ping says nothing at all."""
    frame = Frame(None, [TextDelta(text="water "), End()])
    assert frame.words is None and len(frame.events) == 2
    assert repr(frame) == "<Frame edited, ['TextDelta', 'End']>"
    assert list(Frame(b": ping\n\n").events) == []
