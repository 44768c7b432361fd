"""What a gateway and its record writer's process say to each other, a line of JSON each time."""

from __future__ import annotations

import msgspec

from headgate.records.writer import WriterCounters
from headgate.stores.sink import Position

__all__ = ["Follow", "Order", "Standing"]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """The first line to the writer: what it shall follow, and where to."""

    database: str
    """As `server.database`."""
    data: str
    """As `server.data`."""
    directory: str
    """The journal's."""
    journal: str
    """Its name."""
    segment_bytes: int
    again: bool
    """A writer before this one has died: parts of the journal may be stored already."""
    log_level: str
    log_format: str


class Follow(msgspec.Struct, frozen=True, kw_only=True):
    """Every further line to it."""

    end: Position
    """Up to where the journal may be read."""
    lost: list[int] = []
    """Requests whose end was dropped since the last line."""
    stop_within: float | None = None
    """Store what is left for up to so many seconds, and end."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A line from it."""

    stored: Position
    ready: bool
    failed: str
    """Why the last batch could not be stored; "" when all is well."""
    counters: WriterCounters
    done: bool | None = None
    """Last words: is everything stored, and the journal deleted?"""
