"""Answers in the memory of this process alone; gone when it ends."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from headgate.stores.answer_choice import Choice
from headgate.stores.answer_shelf import Shelf, Slot
from headgate.stores.answers import (
    MOST_JUDGEMENTS,
    CacheEntry,
    Judgement,
    Near,
    Popular,
    Removal,
    Selection,
    Sizes,
)
from headgate.stores.nearness import Nearness

__all__ = ["MemoryAnswers"]

_MOST_JUDGED = 10_000
"""Judgements in all."""
_SOME = 20


class MemoryAnswers:
    """See `AnswerStore`."""

    def __init__(self, most_bytes: int, *, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._shelf = Shelf(most_bytes, now_ns=now_ns)
        self._index = Nearness()
        self.on_removed: Callable[[], None] | None = None
        """Called when somebody has answers removed: others may be kept elsewhere in this process."""
        self._judged: deque[Judgement] = deque()
        self._lessons: dict[bytes, deque[Judgement]] = {}

    def at_hand(self, key: bytes) -> CacheEntry | None:
        """See `AnswerStore`."""
        return self._shelf.get(key)

    @property
    def knows_all(self) -> bool:
        """See `AnswerStore`."""
        return True

    def absent(self, key: bytes) -> bool:
        """See `AnswerStore`."""
        return self._shelf.peek(key) is None

    async def get(self, key: bytes) -> CacheEntry | None:
        """See `AnswerStore`."""
        return self._shelf.get(key)

    def put(self, entry: CacheEntry) -> None:
        """See `AnswerStore`."""
        if self._shelf.put(entry) and entry.vector:
            self._index.add(entry.key, entry.compat, entry.embedder, entry.vector)
        else:
            self._index.remove(entry.key)

    async def nearest(self, compat: bytes, embedder: str, vector: bytes, count: int) -> Sequence[Near]:
        """See `AnswerStore`."""
        found: list[Near] = []
        # What was pushed off the shelf or is over is still in the index until somebody comes upon it.
        while True:
            gone = False
            for key, cosine in await self._index.search(compat, embedder, vector, count):
                slot = self._shelf.peek(key)
                if slot is None:
                    self._index.remove(key)
                    gone = True
                else:
                    found.append(Near(slot.entry, cosine))
            if not gone:
                return found
            found.clear()

    def hit(self, key: bytes, at_ns: int) -> None:
        """See `AnswerStore`."""
        slot = self._shelf.peek(key)
        if slot is not None:
            slot.hits += 1
            slot.last_ns = max(slot.last_ns, at_ns)
            self._shelf.get(key)

    async def remove(self, which: Selection, *, dry_run: bool = False) -> Removal:
        """See `AnswerStore`."""
        choice = Choice(which)
        chosen = [slot for slot in self._shelf if choice(slot.entry)]
        if not dry_run:
            for slot in chosen:
                self._shelf.drop(slot.entry.key)
                self._index.remove(slot.entry.key)
            if self.on_removed is not None:
                self.on_removed()
        newest = sorted(chosen, key=lambda slot: -slot.entry.made_ns)[:_SOME]
        return Removal(len(chosen), sum(slot.bytes for slot in chosen), [slot.entry for slot in newest])

    async def browse(
        self, which: Selection, *, order: Literal["hits", "newest"], limit: int, after: bytes = b""
    ) -> Sequence[Popular]:
        """See `AnswerStore`."""
        choice = Choice(which)
        by = _by_hits if order == "hits" else _by_age
        slots = sorted((slot for slot in self._shelf if choice(slot.entry)), key=by)
        if after:
            last = self._shelf.peek(after)
            slots = [slot for slot in slots if last is not None and by(slot) > by(last)]
        return [Popular(slot.entry, slot.hits, slot.last_ns) for slot in slots[:limit]]

    async def judge(self, judgements: Sequence[Judgement]) -> None:
        """See `AnswerStore`."""
        for each in judgements:
            self._judged.append(each)
            some = self._lessons.setdefault(each.key, deque())
            some.append(each)
            if len(some) > MOST_JUDGEMENTS:
                some.popleft()
        while len(self._judged) > _MOST_JUDGED:
            oldest = self._judged.popleft()
            some = self._lessons.get(oldest.key, deque())
            if some and some[0] is oldest:
                some.popleft()
            if not some:
                self._lessons.pop(oldest.key, None)

    async def judgements(self, keys: Sequence[bytes]) -> Mapping[bytes, Sequence[Judgement]]:
        """See `AnswerStore`."""
        return {key: list(self._lessons[key]) for key in keys if key in self._lessons}

    async def judged(self, feature: str | None, since_ns: int, limit: int) -> Sequence[Judgement]:
        """See `AnswerStore`."""
        found = [
            each
            for each in reversed(self._judged)
            if each.at_ns >= since_ns and (feature is None or each.feature == feature)
        ]
        return sorted(found, key=lambda each: -each.at_ns)[:limit]

    async def unlearn(self, request_ids: Sequence[int]) -> None:
        """See `AnswerStore`."""
        gone = set(request_ids) - {0}
        left = [each for each in self._judged if each.request_id not in gone]
        self._judged.clear()
        self._lessons.clear()
        await self.judge(left)

    async def sizes(self) -> Sizes:
        """See `AnswerStore`."""
        shelf = self._shelf
        return Sizes(len(shelf), shelf.bytes, shelf.most_bytes, shelf.evicted)

    async def start(self) -> None:
        """See `AnswerStore`."""

    async def aclose(self) -> None:
        """See `AnswerStore`."""
        self._shelf.clear()
        self._index.close()


def _by_hits(slot: Slot) -> tuple[int, bytes]:
    return -slot.hits, slot.entry.key


def _by_age(slot: Slot) -> tuple[int, bytes]:
    return -slot.entry.made_ns, slot.entry.key
