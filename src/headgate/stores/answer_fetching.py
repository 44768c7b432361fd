"""Entries from the engine: by key, where those who ask for the same share one question, and by nearness."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from headgate.core.tasks import ended
from headgate.stores.answer_at_hand import AtHand
from headgate.stores.answer_backing import Backing
from headgate.stores.answer_groups import Groups
from headgate.stores.answer_reach import Reach, looked_at, to_its_end
from headgate.stores.answers import CacheEntry, Near
from headgate.stores.errors import StoreUnavailable

__all__ = ["Fetching"]

_MOST_FETCHING = 500
_LOOKS = 3
"""Times that neighbours are looked for, if some of those found are gone."""


class Fetching:
    """See above. One event loop uses it. All raise StoreUnavailable."""

    def __init__(self, backing: Backing, hand: AtHand, groups: Groups, reach: Reach) -> None:
        self._backing = backing
        self._hand = hand
        self._groups = groups
        self._reach = reach
        self._fetching: dict[bytes, asyncio.Task[CacheEntry | None]] = {}

    async def get(self, key: bytes) -> CacheEntry | None:
        """An entry that is not at hand."""
        task = self._fetching.get(key)
        if task is None:
            self._reach.may_ask()
            if len(self._fetching) >= _MOST_FETCHING:
                raise StoreUnavailable(f"{_MOST_FETCHING} answers are being looked for already")
            # Who waits may give up soon; the answer comes all the same, and is at hand for the next.
            task = asyncio.create_task(self._fetch_one(key), name="answer")
            self._fetching[key] = task
            task.add_done_callback(lambda done: self._fetched(key, done))
        return await asyncio.shield(task)

    async def nearest(self, compat: bytes, embedder: str, vector: bytes, count: int) -> Sequence[Near]:
        """See `AnswerStore`."""
        self._reach.may_ask()
        return await to_its_end(self._nearest(compat, embedder, vector, count))

    async def aclose(self) -> None:
        """Give up what is being looked for."""
        await ended(*self._fetching.values())

    async def _nearest(self, compat: bytes, embedder: str, vector: bytes, count: int) -> Sequence[Near]:
        own = await self._reach.asked(self._backing.nearest(compat, embedder, vector, count))
        private, found = self._hand.private, list[tuple[bytes, float]]()
        entries: dict[bytes, CacheEntry] = {}
        for _ in range(_LOOKS):
            found = list(
                own if own is not None else await self._groups.nearest(compat, embedder, vector, count)
            )
            hidden = await private.search(compat, embedder, vector, count)
            if hidden:
                found = sorted([*found, *hidden], key=lambda each: -each[1])[:count]
            entries = {
                # A newer answer of the same key may have come without a vector, or with that of another embedder.
                key: entry
                for key, entry in (await self._entries([key for key, _ in found])).items()
                if entry.compat == compat and entry.embedder == embedder and entry.vector
            }
            missing = [key for key, _ in found if key not in entries]
            for key in missing:
                self._groups.drop(compat, embedder, key)
                private.remove(key)
            if not missing:
                break
        return [Near(entries[key], cosine) for key, cosine in found if key in entries]

    async def _entries(self, keys: Sequence[bytes]) -> dict[bytes, CacheEntry]:
        at_hand = {key: entry for key in keys if (entry := self._hand.get(key)) is not None}
        missing = [key for key in keys if key not in at_hand]
        return {**at_hand, **await self._fetch(missing)} if missing else at_hand

    async def _fetch(self, keys: Sequence[bytes]) -> dict[bytes, CacheEntry]:
        before = self._hand.removals.count
        return self._hand.take(await self._reach.asked(self._backing.fetch(keys)), before)

    async def _fetch_one(self, key: bytes) -> CacheEntry | None:
        return (await self._fetch([key])).get(key)

    def _fetched(self, key: bytes, task: asyncio.Task[CacheEntry | None]) -> None:
        self._fetching.pop(key, None)
        looked_at(task)
