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
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Literal, TypeVar

from headgate.core.tasks import ended
from headgate.stores.answer_backing import REMEMBERED_SECONDS, ROW_BYTES, Backing, told_of
from headgate.stores.answer_choice import Choice
from headgate.stores.answer_groups import Groups
from headgate.stores.answer_presence import Presence
from headgate.stores.answer_shelf import Shelf, weight
from headgate.stores.answers import (
    CacheEntry,
    Judgement,
    Near,
    Popular,
    Removal,
    Selection,
    Sizes,
)
from headgate.stores.errors import StoreError, StoreUnavailable
from headgate.stores.nearness import Nearness

__all__ = ["TieredAnswers"]

T = TypeVar("T")

log = logging.getLogger("headgate.cache")

TRUSTED_SECONDS = 1.0
"""How long what is at hand is given without a word from the engine."""
_EVERY_SECONDS = 0.3
"""Between two questions for news."""
_GATHER_SECONDS = 0.02
_BATCH_ENTRIES = 200
_BATCH_BYTES = 1_000_000
_MOST_WAITING_BYTES = 16_000_000
_MOST_FETCHING = 500
_REST_SECONDS = 0.5
"""After a failure nobody asks for so long."""
_HITS_SECONDS = 2.0
_MOST_HITS = 20_000
_TIDY_SECONDS = 30.0
_RELEARN_AFTER = 200_000
"""Keys beyond twice those that there were: most of them are gone by then."""
_PAUSE_SECONDS = 0.05
_START_SECONDS = 1.0
_GOODBYE_SECONDS = 2.0
_FLUSH_SECONDS = 5.0
_SOME = 20
_LOOKS = 3
"""Times that neighbours are looked for, if some of those found are gone."""
_REMEMBERED = 64
"""Removals against which answers that are on their way from the engine are held."""


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
        self._backing = backing
        self._shelf = Shelf(memory_bytes, now_ns=now_ns)
        self._most = most_bytes
        self._now_ns = now_ns
        self._monotonic = monotonic
        self._groups = Groups(backing, memory_bytes)
        self._private = Nearness()
        """Of answers that are nowhere but at hand."""
        self._alone = alone
        self._presence: Presence | None = None
        self._learning: Presence | None = None
        self._learned = 0
        self._waiting: OrderedDict[bytes, tuple[CacheEntry, int]] = OrderedDict()
        self._waiting_bytes = 0
        self._dropped = 0
        self._hits: dict[bytes, tuple[int, int]] = {}
        self._fetching: dict[bytes, asyncio.Task[CacheEntry | None]] = {}
        self._removed, self._written = -1, -1
        self._made_at = self._heard_at = monotonic() - TRUSTED_SECONDS
        self._own: set[int] = set()
        """Numbers of removals from here, which are carried out here when they are heard of."""
        self._removing: list[Choice] = []
        """Being removed from the engine: what is found there meanwhile is not given."""
        self.on_removed: Callable[[], None] | None = None
        """Called when somebody, on any node, has answers removed: others may be kept elsewhere in this process."""
        self._removals: deque[Choice] = deque(maxlen=_REMEMBERED)
        self._removal_count = 0
        self._hearing = asyncio.Lock()
        self._something, self._nothing = asyncio.Event(), asyncio.Event()
        self._nothing.set()
        self._tasks: list[asyncio.Task[None]] = []
        self._rest_until = 0.0
        self._away = self._full = False
        self._closed = False

    # On the way of requests

    def at_hand(self, key: bytes) -> CacheEntry | None:
        """See `AnswerStore`."""
        entry = self._shelf.get(key)
        if entry is None:
            waiting = self._waiting.get(key)
            if waiting is None or waiting[0].until_ns <= self._now_ns():
                return None
            entry = waiting[0]
        return entry if self._monotonic() - self._heard_at < TRUSTED_SECONDS else None

    @property
    def knows_all(self) -> bool:
        """See `AnswerStore`."""
        return False

    def absent(self, key: bytes) -> bool:
        """See `AnswerStore`."""
        return self._presence is not None and self._presence.absent(key)

    async def get(self, key: bytes) -> CacheEntry | None:
        """See `AnswerStore`."""
        found = self.at_hand(key)
        if found is not None or self.absent(key):
            return found
        task = self._fetching.get(key)
        if task is None:
            self._may_ask()
            if len(self._fetching) >= _MOST_FETCHING:
                raise StoreUnavailable(f"{_MOST_FETCHING} answers are being looked for already")
            # Who waits may give up soon; the answer comes all the same, and is at hand for the next.
            task = asyncio.create_task(self._fetch_one(key), name="answer")
            self._fetching[key] = task
            task.add_done_callback(lambda done: self._fetched(key, done))
        return await asyncio.shield(task)

    def put(self, entry: CacheEntry) -> None:
        """See `AnswerStore`."""
        size = weight(entry)
        if self._closed or entry.until_ns <= self._now_ns():
            return
        kept = self._shelf.put(entry, size)
        if not entry.durable:
            self._stop_waiting(entry.key)
            if kept and entry.vector:
                self._private.add(entry.key, entry.compat, entry.embedder, entry.vector)
            return
        stored = ROW_BYTES + len(entry.answer) + len(entry.request) + len(entry.vector) + len(entry.question)
        if stored * 100 > self._most:
            if kept:
                self._shelf.drop(entry.key)
            return
        self._stop_waiting(entry.key)
        self._waiting[entry.key] = (entry, stored)
        self._waiting_bytes += stored
        while self._waiting_bytes > _MOST_WAITING_BYTES:
            _, (oldest, size) = self._waiting.popitem(last=False)
            self._waiting_bytes -= size
            self._shelf.drop(oldest.key)
            self._dropped += 1
        for presence in (self._presence, self._learning):
            if presence is not None:
                presence.add((entry.key,))
        self._groups.put(entry)
        self._nothing.clear()
        self._something.set()
        self._begin()

    async def nearest(self, compat: bytes, embedder: str, vector: bytes, count: int) -> Sequence[Near]:
        """See `AnswerStore`."""
        self._may_ask()
        return await _to_its_end(self._nearest(compat, embedder, vector, count))

    async def _nearest(self, compat: bytes, embedder: str, vector: bytes, count: int) -> Sequence[Near]:
        own = await self._asked(self._backing.nearest(compat, embedder, vector, count))
        found: Sequence[tuple[bytes, float]] = ()
        entries: dict[bytes, CacheEntry] = {}
        for _ in range(_LOOKS):
            found = own if own is not None else await self._groups.nearest(compat, embedder, vector, count)
            private = await self._private.search(compat, embedder, vector, count)
            if private:
                found = sorted([*found, *private], key=lambda each: -each[1])[:count]
            entries = {
                # A newer answer of the same key may have come without a vector, or with that of another embedder.
                key: entry
                for key, entry in (await self._entries([key for key, _ in found])).items()
                if entry.compat == compat and entry.embedder == embedder and entry.vector
            }
            missing = [key for key, _ in found if key not in entries]
            for key in missing:
                self._groups.drop(compat, embedder, key)
                self._private.remove(key)
            if not missing:
                break
        return [Near(entries[key], cosine) for key, cosine in found if key in entries]

    def hit(self, key: bytes, at_ns: int) -> None:
        """See `AnswerStore`."""
        count, last = self._hits.get(key, (0, 0))
        if count or len(self._hits) < _MOST_HITS:
            self._hits[key] = (count + 1, max(last, at_ns))

    # What people do

    async def remove(self, which: Selection, *, dry_run: bool = False) -> Removal:
        """See `AnswerStore`."""
        choice = Choice(which)
        await self._flushed()
        here = [slot for slot in self._shelf if not slot.entry.durable and choice(slot.entry)]
        some, entries, size = (
            _newest([slot.entry for slot in here]),
            len(here),
            sum(each.bytes for each in here),
        )
        if not dry_run:
            self._let_go(choice)
            await self._announce(which)
            # What was put or has arrived since the first time. What is put from now on is new, and stays.
            self._let_go(choice)
            self._removing.append(choice)
        try:
            removed = await self._remove(choice, Removal(entries, size, some), dry_run=dry_run)
            if not dry_run and removed.entries > entries:
                # Whoever heard of it while the engine still had them may have read them again.
                await self._announce(which)
            return removed
        finally:
            if not dry_run:
                self._removing.remove(choice)
                self._note(choice)

    async def _announce(self, which: Selection) -> None:
        number = await self._asked(self._backing.announce(told_of(which)))
        if number > self._removed:
            self._own.add(number)

    async def _remove(self, choice: Choice, so_far: Removal, *, dry_run: bool) -> Removal:
        """From the engine, in pieces."""
        entries, size, some, after = so_far.entries, so_far.bytes, list(so_far.some), b""
        while True:
            piece = await self._asked(self._backing.chosen(choice, after))
            entries += len(piece.entries)
            size += sum(each for _, each in piece.entries)
            if piece.entries and not dry_run:
                await self._asked(self._backing.drop([entry.key for entry, _ in piece.entries]))
            some = _newest([*some, *(entry for entry, _ in piece.entries)])
            if piece.after is None:
                return Removal(entries, size, some)
            after = piece.after

    async def browse(
        self, which: Selection, *, order: Literal["hits", "newest"], limit: int, after: bytes = b""
    ) -> Sequence[Popular]:
        """See `AnswerStore`."""
        await self._flushed()
        await self._asked(self._write_hits())
        return await self._asked(self._backing.browse(Choice(which), order, limit, after))

    async def judge(self, judgements: Sequence[Judgement]) -> None:
        """See `AnswerStore`."""
        if judgements:
            await self._asked(self._backing.judge(judgements))

    async def judgements(self, keys: Sequence[bytes]) -> Mapping[bytes, Sequence[Judgement]]:
        """See `AnswerStore`."""
        self._may_ask()
        return await _to_its_end(self._asked(self._backing.judgements(keys))) if keys else {}

    async def judged(self, feature: str | None, since_ns: int, limit: int) -> Sequence[Judgement]:
        """See `AnswerStore`."""
        return await self._asked(self._backing.judged(feature, since_ns, limit))

    async def unlearn(self, request_ids: Sequence[int]) -> None:
        """See `AnswerStore`."""
        if request_ids:
            await self._asked(self._backing.unlearn(request_ids))

    async def sizes(self) -> Sizes:
        """See `AnswerStore`."""
        held = await self._asked(self._backing.held())
        return Sizes(held.entries, held.bytes, self._most, self._backing.evicted)

    async def start(self) -> None:
        """See `AnswerStore`."""
        self._begin()
        try:
            async with asyncio.timeout(_START_SECONDS):
                await self._hear()
        except (TimeoutError, StoreUnavailable) as error:
            self._note_away(error)

    async def aclose(self) -> None:
        """See `AnswerStore`."""
        if self._tasks and not self._closed:
            try:
                async with asyncio.timeout(_GOODBYE_SECONDS):
                    await self._nothing.wait()
                    await self._write_hits()
            except (TimeoutError, StoreUnavailable):
                if self._waiting:
                    log.warning("%d answers could not be kept any more", len(self._waiting))
        self._closed = True
        tasks, self._tasks = self._tasks, []
        await ended(*tasks, *self._fetching.values())
        await self._groups.aclose()
        self._private.close()
        self._shelf.clear()
        self._stop_waiting_all()
        await self._backing.aclose()

    # News

    async def _keep_hearing(self) -> None:
        while True:
            more = await self._hear()
            if self._alone and (
                self._presence is None or self._presence.added > 2 * self._learned + _RELEARN_AFTER
            ):
                await self._learn_keys()
            if not more:
                await asyncio.sleep(_EVERY_SECONDS)

    async def _hear(self) -> bool:
        """Let go of what was removed. Is there more to hear?"""
        async with self._hearing:
            asked_at = self._monotonic()
            news = await self._backing.news(self._removed, self._written)
            late = self._removed < 0 and asked_at - self._made_at > REMEMBERED_SECONDS / 2
            if news.lost or (late and (len(self._shelf) or self._waiting)):
                self._forget_all()
                self._removed, self._written = news.removed, -1
            else:
                for number, which in news.removals:
                    if number in self._own:
                        self._own.discard(number)
                    else:
                        self._let_go(Choice(which))
                self._removed = max(self._removed, news.removed)
            await self._heard_of(news.entries)
            self._written = news.written
            self._heard_at = asked_at
            self._rest_until = 0.0
            if self._away:
                log.info("the cache's engine is back")
            self._away = False
            return news.more

    async def _heard_of(self, entries: Sequence[tuple[bytes, bytes, str, int]]) -> None:
        for presence in (self._presence, self._learning):
            if presence is not None:
                presence.add(key for key, *_ in entries)
        compared: list[bytes] = []
        for key, compat, embedder, made_ns in entries:
            slot = self._shelf.peek(key)
            if slot is not None and slot.entry.made_ns < made_ns and key not in self._waiting:
                self._shelf.drop(key)
            if embedder and self._groups.holds(compat, embedder):
                compared.append(key)
        for start in range(0, len(compared), _BATCH_ENTRIES):
            for entry in await self._backing.fetch(compared[start : start + _BATCH_ENTRIES]):
                self._groups.put(entry)

    async def _learn_keys(self) -> None:
        """All keys there are, so that what is not there need not be looked for. What comes meanwhile is told as news."""
        presence = self._learning = Presence()
        presence.add(self._waiting)
        after: bytes | None = b""
        while after is not None:
            some, after = await self._backing.keys(after)
            presence.add(some)
            await self._hear()
        if self._learning is presence:
            self._presence, self._learning, self._learned = presence, None, presence.added

    def _note(self, choice: Choice) -> None:
        """What is on its way from the engine now was read before."""
        self._removals.append(choice)
        self._removal_count += 1

    def _let_go(self, choice: Choice) -> None:
        self._note(choice)
        if self.on_removed is not None:
            self.on_removed()
        for slot in self._shelf:
            if choice(slot.entry):
                self._shelf.drop(slot.entry.key)
        for key in [key for key, (entry, _) in self._waiting.items() if choice(entry)]:
            self._stop_waiting(key)

    def _forget_all(self) -> None:
        self._note(Choice(Selection()))
        self._shelf.clear()
        self._stop_waiting_all()
        self._groups.clear()
        self._presence = self._learning = None

    # Reading

    async def _fetch_one(self, key: bytes) -> CacheEntry | None:
        return (await self._fetch([key])).get(key)

    async def _fetch(self, keys: Sequence[bytes]) -> dict[bytes, CacheEntry]:
        before = self._removal_count
        found = await self._asked(self._backing.fetch(keys))
        since = self._removal_count - before
        entries: dict[bytes, CacheEntry] = {}
        for entry in found:
            if any(each(entry) for each in self._removing):
                continue
            # Read before it was removed, perhaps, and heard of after.
            if since and (since > _REMEMBERED or any(each(entry) for each in list(self._removals)[-since:])):
                continue
            slot = self._shelf.peek(entry.key)
            if slot is not None and slot.entry.made_ns > entry.made_ns:
                entries[entry.key] = slot.entry
                continue
            self._shelf.put(entry)
            entries[entry.key] = entry
        return entries

    async def _entries(self, keys: Sequence[bytes]) -> dict[bytes, CacheEntry]:
        at_hand = {key: entry for key in keys if (entry := self.at_hand(key)) is not None}
        missing = [key for key in keys if key not in at_hand]
        return {**at_hand, **await self._fetch(missing)} if missing else at_hand

    def _fetched(self, key: bytes, task: asyncio.Task[CacheEntry | None]) -> None:
        self._fetching.pop(key, None)
        if not task.cancelled():
            task.exception()

    # Writing

    async def _keep_writing(self) -> None:
        while True:
            await self._something.wait()
            if len(self._waiting) < _BATCH_ENTRIES:
                await asyncio.sleep(_GATHER_SECONDS)
            while self._waiting:
                await self._write_some()
            self._something.clear()
            self._nothing.set()

    async def _write_some(self) -> None:
        if self._removed < 0:
            await self._hear()
        batch: list[tuple[CacheEntry, int]] = []
        size = 0
        for entry, stored in self._waiting.values():
            batch.append((entry, stored))
            size += stored
            if len(batch) >= _BATCH_ENTRIES or size >= _BATCH_BYTES:
                break
        if not batch:
            return
        number = await self._backing.write(batch, self._removed)
        if not number:
            await self._hear()
            return
        self._full = False
        if number == self._written + 1:  # else others have come between
            self._written = number
        for entry, _ in batch:
            now = self._waiting.get(entry.key)
            if now is not None and now[0] is entry:
                self._stop_waiting(entry.key)

    def _stop_waiting(self, key: bytes) -> None:
        before = self._waiting.pop(key, None)
        if before is not None:
            self._waiting_bytes -= before[1]

    def _stop_waiting_all(self) -> None:
        self._waiting.clear()
        self._waiting_bytes = 0

    async def _write_hits(self) -> None:
        hits, self._hits = self._hits, {}
        if hits:
            try:
                await self._backing.note_hits(hits)
            except StoreUnavailable:
                # What came meanwhile is newer; of the same entry the earlier hits are lost.
                self._hits = {**hits, **self._hits}
                raise

    async def _keep_tidy(self) -> None:
        tidied_at = self._monotonic() - _TIDY_SECONDS
        while True:
            await asyncio.sleep(_HITS_SECONDS)
            await self._write_hits()
            if self._monotonic() - tidied_at >= _TIDY_SECONDS:
                tidied_at = self._monotonic()
                while await self._backing.tidy():  # noqa: ASYNC110 - others shall come in between
                    await asyncio.sleep(_PAUSE_SECONDS)
            if self._dropped:
                log.warning("the cache's engine is too slow: %d answers were not kept", self._dropped)
                self._dropped = 0

    async def _flushed(self) -> None:
        """Wait until what was put is written. Raises StoreUnavailable."""
        if not self._waiting:
            return
        # They are written in the order in which they were put.
        key, last = next(reversed(self._waiting.items()))
        until = self._monotonic() + _FLUSH_SECONDS
        while self._waiting.get(key) is last:
            if self._monotonic() > until:
                raise StoreUnavailable("the cache's engine does not take what is put")
            await asyncio.sleep(_GATHER_SECONDS)

    # Being there or not

    def _begin(self) -> None:
        if not self._tasks and not self._closed:
            self._tasks = [
                asyncio.create_task(self._keep(self._keep_hearing, self._note_away), name="cache hears"),
                asyncio.create_task(self._keep(self._keep_writing, self._note_full), name="cache writes"),
                asyncio.create_task(self._keep(self._keep_tidy, self._note_full), name="cache tidies"),
            ]

    async def _keep(
        self, work: Callable[[], Coroutine[Any, Any, None]], note: Callable[[BaseException], None]
    ) -> None:
        """Begin again whenever the engine goes away, for ever."""
        while True:
            try:
                await work()
            except StoreError as error:
                note(error)
            except Exception:
                log.exception("the cache cannot be kept up; trying again")
            await asyncio.sleep(_REST_SECONDS)

    def _may_ask(self) -> None:
        if self._monotonic() < self._rest_until:
            raise StoreUnavailable("the cache's engine was away a moment ago")

    async def _asked(self, question: Awaitable[T]) -> T:
        try:
            return await question
        except StoreUnavailable as error:
            self._note_away(error)
            raise

    def _note_away(self, error: BaseException) -> None:
        self._rest_until = self._monotonic() + _REST_SECONDS
        if not self._away:
            log.warning("the cache's engine is away (%s): requests go on without it", error)
        self._away = True

    def _note_full(self, error: BaseException) -> None:
        """It does not take anything now; it may be read all the same."""
        if not self._away and not self._full:
            log.warning("the cache's engine takes no answers (%s); trying again", error)
        self._full = True


def _newest(entries: list[CacheEntry]) -> list[CacheEntry]:
    return sorted(entries, key=lambda entry: -entry.made_ns)[:_SOME]


async def _to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Whoever waits may give up soon. A question that is broken off costs some engines their connection."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(_looked_at)
    return await asyncio.shield(task)


def _looked_at(task: asyncio.Future[Any]) -> None:
    if not task.cancelled():
        task.exception()
