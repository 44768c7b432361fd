"""Marks of exports, gone with the process."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from headgate.stores.backends.memory import MemorySpans
from headgate.stores.exports import ExportMark
from headgate.stores.spans import AttemptRow

__all__ = ["MemoryExports"]


class MemoryExports:
    """See `ExportStore`."""

    def __init__(self, spans: MemorySpans) -> None:
        self._spans = spans
        self._marks: dict[str, ExportMark] = {}

    async def mark(self, name: str) -> ExportMark | None:
        """See `ExportStore`."""
        return self._marks.get(name)

    async def move(self, name: str, before: ExportMark | None, after: ExportMark) -> bool:
        """See `ExportStore`."""
        if self._marks.get(name) != before:
            return False
        self._marks[name] = after
        return True

    async def attempts_of(self, request_ids: Collection[int]) -> Mapping[int, Sequence[AttemptRow]]:
        """See `ExportStore`."""
        found = {number: await self._spans.attempts(number) for number in request_ids}
        return {number: rows for number, rows in found.items() if rows}
