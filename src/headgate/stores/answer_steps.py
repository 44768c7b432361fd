"""What is done with the tables of answers, step by step, the same on every engine."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from headgate.stores.answer_backing import REMEMBERED_SECONDS, Chosen, News, Vectors, readable
from headgate.stores.answer_choice import Choice
from headgate.stores.answer_sql import (
    ADD_REMOVAL,
    AFTER,
    BEGIN_ROOM,
    BROWSE,
    CHOSEN,
    DROP,
    EXPIRED,
    FETCH,
    FORGET_REMOVALS,
    HIT,
    KEYS,
    MOST_NEWS,
    NEW,
    OLDEST,
    ONES,
    PIECE,
    PUT,
    REMOVALS,
    REMOVED,
    ROOM,
    SET_REMOVED,
    SET_ROOM,
    SIZES,
    VECTORS,
    Room,
    chosen_of,
    narrowed,
    news_of,
    put_values,
)
from headgate.stores.answers import CacheEntry, Popular, Selection
from headgate.stores.steps import Ask, AskEach, Steps

__all__ = [
    "announce",
    "browse",
    "chosen",
    "drop",
    "fetch",
    "keys",
    "news",
    "note_hits",
    "room",
    "tidy",
    "vectors",
    "write",
]

_SLACK = 100
"""One part in so many is freed beyond what has to be, so that not every batch evicts."""
_MOST_KEYS = 20_000
_FEW = 20


def room() -> Steps[Room]:
    """How things stand."""
    rows = yield Ask(ROOM)
    return Room(*rows[0]) if rows else Room()


def news(removed: int, written: int) -> Steps[News]:
    """See `Backing`. Of one moment: a removal that is not told now comes after the number that is."""
    now = yield from room()
    told = yield Ask(REMOVALS, [removed])
    rows = (yield Ask(NEW, [written, MOST_NEWS])) if written >= 0 else ()
    return news_of(now, removed, written, told, rows)


def fetch(keys: Sequence[bytes], now_ns: int) -> Steps[list[CacheEntry]]:
    """See `Backing`."""
    rows = yield Ask(FETCH, [now_ns], keys)
    return [entry for row in rows if (entry := readable(row[0], row[1])) is not None]


def write(
    batch: Sequence[tuple[CacheEntry, int]], removed: int, now_ns: int, most_bytes: int
) -> Steps[tuple[int, int]]:
    """See `Backing`. The batch's number, and how many entries went for want of room."""
    yield Ask(BEGIN_ROOM)
    before = yield from room()
    if before.removed > removed:
        return 0, 0
    keys, number = [entry.key for entry, _ in batch], before.written + 1
    there = yield Ask(SIZES, keys=keys)
    yield AskEach(PUT, [put_values(entry, size, number, now_ns) for entry, size in batch])
    count = before.entries + len(keys) - there[0][0]
    size = before.bytes + sum(each for _, each in batch) - there[0][1]
    gone = 0
    if size > most_bytes:
        gone, freed = yield from _make_room(size - (most_bytes - most_bytes // _SLACK))
        count, size = count - gone, size - freed
    yield Ask(SET_ROOM, [number, count, size])
    return number, gone


def _make_room(wanted: int) -> Steps[tuple[int, int]]:
    """wanted: bytes. How many entries went, and what they took."""
    gone = freed = 0
    while freed < wanted:
        rows = yield Ask(OLDEST, [PIECE])
        some: list[bytes] = []
        for key, size in rows:
            if freed >= wanted:
                break
            some.append(key)
            freed += size
        if not some:
            break
        yield Ask(DROP, keys=some)
        gone += len(some)
    return gone, freed


def note_hits(hits: Mapping[bytes, tuple[int, int]]) -> Steps[None]:
    """See `Backing`."""
    # In one order on every node: two that change the same rows must not wait for each other.
    yield AskEach(HIT, [(count, last, last, key) for key, (count, last) in sorted(hits.items())])


def announce(which: Selection) -> Steps[int]:
    """See `Backing`."""
    yield Ask(BEGIN_ROOM)
    now = yield from room()
    number = now.removed + 1
    yield Ask(ADD_REMOVAL, [number, time.time_ns(), msgspec.json.encode(which).decode()])
    yield Ask(SET_REMOVED, [number, now.floor])
    return number


def chosen(choice: Choice, after: bytes) -> Steps[Chosen]:
    """See `Backing`."""
    where, values = narrowed(choice.which)
    rows = yield Ask(CHOSEN.format(where=where), [after, *values, PIECE])
    return chosen_of(rows, choice)


def drop(keys: Sequence[bytes]) -> Steps[None]:
    """See `Backing`."""
    found = yield Ask(SIZES, keys=keys)
    count, size = found[0]
    if count:
        yield Ask(DROP, keys=keys)
        now = yield from room()
        yield Ask(SET_ROOM, [now.written, now.entries - count, now.bytes - size])


def keys(after: bytes) -> Steps[tuple[list[bytes], bytes | None]]:
    """See `Backing`."""
    rows = yield Ask(KEYS, [after, _MOST_KEYS])
    found = [row[0] for row in rows]
    return found, found[-1] if len(found) == _MOST_KEYS else None


def vectors(compat: bytes, embedder: str, after: bytes) -> Steps[Vectors]:
    """See `Backing`."""
    rows = yield Ask(VECTORS, [compat, embedder, after, MOST_NEWS])
    return Vectors([(row[0], row[1]) for row in rows], rows[-1][0] if len(rows) == MOST_NEWS else None)


def browse(
    choice: Choice, order: Literal["hits", "newest"], limit: int, after: bytes, now_ns: int
) -> Steps[list[Popular]]:
    """See `Backing`."""
    by = "hits" if order == "hits" else "made_ns"
    where, values = narrowed(choice.which)
    last, found = (1 << 63) - 1, list[Popular]()
    if after:
        ended = yield Ask(AFTER.format(by=by), [after])
        if not ended:
            return []
        last = ended[0][0]
    piece, at_once = PIECE, min(max(limit, _FEW), PIECE)
    while len(found) < limit:
        rows = yield Ask(BROWSE.format(by=by, where=where), [now_ns, *values, last, last, after, piece])
        for start in range(0, len(rows), at_once):
            some = yield from _shown([row[0] for row in rows[start : start + at_once]], choice)
            found += some
            if len(found) >= limit:
                break
        if len(rows) < piece:
            break
        after, last = rows[-1]
        # Each piece is sorted out of all: of much that is passed over there shall not be many.
        piece = min(piece * 4, _MOST_KEYS)
    return found[:limit]


def _shown(keys: list[bytes], choice: Choice) -> Steps[list[Popular]]:
    """Those of them that are meant, in this order."""
    rows = yield Ask(ONES, keys=keys)
    there = {row[0]: row for row in rows}
    found: list[Popular] = []
    for key in keys:
        row = there.get(key)
        entry = readable(row[1], row[2]) if row else None
        if row and entry is not None and choice(entry):
            found.append(Popular(entry, row[3], row[4]))
    return found


def tidy(now_ns: int) -> Steps[int]:
    """A piece of what is over, and removals that every node has heard of. How many entries went."""
    yield Ask(BEGIN_ROOM)
    over = yield Ask(EXPIRED, [now_ns, PIECE])
    if over:
        yield from drop([row[0] for row in over])
    now = yield from room()
    known = yield Ask(REMOVED, [time.time_ns() - round(REMEMBERED_SECONDS * 1e9)])
    last = known[0][0]
    if last > now.floor:
        yield Ask(FORGET_REMOVALS, [last])
        yield Ask(SET_REMOVED, [now.removed, last])
    return len(over)
