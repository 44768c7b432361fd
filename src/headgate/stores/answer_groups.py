"""Indexes of neighbours for engines that have none: each group that is asked for is read once, and kept up from then on."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from headgate.core.tasks import ended
from headgate.stores.answer_backing import Backing
from headgate.stores.answer_reach import looked_at
from headgate.stores.answers import CacheEntry
from headgate.stores.nearness import Nearness

__all__ = ["Groups"]

MOST_GROUPS = 4_000
"""Most are small: the entries that share one history of a conversation."""
_GROUP_BYTES = 2_000
"""Of a group without vectors, about."""
_LARGE = 1_000_000
_COUNTED_EVERY = 64
"""Small groups that come before all are counted again."""

_Kind = tuple[bytes, str]


class _Group:
    def __init__(self) -> None:
        self.index = Nearness()
        self.reading: asyncio.Task[None] | None = None
        self.complete = False


class Groups:
    """See above. One event loop uses it. Whoever finds a key here that is nowhere any more tells it with `drop`."""

    def __init__(self, backing: Backing, most_bytes: int) -> None:
        """most_bytes: for all of them together. A group that is larger alone is not read to its end."""
        self._backing = backing
        self._most = most_bytes
        self._groups: OrderedDict[_Kind, _Group] = OrderedDict()
        self._uncounted = 0

    def put(self, entry: CacheEntry) -> None:
        """An entry has come. Those of groups that nobody has asked for are passed over."""
        group = self._groups.get((entry.compat, entry.embedder))
        if group is not None and entry.vector:
            group.index.add(entry.key, entry.compat, entry.embedder, entry.vector)

    def holds(self, compat: bytes, embedder: str) -> bool:
        """Is this group kept up here?"""
        return (compat, embedder) in self._groups

    def drop(self, compat: bytes, embedder: str, key: bytes) -> None:
        """An entry is gone."""
        group = self._groups.get((compat, embedder))
        if group is not None:
            group.index.remove(key)

    async def nearest(
        self, compat: bytes, embedder: str, vector: bytes, count: int
    ) -> Sequence[tuple[bytes, float]]:
        """The nearest keys. The first who asks for a group waits until it is read; it is read to its end also if they do not.
        Raises StoreUnavailable."""
        kind = (compat, embedder)
        group = self._groups.get(kind)
        if group is None:
            group = self._groups[kind] = _Group()
        self._groups.move_to_end(kind)
        if not group.complete:
            if group.reading is None:
                group.reading = asyncio.create_task(self._read(kind, group), name="answers to compare")
                group.reading.add_done_callback(looked_at)
            reading = group.reading
            await asyncio.wait([reading])
            if not reading.cancelled():
                reading.result()
        return await group.index.search(compat, embedder, vector, count)

    async def aclose(self) -> None:
        """Forget all."""
        groups, self._groups = list(self._groups.values()), OrderedDict()
        await ended(*(group.reading for group in groups))
        for group in groups:
            group.index.close()

    def clear(self) -> None:
        """Forget all; what is asked for next is read again."""
        for kind in list(self._groups):
            self._let_go(kind)

    async def _read(self, kind: _Kind, group: _Group) -> None:
        compat, embedder = kind
        after: bytes | None = b""
        try:
            while after is not None and group.index.held < self._most:
                piece = await self._backing.vectors(compat, embedder, after)
                for key, vector in piece.rows:
                    # What came meanwhile is newer than what was read.
                    if key not in group.index:
                        group.index.add(key, compat, embedder, vector)
                after = piece.after
                await asyncio.sleep(0)
            group.complete = True
        finally:
            group.reading = None
        self._uncounted += 1
        if group.index.held > _LARGE or self._uncounted >= _COUNTED_EVERY:
            self._uncounted = 0
            self._make_room(kind)

    def _make_room(self, newest: _Kind) -> None:
        size = sum(group.index.held + _GROUP_BYTES for group in self._groups.values())
        for kind in list(self._groups):
            if size <= self._most and len(self._groups) <= MOST_GROUPS:
                return
            if kind != newest and self._groups[kind].complete:
                size -= self._groups[kind].index.held + _GROUP_BYTES
                self._let_go(kind)

    def _let_go(self, kind: _Kind) -> None:
        group = self._groups.pop(kind)
        if group.reading is not None:
            group.reading.cancel()
        group.index.close()
