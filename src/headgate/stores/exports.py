"""What was exported of the records, and by whom: a mark that all nodes of an installation share, moved by one of them at a time."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import msgspec

from headgate.stores.spans import AttemptRow

__all__ = ["ExportMark", "ExportStore", "by_request"]


class ExportMark(msgspec.Struct, frozen=True):
    """How far an export has come, and who is at it."""

    position: int
    """As `SpanStore.after` counts: what is stored up to here is exported, or given up."""
    holder: str = ""
    """The node that exports; nobody else does before `until_ns`."""
    until_ns: int = 0
    """Wall clock."""


class ExportStore(Protocol):
    """Keeps marks, by name, and reads what an export needs. All raise StoreUnavailable."""

    async def mark(self, name: str) -> ExportMark | None:
        """The mark; None if there never was one."""
        ...

    async def move(self, name: str, before: ExportMark | None, after: ExportMark) -> bool:
        """Replace the mark, if it still is `before`. False: somebody else has moved it, and it stays."""
        ...

    async def attempts_of(self, request_ids: Collection[int]) -> Mapping[int, Sequence[AttemptRow]]:
        """The attempts of these requests, in order; requests without any are left out."""
        ...


def by_request(rows: Sequence[AttemptRow]) -> Mapping[int, Sequence[AttemptRow]]:
    """Rows that lie in order, by their request."""
    found: dict[int, list[AttemptRow]] = {}
    for row in rows:
        found.setdefault(row.request_id, []).append(row)
    return found
