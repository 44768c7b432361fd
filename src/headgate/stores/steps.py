"""Work on a database that is the same on every engine, step by step: a generator that asks and is sent what was answered.

So a rule is written down once, and an engine says only how it asks: in a thread that waits, or on an event loop.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, NamedTuple, TypeVar

__all__ = ["Ask", "AskEach", "Rows", "Steps"]

T = TypeVar("T")


class Ask(NamedTuple):
    """SQL that is plain enough for every engine."""

    text: str
    values: Sequence[Any] = ()
    """One for each `?`."""
    keys: Sequence[bytes] | None = None
    """For an `IN ?`, which comes before every other `?`."""


class AskEach(NamedTuple):
    """The same SQL for each row of values. Nothing is answered."""

    text: str
    rows: Sequence[Sequence[Any]]


Rows = Sequence[Sequence[Any]]
"""What was answered; () by what changes something."""
Steps = Generator[Ask | AskEach, Rows, T]
"""Once through, on one connection."""
