"""What retention and deletion ask of an engine. Their SQL stands once, plain enough for every engine, with `?` for values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from headgate.stores.audit import AuditEntry

__all__ = ["Change", "Keeper"]

Change = tuple[str, Sequence[Sequence[Any]]]
"""A statement, and the values of each time it is run."""


class Keeper(Protocol):
    """Reads and changes in small pieces, so that no writer waits long. All raise StoreUnavailable."""

    async def read(self, text: str, values: Sequence[Any] = ()) -> Sequence[Sequence[Any]]:
        """The rows that answer a question."""
        ...

    async def alter(self, text: str, values: Sequence[Any] = ()) -> int:
        """Run one statement; how many rows it was about."""
        ...

    async def change(
        self, changes: Sequence[Change], audit: AuditEntry | None = None, *, unlocked: str = ""
    ) -> None:
        """All of it in one transaction, with the audit's entry. unlocked: a table that is only added to otherwise, for so long."""
        ...

    async def segments(self, hashes: Sequence[str]) -> Mapping[int, Sequence[str]]:
        """Segment -> those of these contents that lie in it."""
        ...

    async def drop(self, segment: int, hashes: Sequence[str], used_before: int) -> int:
        """Make contents of a segment unreadable for good, in a transaction of its own, but for those that a request from
        `used_before` on has; how many were deleted."""
        ...

    async def scour(self, *, whole: bool) -> bool:
        """Have nothing of what was deleted stand in any file of the database any more, as far as the engine can.

        whole: write every table anew, which takes long and as much room again. False: others kept it from being done."""
        ...
