"""Answers in Redis, for all nodes. What is on the way of a request is one round trip, together with others of the same turn;
everything else goes in pieces over a connection of its own, so that neither Redis nor a request waits long for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from headgate.stores.answer_backing import (
    JUDGED_SECONDS,
    REMEMBERED_SECONDS,
    Chosen,
    Held,
    News,
    Vectors,
    encoded,
    readable,
)
from headgate.stores.answer_choice import Choice
from headgate.stores.answer_tiers import TieredAnswers
from headgate.stores.answers import CacheEntry, Judgement, Popular, Selection
from headgate.stores.backends.redis import answer_scripts as scripts
from headgate.stores.backends.redis.answer_judgements import Judgements
from headgate.stores.backends.redis.outbox import ANSWER_SECONDS, Outbox
from headgate.stores.backends.redis.questions import asked

__all__ = ["PREFIX", "RedisAnswerKeys", "redis_answers"]

PREFIX = "{headgate}:answers:"
"""The braces keep all keys on one node of a Redis cluster, where one script may touch them."""
_SLOW_SECONDS = 3.0
"""Longest wait for what no request waits for."""
_MORE_BYTES = 500
"""What an entry takes in Redis beyond what it takes elsewhere, about: five sorted sets know its key."""
_LENGTH = 8
"""Digits before each value: of how many bytes its vector has."""
_WRITTEN_AT_ONCE = 50
"""Entries that Redis takes in one step, of about a millisecond."""
_MOST_JUDGED = 20_000

_tellings = msgspec.msgpack.Decoder(list[tuple[bytes, bytes, str, int]])


def redis_answers(
    url: str,
    *,
    memory_bytes: int,
    most_bytes: int,
    answer_seconds: float = ANSWER_SECONDS,
    now_ns: Callable[[], int] = time.time_ns,
) -> TieredAnswers:
    """Answers in Redis, with those asked for lately in the memory of this node. Raises ValueError for a URL that is none, or
    without the extra `redis`."""
    keys = RedisAnswerKeys(url, most_bytes, answer_seconds=answer_seconds, now_ns=now_ns)
    return TieredAnswers(keys, memory_bytes=memory_bytes, most_bytes=most_bytes, now_ns=now_ns)


class RedisAnswerKeys:
    """See `Backing`."""

    def __init__(
        self,
        url: str,
        most_bytes: int,
        *,
        answer_seconds: float = ANSWER_SECONDS,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._most = most_bytes
        self._now_ns = now_ns
        self._quick = Outbox(url, answer_seconds=answer_seconds)
        self._slow = Outbox(url, answer_seconds=_SLOW_SECONDS)
        self._judgements = Judgements(PREFIX, self._quick, self._slow)
        self.evicted = 0

    async def news(self, removed: int, written: int) -> News:
        """See `Backing`."""
        last, batch, floor, removals, batches = await _ask(
            self._slow, scripts.NEWS, str(removed), str(written)
        )
        told = [(_number(each[0]), msgspec.json.decode(each[1][3], type=Selection)) for each in removals]
        entries = [one for each in batches for one in _tellings.decode(each[1][1])]
        upto = _number(batches[-1][0]) if batches else batch
        missed = 0 <= written < batch and (not batches or _number(batches[0][0]) > written + 1)
        return News(
            removed=last,
            written=upto,
            removals=told,
            entries=entries,
            more=upto < batch,
            lost=0 <= removed < floor or removed > last or written > batch or missed,
        )

    async def fetch(self, keys: Sequence[bytes]) -> Sequence[CacheEntry]:
        """See `Backing`."""
        values = await _ask(self._quick, scripts.FETCH, *keys) if keys else []
        now = self._now_ns()
        entries = [entry for value in values if value and (entry := _read(value)) is not None]
        return [entry for entry in entries if entry.until_ns > now]

    async def write(self, entries: Sequence[tuple[CacheEntry, int]], removed: int) -> int:
        """See `Backing`."""
        number, last = 0, 0
        for start in range(0, len(entries), _WRITTEN_AT_ONCE):
            last = number
            number = await self._write(entries[start : start + _WRITTEN_AT_ONCE], removed)
            if not number:
                return 0
        # With more than one piece others may have come between: then this one is heard of as news, too.
        return number if not last else -1

    async def _write(self, entries: Sequence[tuple[CacheEntry, int]], removed: int) -> int:
        now = str(self._now_ns() // 1_000_000)
        told = [
            (entry.key, entry.compat, entry.embedder if entry.vector else "", entry.made_ns)
            for entry, _ in entries
        ]
        arguments: list[str | bytes] = [str(removed), str(self._most), now, msgspec.msgpack.encode(told)]
        for entry, size in entries:
            group = _group(entry.compat, entry.embedder) if entry.vector else b""
            about = msgspec.structs.replace(entry, question="", answer=b"", request=b"", vector=b"")
            value = b"%0*d%b%b" % (_LENGTH, len(entry.vector), entry.vector, encoded(entry))
            until = str(-(-entry.until_ns // 1_000_000))
            arguments += (
                entry.key, str(size + _MORE_BYTES), until, str(-entry.made_ns), group, encoded(about), value,
            )  # fmt: skip
        number, gone = await _ask(self._slow, scripts.WRITE, *arguments)
        self.evicted += gone
        return int(number)

    async def note_hits(self, hits: Mapping[bytes, tuple[int, int]]) -> None:
        """See `Backing`."""
        arguments: list[str | bytes] = []
        for key, (count, last) in hits.items():
            arguments += (key, str(count), str(last // 1_000_000))
        for start in range(0, len(arguments), 600):
            await _ask(self._slow, scripts.HITS, *arguments[start : start + 600])

    async def announce(self, which: Selection) -> int:
        """See `Backing`."""
        return int(await _ask(self._slow, scripts.ANNOUNCE, msgspec.json.encode(which)))

    async def chosen(self, choice: Choice, after: bytes) -> Chosen:
        """See `Backing`."""
        following, rows = await _ask(self._slow, scripts.CHOSEN, after or b"0")
        narrow = Choice(msgspec.structs.replace(choice.which, text=None))
        found: dict[bytes, int] = {}
        for key, about in zip(rows[::2], rows[1::2], strict=True):
            size, _, rest = about.split(b"\n", 2)
            entry = readable(rest)
            if entry is not None and narrow(entry):
                found[key] = int(size)
        values = await _ask(self._slow, scripts.FETCH, *found) if found else []
        entries = [entry for value in values if value and (entry := _read(value)) is not None]
        return Chosen(
            [(entry, found[entry.key]) for entry in entries if choice(entry)],
            None if following == b"0" else following,
        )

    async def drop(self, keys: Sequence[bytes]) -> None:
        """See `Backing`."""
        await _ask(self._slow, scripts.DROP, *keys)

    async def keys(self, after: bytes) -> tuple[Sequence[bytes], bytes | None]:  # noqa: ARG002 - nobody asks a server that others fill
        """See `Backing`."""
        return [], None

    async def vectors(self, compat: bytes, embedder: str, after: bytes) -> Vectors:
        """See `Backing`."""
        following, rows = await _ask(self._slow, scripts.VECTORS, _group(compat, embedder), after or b"0")
        return Vectors(
            list(zip(rows[::2], rows[1::2], strict=True)), None if following == b"0" else following
        )

    async def nearest(
        self,
        compat: bytes,  # noqa: ARG002 - as below
        embedder: str,  # noqa: ARG002 - as below
        vector: bytes,  # noqa: ARG002 - as below
        count: int,  # noqa: ARG002 - not every Redis knows vectors
    ) -> None:
        """See `Backing`."""
        return

    async def browse(
        self, choice: Choice, order: Literal["hits", "newest"], limit: int, after: bytes
    ) -> Sequence[Popular]:
        """See `Backing`."""
        found: list[Popular] = []
        by, now = ("hits" if order == "hits" else "made"), self._now_ns()
        while len(found) < limit:
            rows = await _ask(self._slow, scripts.BROWSE, by, after)
            for at in range(0, len(rows), 4):
                after = rows[at]
                entry = _read(rows[at + 3]) if rows[at + 3] else None
                if entry is not None and entry.until_ns > now and choice(entry):
                    hits = -int(float(rows[at + 1]))
                    found.append(Popular(entry, hits, int(float(rows[at + 2])) * 1_000_000 if hits else 0))
            if not rows:
                break
        return found[:limit]

    async def judge(self, judgements: Sequence[Judgement]) -> None:
        """See `Backing`."""
        await self._judgements.judge(judgements)

    async def judgements(self, keys: Sequence[bytes]) -> Mapping[bytes, Sequence[Judgement]]:
        """See `Backing`."""
        return await self._judgements.judgements(keys)

    async def judged(self, feature: str | None, since_ns: int, limit: int) -> Sequence[Judgement]:
        """See `Backing`."""
        return await self._judgements.judged(feature, since_ns, limit)

    async def unlearn(self, request_ids: Sequence[int]) -> None:
        """See `Backing`."""
        await self._judgements.unlearn(request_ids)

    async def held(self) -> Held:
        """See `Backing`."""
        entries, size = await _ask(self._slow, scripts.HELD)
        return Held(entries, int(size))

    async def tidy(self) -> int:
        """See `Backing`."""
        now = self._now_ns()
        since = now - JUDGED_SECONDS * 10**9
        gone = await _ask(
            self._slow,
            scripts.TIDY,
            str(now // 1_000_000),
            str(int(REMEMBERED_SECONDS)),
            str(_MOST_JUDGED),
            str(since),
        )
        return int(gone) + await self._judgements.blank(now)

    async def aclose(self) -> None:
        """See `Backing`."""
        await self._quick.aclose()
        await self._slow.aclose()


async def _ask(outbox: Outbox, script: str, *arguments: str | bytes) -> Any:
    return await asked(outbox, script, [PREFIX], *arguments)


def _number(name: bytes) -> int:
    """Of an item of a stream."""
    return int(name.partition(b"-")[0])


def _group(compat: bytes, embedder: str) -> bytes:
    return f"{compat.hex()}:{embedder}".replace("\n", " ").encode()


def _read(value: bytes) -> CacheEntry | None:
    size = int(value[:_LENGTH])
    return readable(value[_LENGTH + size :], value[_LENGTH : _LENGTH + size])
