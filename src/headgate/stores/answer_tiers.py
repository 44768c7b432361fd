"""Entries kept by an engine, with those asked for lately in the memory of this process before it.

What is put waits in memory until it is written, in batches, and is at hand meanwhile. Every engine numbers what is removed. A
batch says of which removals its node has heard, and is turned away if there are later ones: then the node hears of them, lets go
of what they mean, and comes again with the rest. So nothing that was put before a removal is written after it. What is at hand is
given only as long as this node has heard from the engine within a second.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from headgate.core.tasks import ended
from headgate.stores.answer_at_hand import AtHand
from headgate.stores.answer_backing import Backing
from headgate.stores.answer_choice import Choice
from headgate.stores.answer_fetching import Fetching
from headgate.stores.answer_groups import Groups
from headgate.stores.answer_hearing import Hearing
from headgate.stores.answer_presence import Known
from headgate.stores.answer_reach import Reach, to_its_end
from headgate.stores.answer_writing import Writing
from headgate.stores.answers import (
    CacheEntry,
    Judgement,
    Near,
    Popular,
    Removal,
    Selection,
    Sizes,
)
from headgate.stores.errors import StoreUnavailable

__all__ = ["TieredAnswers"]

log = logging.getLogger("headgate.cache")

_START_SECONDS = 1.0
_GOODBYE_SECONDS = 2.0
_SOME = 20


class TieredAnswers:
    """See `AnswerStore`. One event loop uses it."""

    def __init__(
        self,
        backing: Backing,
        *,
        memory_bytes: int,
        most_bytes: int,
        alone: bool = False,
        now_ns: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """memory_bytes: for what is at hand. most_bytes: what the engine keeps. alone: hardly anybody else writes there, so that this
        process knows which keys there are."""
        self.backing = backing
        self.on_removed: Callable[[], None] | None = None
        """Called when somebody, on any node, has answers removed: others may be kept elsewhere in this process."""
        self._most = most_bytes
        self._reach = Reach(monotonic)
        self._hand = AtHand(
            memory_bytes, most_bytes, now_ns=now_ns, monotonic=monotonic, on_removed=self._was_removed
        )
        self._known = Known() if alone else None
        self._groups = Groups(backing, memory_bytes)
        self._fetching = Fetching(backing, self._hand, self._groups, self._reach)
        self._hearing = Hearing(backing, self._hand, self._groups, self._known, self._reach, monotonic)
        self._writing = Writing(backing, self._hand, self._hearing, self._reach, monotonic)
        self._tasks: list[asyncio.Task[None]] = []
        self._closed = False

    # On the way of requests

    def at_hand(self, key: bytes) -> CacheEntry | None:
        """See `AnswerStore`."""
        return self._hand.get(key)

    @property
    def knows_all(self) -> bool:
        """See `AnswerStore`."""
        return False

    def absent(self, key: bytes) -> bool:
        """See `AnswerStore`."""
        return self._known is not None and self._known.absent(key)

    async def get(self, key: bytes) -> CacheEntry | None:
        """See `AnswerStore`."""
        found = self.at_hand(key)
        if found is not None or self.absent(key):
            return found
        return await self._fetching.get(key)

    def put(self, entry: CacheEntry) -> None:
        """See `AnswerStore`."""
        if self._closed or not self._hand.put(entry):
            return
        if self._known is not None:
            self._known.add((entry.key,))
        self._groups.put(entry)
        self._writing.has_come()
        self._begin()

    async def nearest(self, compat: bytes, embedder: str, vector: bytes, count: int) -> Sequence[Near]:
        """See `AnswerStore`."""
        return await self._fetching.nearest(compat, embedder, vector, count)

    def hit(self, key: bytes, at_ns: int) -> None:
        """See `AnswerStore`."""
        self._writing.hits.note(key, at_ns)

    # What people do

    async def remove(self, which: Selection, *, dry_run: bool = False) -> Removal:
        """See `AnswerStore`."""
        choice, hand = Choice(which), self._hand
        await self._writing.flushed()
        here = hand.only_here(choice)
        so_far = Removal(len(here), sum(slot.bytes for slot in here), _newest([slot.entry for slot in here]))
        if dry_run:
            return await self._remove(choice, so_far, dry_run=True)
        hand.let_go(choice)
        await self._hearing.announce(which)
        # What was put or has arrived since the first time. What is put from now on is new, and stays.
        hand.let_go(choice)
        hand.removals.begin(choice)
        try:
            removed = await self._remove(choice, so_far, dry_run=False)
            if removed.entries > so_far.entries:
                # Whoever heard of it while the engine still had them may have read them again.
                await self._hearing.announce(which)
            return removed
        finally:
            hand.removals.end(choice)

    async def _remove(self, choice: Choice, so_far: Removal, *, dry_run: bool) -> Removal:
        """From the engine, in pieces."""
        entries, size, some, after = so_far.entries, so_far.bytes, list(so_far.some), b""
        while True:
            piece = await self._reach.asked(self.backing.chosen(choice, after))
            entries += len(piece.entries)
            size += sum(each for _, each in piece.entries)
            if piece.entries and not dry_run:
                await self._reach.asked(self.backing.drop([entry.key for entry, _ in piece.entries]))
            some = _newest([*some, *(entry for entry, _ in piece.entries)])
            if piece.after is None:
                return Removal(entries, size, some)
            after = piece.after

    async def browse(
        self, which: Selection, *, order: Literal["hits", "newest"], limit: int, after: bytes = b""
    ) -> Sequence[Popular]:
        """See `AnswerStore`."""
        await self._writing.flushed()
        await self._reach.asked(self._writing.write_hits())
        return await self._reach.asked(self.backing.browse(Choice(which), order, limit, after))

    async def judge(self, judgements: Sequence[Judgement]) -> None:
        """See `AnswerStore`."""
        if judgements:
            await self._reach.asked(self.backing.judge(judgements))

    async def judgements(self, keys: Sequence[bytes]) -> Mapping[bytes, Sequence[Judgement]]:
        """See `AnswerStore`."""
        self._reach.may_ask()
        return await to_its_end(self._reach.asked(self.backing.judgements(keys))) if keys else {}

    async def judged(self, feature: str | None, since_ns: int, limit: int) -> Sequence[Judgement]:
        """See `AnswerStore`."""
        return await self._reach.asked(self.backing.judged(feature, since_ns, limit))

    async def unlearn(self, request_ids: Sequence[int]) -> None:
        """See `AnswerStore`."""
        if request_ids:
            await self._reach.asked(self.backing.unlearn(request_ids))

    async def sizes(self) -> Sizes:
        """See `AnswerStore`."""
        held = await self._reach.asked(self.backing.held())
        return Sizes(held.entries, held.bytes, self._most, self.backing.evicted)

    # Beginning and end

    async def start(self) -> None:
        """See `AnswerStore`."""
        self._begin()
        try:
            async with asyncio.timeout(_START_SECONDS):
                await self._hearing.hear()
        except (TimeoutError, StoreUnavailable) as error:
            self._reach.note_away(error)

    async def aclose(self) -> None:
        """See `AnswerStore`."""
        if self._tasks and not self._closed:
            try:
                async with asyncio.timeout(_GOODBYE_SECONDS):
                    await self._writing.finished()
            except (TimeoutError, StoreUnavailable):
                if self._hand.waiting:
                    log.warning("%d answers could not be kept any more", len(self._hand.waiting))
        self._closed = True
        tasks, self._tasks = self._tasks, []
        await ended(*tasks)
        await self._fetching.aclose()
        await self._groups.aclose()
        self._hand.close()
        await self.backing.aclose()

    def _begin(self) -> None:
        if not self._tasks and not self._closed:
            keep, away, full = self._reach.keep, self._reach.note_away, self._reach.note_full
            self._tasks = [
                asyncio.create_task(keep(self._hearing.keep, away), name="cache hears"),
                asyncio.create_task(keep(self._writing.keep_writing, full), name="cache writes"),
                asyncio.create_task(keep(self._writing.keep_tidy, full), name="cache tidies"),
            ]

    def _was_removed(self) -> None:
        if self.on_removed is not None:
            self.on_removed()


def _newest(entries: list[CacheEntry]) -> list[CacheEntry]:
    return sorted(entries, key=lambda entry: -entry.made_ns)[:_SOME]
