"""Answers in the tables of a database: `Backing` for whatever engine can walk the steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol, TypeVar

from headgate.stores import answer_steps as steps
from headgate.stores import judgement_steps as lessons
from headgate.stores.answer_backing import Chosen, Held, News, Vectors
from headgate.stores.answer_choice import Choice
from headgate.stores.answers import CacheEntry, Judgement, Popular, Selection
from headgate.stores.steps import Steps

__all__ = ["AnswerEngine", "AnswerTable", "Look"]

T = TypeVar("T")

Look = Literal["one", "group", "all"]
"""At what a request waits for; at a group, for which one waits now and then; at all entries, for which people wait."""

_JUDGEMENTS_EVERY_NS = 3_600 * 10**9
"""Between two looks for judgements that are too old."""


class AnswerEngine(Protocol):
    """A database with the tables of answers. All raise StoreUnavailable, and soon, when it is away."""

    async def look(self, steps: Steps[T], at: Look) -> T:
        """Nothing is changed. Who looks at one waits for nobody who looks at all."""
        ...

    async def look_at_once(self, steps: Steps[T]) -> T:
        """At one, and all that is read is of one moment."""
        ...

    async def change(self, steps: Steps[T], *, overwrite: bool = False) -> T:
        """Whole or not at all, and nobody else changes answers meanwhile, on no node. overwrite: what is deleted, where that can be."""
        ...

    async def put(self, steps: Steps[tuple[int, int]], entries: Sequence[CacheEntry]) -> tuple[int, int]:
        """Change; the entries can be found by their vectors afterwards, if the first number says that they were written."""
        ...

    async def nearest(
        self, compat: bytes, embedder: str, vector: bytes, count: int
    ) -> Sequence[tuple[bytes, float]] | None:
        """See `Backing`."""
        ...

    async def catch_up(self) -> int:
        """A piece of those that cannot be found by their vectors yet. How many it were."""
        ...

    async def aclose(self) -> None:
        """Let go of what is its own. Idempotent."""
        ...


class AnswerTable:
    """See `Backing`."""

    def __init__(
        self, engine: AnswerEngine, most_bytes: int, *, now_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self.engine = engine
        self.evicted = 0
        self._most = most_bytes
        self._now_ns = now_ns
        self._judgements_due_ns = 0

    async def news(self, removed: int, written: int) -> News:
        """See `Backing`."""
        room = await self.engine.look(steps.room(), "one")
        if room.removed == removed and room.written == written:
            return News(removed=removed, written=written)
        return await self.engine.look_at_once(steps.news(removed, written))

    async def fetch(self, keys: Sequence[bytes]) -> Sequence[CacheEntry]:
        """See `Backing`."""
        return await self.engine.look(steps.fetch(keys, self._now_ns()), "one")

    async def write(self, entries: Sequence[tuple[CacheEntry, int]], removed: int) -> int:
        """See `Backing`."""
        writing = steps.write(entries, removed, self._now_ns(), self._most)
        number, gone = await self.engine.put(writing, [entry for entry, _ in entries])
        self.evicted += gone
        return number

    async def note_hits(self, hits: Mapping[bytes, tuple[int, int]]) -> None:
        """See `Backing`."""
        await self.engine.change(steps.note_hits(hits))

    async def announce(self, which: Selection) -> int:
        """See `Backing`."""
        return await self.engine.change(steps.announce(which))

    async def chosen(self, choice: Choice, after: bytes) -> Chosen:
        """See `Backing`."""
        return await self.engine.look(steps.chosen(choice, after), "all")

    async def drop(self, keys: Sequence[bytes]) -> None:
        """See `Backing`."""
        # What was removed shall not stand in a page that is free now.
        await self.engine.change(steps.drop(keys), overwrite=True)

    async def keys(self, after: bytes) -> tuple[Sequence[bytes], bytes | None]:
        """See `Backing`."""
        return await self.engine.look(steps.keys(after), "all")

    async def vectors(self, compat: bytes, embedder: str, after: bytes) -> Vectors:
        """See `Backing`."""
        return await self.engine.look(steps.vectors(compat, embedder, after), "group")

    async def nearest(
        self, compat: bytes, embedder: str, vector: bytes, count: int
    ) -> Sequence[tuple[bytes, float]] | None:
        """See `Backing`."""
        return await self.engine.nearest(compat, embedder, vector, count)

    async def browse(
        self, choice: Choice, order: Literal["hits", "newest"], limit: int, after: bytes
    ) -> Sequence[Popular]:
        """See `Backing`."""
        return await self.engine.look(steps.browse(choice, order, limit, after, self._now_ns()), "all")

    async def judge(self, judgements: Sequence[Judgement]) -> None:
        """See `Backing`."""
        await self.engine.change(lessons.judge(judgements))

    async def judgements(self, keys: Sequence[bytes]) -> Mapping[bytes, Sequence[Judgement]]:
        """See `Backing`."""
        return await self.engine.look(lessons.judgements_of(keys), "one")

    async def judged(self, feature: str | None, since_ns: int, limit: int) -> Sequence[Judgement]:
        """See `Backing`."""
        return await self.engine.look(lessons.judged(feature, since_ns, limit), "all")

    async def unlearn(self, request_ids: Sequence[int]) -> None:
        """See `Backing`."""
        await self.engine.change(lessons.unlearn(request_ids))

    async def held(self) -> Held:
        """See `Backing`."""
        room = await self.engine.look(steps.room(), "all")
        return Held(room.entries, room.bytes)

    async def tidy(self) -> int:
        """See `Backing`."""
        now = self._now_ns()
        over = await self.engine.change(steps.tidy(now))
        if now >= self._judgements_due_ns:
            await self.engine.change(lessons.tidy_judgements(now))
            self._judgements_due_ns = now + _JUDGEMENTS_EVERY_NS
        return over + await self.engine.catch_up()

    async def aclose(self) -> None:
        """See `Backing`."""
        await self.engine.aclose()
