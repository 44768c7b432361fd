"""Who exports, and how far it has come: one mark in the database that all nodes see, moved only by whoever holds it."""

from __future__ import annotations

from headgate.core.clock import Clock
from headgate.stores.exports import ExportMark, ExportStore
from headgate.stores.spans import SpanStore

__all__ = ["CLAIM_SECONDS", "Claim"]

CLAIM_SECONDS = 60.0
"""How long a node that died keeps the others from going on; one that stops lets go at once."""
_NS = 1_000_000_000


class Claim:
    """One node's side of the mark `name`. All raise StoreUnavailable."""

    def __init__(
        self,
        name: str,
        exports: ExportStore,
        spans: SpanStore,
        clock: Clock,
        *,
        node: str,
        seconds: float = CLAIM_SECONDS,
    ) -> None:
        """node: a name that no other process has."""
        self._name = name
        self._exports = exports
        self._spans = spans
        self._clock = clock
        self._node = node
        self._ns = int(seconds * _NS)
        self._mark: ExportMark | None = None

    @property
    def position(self) -> int:
        """Up to where all is exported; of use while it is held."""
        return self._mark.position if self._mark is not None else 0

    async def hold(self) -> bool:
        """Take it, or keep it for longer. False: another node has it."""
        now, mine = self._clock.wall_ns(), self._mark
        if mine is not None:
            # Asked before every batch; written only when half of the time is over.
            return mine.until_ns - now > self._ns // 2 or await self._move(mine, mine.position)
        found = await self._exports.mark(self._name)
        if found is not None and found.holder not in ("", self._node) and found.until_ns > now:
            return False
        # What was stored before anybody asked for an export is history. A mark beyond the end is that of a database that
        # has been restored since.
        newest = (await self._spans.latest(1)).position
        return await self._move(found, newest if found is None else min(found.position, newest))

    async def move(self, position: int) -> bool:
        """All up to here is exported. False: another node has taken it, and may export the same again."""
        return self._mark is not None and await self._move(self._mark, position)

    async def let_go(self) -> None:
        """Let another node take it at once."""
        mine, self._mark = self._mark, None
        if mine is not None:
            await self._exports.move(self._name, mine, ExportMark(mine.position))

    async def _move(self, before: ExportMark | None, position: int) -> bool:
        after = ExportMark(position, self._node, self._clock.wall_ns() + self._ns)
        moved = await self._exports.move(self._name, before, after)
        self._mark = after if moved else None
        return moved
