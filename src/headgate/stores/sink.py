"""The writing side of the span store: batches, each with the place in the journal it was read up to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from headgate.stores.filling import FILL_AT_ONCE
from headgate.stores.spans import AttemptRow, Content, RequestRow

__all__ = ["Batch", "Position", "SpanSink", "Use"]


class Position(msgspec.Struct, frozen=True, order=True):
    """A place in a journal: everything before it is stored. Ordered as the journal is."""

    segment: int = 0
    offset: int = 0


class Use(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What an attempt has taken from one pot."""

    attempt_id: int
    budget: str
    subject: str
    period: int
    nanos: int


class Batch(msgspec.Struct, kw_only=True):
    """What is stored together or not at all."""

    journal: str
    """Name of the journal it was read from."""
    position: Position
    requests: Sequence[RequestRow] = ()
    attempts: Sequence[AttemptRow] = ()
    contents: Sequence[Content] = ()
    uses: Sequence[Use] = ()
    """Added to what their pots have spent."""
    recovered: bool = False
    """Read from the journal of a process that is gone: parts of it may be stored already, and only what is new counts."""


class SpanSink(Protocol):
    """Stores batches. Called by one thread, which may wait. All raise StoreUnavailable; then nothing was stored."""

    def write(self, batch: Batch) -> None:
        """Store all of it and its position in one transaction. What is there already is left as it is, so that a
        journal may be read twice."""
        ...

    def fill(self, limit: int = FILL_AT_ONCE) -> bool:
        """Add up `limit` of the requests that were stored before anybody added up. True: there are more. Not while another thread
        writes."""
        ...

    def position(self, journal: str) -> Position:
        """How far this journal is stored; its beginning if it is not known."""
        ...

    def forget(self, journal: str) -> None:
        """The journal is stored to its end and about to be deleted."""
        ...

    def close(self) -> None:
        """Let go of the connection. Idempotent; a later call connects anew."""
        ...
