"""A piece of a reply: the provider's own bytes, and what they say."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.core.events import Event, TextDelta

__all__ = ["Frame"]


class Frame:
    """One or more complete events of a stream, or one whole answer.

    `data` holds the provider's bytes untouched (a whole body, or whole SSE events); `events` what they mean.
    A stage that changes text makes a new Frame with `data` None: it is encoded afresh in the caller's dialect.
    Both may be empty of meaning (`events == []`, a ping): such bytes still pass when the wire is the caller's own.
    """

    __slots__ = ("_events", "data", "words")

    def __init__(
        self, data: bytes | None, events: Sequence[Event] | None = None, *, words: str | None = None
    ) -> None:
        """words: in place of `events`, where all that is said is a piece of the first choice's text, as in nearly every
        frame of a stream. Whoever reads `words` spares the event, which is made for those who ask for it."""
        self.data = data
        self.words = words
        self._events = events

    @property
    def events(self) -> Sequence[Event]:
        """What it says, in order."""
        events = self._events
        if events is None:
            words = self.words
            events = self._events = () if words is None else (TextDelta(text=words),)
        return events

    def __repr__(self) -> str:
        size = "edited" if self.data is None else f"{len(self.data)} bytes"
        return f"<Frame {size}, {[type(e).__name__ for e in self.events]}>"
