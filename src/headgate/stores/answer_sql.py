"""SQL of the tables of answers, plain enough for every engine, with `?` for values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from headgate.stores.answer_backing import Chosen, News, encoded, readable
from headgate.stores.answer_choice import Choice
from headgate.stores.answers import CacheEntry, Selection

__all__ = [
    "ADD_REMOVAL",
    "AFTER",
    "BEGIN_ROOM",
    "BROWSE",
    "CHOSEN",
    "DROP",
    "EXPIRED",
    "FETCH",
    "FORGET_REMOVALS",
    "HIT",
    "KEYS",
    "MOST_NEWS",
    "NEW",
    "OLDEST",
    "ONES",
    "PIECE",
    "PUT",
    "REMOVALS",
    "REMOVED",
    "ROOM",
    "SET_REMOVED",
    "SET_ROOM",
    "SIZES",
    "VECTORS",
    "Room",
    "chosen_of",
    "narrowed",
    "news_of",
    "put_values",
]

PIECE = 200
"""Rows that are read or deleted at once."""
MOST_NEWS = 2_000
"""Entries that are told at once. Batches are smaller."""
_MOST_VALUES = 500

_COLUMNS = (
    "key", "number", "compat", "embedder", "tenant", "feature", "scope", "owner", "user", "origin_id", "made_ns",
    "until_ns", "used_ns", "hits", "size", "entry", "vector",
)  # fmt: skip
_KEPT = {"key", "hits"}
"""Columns that stay as they are when a newer answer comes."""
_QUOTED = [f'"{name}"' for name in _COLUMNS]
_RENEWED = ", ".join(f'"{name}" = excluded."{name}"' for name in _COLUMNS if name not in _KEPT)
PUT = (
    f"INSERT INTO answer ({', '.join(_QUOTED)}) VALUES ({', '.join('?' * len(_COLUMNS))}) "  # noqa: S608 - our own names
    f"ON CONFLICT (key) DO UPDATE SET {_RENEWED}"
)
FETCH = "SELECT entry, vector FROM answer WHERE key IN ? AND until_ns > ?"
SIZES = "SELECT count(*), CAST(coalesce(sum(size), 0) AS BIGINT) FROM answer WHERE key IN ?"
OLDEST = "SELECT key, size FROM answer ORDER BY used_ns LIMIT ?"
EXPIRED = "SELECT key FROM answer WHERE until_ns <= ? ORDER BY until_ns LIMIT ?"
DROP = "DELETE FROM answer WHERE key IN ?"
HIT = (
    "UPDATE answer SET hits = hits + ?, used_ns = CASE WHEN used_ns < ? THEN ? ELSE used_ns END WHERE key = ?"
)
NEW = "SELECT key, compat, embedder, made_ns, number FROM answer WHERE number > ? ORDER BY number LIMIT ?"
KEYS = "SELECT key FROM answer WHERE key > ? ORDER BY key LIMIT ?"
VECTORS = "SELECT key, vector FROM answer WHERE compat = ? AND embedder = ? AND embedder <> '' AND key > ? ORDER BY key LIMIT ?"
CHOSEN = "SELECT key, entry, vector, size FROM answer WHERE key > ?{where} ORDER BY key LIMIT ?"
BROWSE = (
    "SELECT key, {by} FROM answer WHERE until_ns > ?{where} AND ({by} < ? OR {by} = ? AND key > ?) "
    "ORDER BY {by} DESC, key LIMIT ?"
)
"""Keys alone: sorting all that entries say would take as much memory as they do."""
ONES = (
    "SELECT key, entry, vector, hits, CASE WHEN hits > 0 THEN used_ns ELSE 0 END FROM answer WHERE key IN ?"
)
AFTER = "SELECT {by} FROM answer WHERE key = ?"

BEGIN_ROOM = "INSERT INTO answer_room (id) VALUES (0) ON CONFLICT (id) DO NOTHING"
ROOM = "SELECT written, removed, floor, entries, bytes FROM answer_room WHERE id = 0"
SET_ROOM = "UPDATE answer_room SET written = ?, entries = ?, bytes = ? WHERE id = 0"
REMOVALS = "SELECT number, which FROM answer_removal WHERE number > ? ORDER BY number"
REMOVED = "SELECT coalesce(max(number), 0) FROM answer_removal WHERE at_ns < ?"
FORGET_REMOVALS = "DELETE FROM answer_removal WHERE number <= ?"
ADD_REMOVAL = "INSERT INTO answer_removal (number, at_ns, which) VALUES (?, ?, ?)"
SET_REMOVED = "UPDATE answer_room SET removed = ?, floor = ? WHERE id = 0"


class Room(NamedTuple):
    """What ROOM was answered with."""

    written: int = 0
    """The number of the last batch."""
    removed: int = 0
    """The number of the last removal."""
    floor: int = 0
    """Up to which number removals are not remembered any more."""
    entries: int = 0
    bytes: int = 0


def put_values(entry: CacheEntry, size: int, number: int, now_ns: int) -> tuple[Any, ...]:
    """Of PUT."""
    return (
        entry.key, number, entry.compat, entry.embedder if entry.vector else "", entry.tenant, entry.feature,
        entry.scope, entry.owner, entry.user, entry.origin_id, entry.made_ns, entry.until_ns, now_ns, 0, size,
        encoded(entry), entry.vector,
    )  # fmt: skip


def narrowed(which: Selection) -> tuple[str, list[Any]]:
    """What of a selection the engine can look at by itself; `Choice` looks at the rest."""
    parts: list[str] = []
    values: list[Any] = []
    for name, value in (("tenant", which.tenant), ("feature", which.feature)):
        if value is not None:
            parts.append(f"{name} = ?")
            values.append(value)
    if which.before_ns is not None:
        parts.append("made_ns < ?")
        values.append(which.before_ns)
    if which.user is not None:
        parts.append("(\"user\" = ? OR scope = 'user' AND owner = ?)")
        values += [which.user, which.user]
    for column, some in (("key", which.keys), ("origin_id", which.origins)):
        if some and len(some) <= _MOST_VALUES:
            parts.append(f"{column} IN ({', '.join('?' * len(some))})")
            values += some
    return "".join(f" AND {part}" for part in parts), values


def news_of(
    room: Room, removed: int, written: int, told: Sequence[Sequence[Any]], rows: Sequence[Sequence[Any]]
) -> News:
    """What the answers to ROOM, REMOVALS and NEW say together. removed, written: what was asked for."""
    more = len(rows) == MOST_NEWS and rows[-1][4] > rows[0][4]
    return News(
        removed=room.removed,
        # Told in the order of batches, and the last one perhaps in part: it is told again.
        written=rows[-1][4] - 1 if more else room.written,
        removals=[(number, msgspec.json.decode(which, type=Selection)) for number, which in told],
        entries=[(row[0], row[1], row[2], row[3]) for row in rows],
        more=more,
        lost=0 <= removed < room.floor or removed > room.removed or written > room.written,
    )


def chosen_of(rows: Sequence[Sequence[Any]], choice: Choice) -> Chosen:
    """What the answer to CHOSEN says. Entries that are over are among them: they are to be removed as well."""
    found = [
        (entry, row[3]) for row in rows if (entry := readable(row[1], row[2])) is not None and choice(entry)
    ]
    return Chosen(found, rows[-1][0] if len(rows) == PIECE else None)
