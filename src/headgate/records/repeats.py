"""Prompts and answers that come again and again: a hit's are those of the request before it, so they are named, not written anew.

A name is only given to what this process wrote into its journal a moment ago. So the writer, who reads in order, has stored it
by then; and what is deleted meanwhile is written whole again before long.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from headgate.records.entries import Plain
from headgate.records.settling import hash_of

__all__ = ["Repeats"]

SECONDS: Final = 30.0
"""How long a content goes by its name before it is written whole again."""
_MOST: Final = 512
_LARGEST: Final = 64_000
"""Bytes; together with `_MOST` the bound of what is remembered."""


class Repeats:
    """What was written lately. Of the event loop's thread."""

    def __init__(self, now: Callable[[], float]) -> None:
        """now: monotonic seconds."""
        self._now = now
        self._written: OrderedDict[tuple[str, bytes], tuple[float, Plain | None]] = OrderedDict()

    def named(self, kind: str, data: bytes, size: int) -> Plain:
        """A content as a `Body` of the journal, by its name if it was written a moment ago. size: as `Body` has it."""
        body: Plain = [kind, data, size]
        if size != len(data) or size > _LARGEST:
            return body
        about = (kind, data)
        now = self._now()
        known = self._written.get(about)
        if known is None or now - known[0] > SECONDS:
            self._written[about] = now, None
            self._written.move_to_end(about)
            if len(self._written) > _MOST:
                self._written.popitem(last=False)
            return body
        name = known[1]
        if name is None:
            name = [kind, b"", size, hash_of(kind, data, size)]
            self._written[about] = known[0], name
        return name

    def clear(self) -> None:
        """Contents were deleted."""
        self._written.clear()
