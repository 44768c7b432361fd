"""A piece of a reply: the provider's own bytes, and what they say."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from headgate.core.events import Event

__all__ = ["Frame"]


class Frame(msgspec.Struct, gc=False, eq=False):
    """One or more complete events of a stream, or one whole answer.

    `data` holds the provider's bytes untouched (a whole body, or whole SSE events); `events` what they mean.
    A stage that changes text makes a new Frame with `data` None: it is encoded afresh in the caller's dialect.
    Both may be empty of meaning (`events == []`, a ping): such bytes still pass when the wire is the caller's own.
    """

    data: bytes | None
    events: Sequence[Event]

    def __repr__(self) -> str:
        size = "edited" if self.data is None else f"{len(self.data)} bytes"
        return f"<Frame {size}, {[type(e).__name__ for e in self.events]}>"
