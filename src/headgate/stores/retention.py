"""How long things are kept: contents short, spans long, sums longest. Deleted in small pieces, oldest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from headgate.core.ids import oldest_id
from headgate.stores.keeping import Keeper
from headgate.stores.segments import MARK_AGAIN
from headgate.stores.spans import RequestRow

__all__ = [
    "LOOK_AGAIN",
    "SPANS_SWEPT",
    "Lease",
    "Piece",
    "Scope",
    "came_late",
    "sweep_alerts",
    "sweep_contents",
    "sweep_sessions",
    "sweep_spans",
    "sweep_words",
]

SPANS_SWEPT = "spans_swept"
"""In `installation`: requests that came before this moment (ns, as text) may have been deleted."""
LOOK_AGAIN = "DELETE FROM installation WHERE name LIKE 'swept:%'"
"""The sweeper begins from the oldest request again: some came to the database late, and it may have passed their place."""
_LATE_NS = 3_600_000_000_000
_LOOKED_AT = 2_000
_CONTENTS_AT_ONCE = 500
_SPANS_AT_ONCE = 200
_ALERTS_AT_ONCE = 200
_AFTER_ALL = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Scope:
    """Requests of some features, or of all but some."""

    features: tuple[str, ...] = ()
    but: bool = True
    """All but these."""

    @property
    def name(self) -> str:
        """For what is remembered of it. Other requests have another name: what was swept of those says nothing of these."""
        return f"{'*-' if self.but and self.features else '*' if self.but else ''}{','.join(self.features)}"

    def condition(self) -> tuple[str, list[Any]]:
        """As SQL, with its values."""
        if not self.features:
            return ("1 = 1" if self.but else "1 = 0"), []
        marks = ", ".join("?" * len(self.features))
        return f"feature {'NOT ' if self.but else ''}IN ({marks})", list(self.features)


@dataclass(frozen=True, slots=True)
class Piece:
    """What one step did."""

    deleted: int = 0
    more: bool = False


def came_late(requests: Sequence[RequestRow], now_ns: int) -> bool:
    """Is one of them so old that its place may have been swept? Nothing is kept for less than an hour."""
    return any(row.started_ns < now_ns - _LATE_NS for row in requests)


async def sweep_contents(keeper: Keeper, scope: Scope, before_ns: int) -> Piece:
    """A piece of the contents, variables of prompts, comments and words of errors of these requests that came before this moment.
    Contents that a later request has, stay for as long as that one's are kept. Raises StoreUnavailable."""
    before = oldest_id(before_ns) - MARK_AGAIN
    found = await _next(keeper, "content", scope, before, _CONTENTS_AT_ONCE)
    deleted = await _drop(keeper, found.rows, before)
    ids = [(row[0],) for row in found.rows]
    await keeper.change(
        [
            ("UPDATE score SET text = '' WHERE request_id = ? AND text <> ''", ids),
            (
                "UPDATE request SET error_detail = '', variables = '' WHERE id = ? AND (error_detail <> '' OR variables <> '')",
                ids,
            ),
            ("UPDATE attempt SET error_detail = '' WHERE request_id = ? AND error_detail <> ''", ids),
            *found.moved_on,
        ]
    )
    return Piece(deleted, found.more)


async def sweep_words(keeper: Keeper, scope: Scope, before_ns: int) -> Piece:
    """A piece of the comments that were made before this moment, in the order in which they came: those of conversations, and those
    that came when their request's contents were gone already. Raises StoreUnavailable."""
    name = f"swept:words:{scope.name}"
    kept = await keeper.read("SELECT value FROM installation WHERE name = ?", [name])
    begin = int(bytes(kept[0][0])) if kept else 0
    meant, values = scope.condition()
    rows = await keeper.read(
        f"SELECT id, at_ns, CASE WHEN text <> '' AND {meant} THEN 1 ELSE 0 END FROM score WHERE id > ? "  # noqa: S608
        "ORDER BY id LIMIT ?",
        [*values, begin, _LOOKED_AT],
    )
    young = next((place for place, row in enumerate(rows) if row[1] >= before_ns), len(rows))
    if not young:
        return Piece()
    ids = [(row[0],) for row in rows[:young] if row[2]]
    moved = (name, str(rows[young - 1][0]).encode())
    await keeper.change([("UPDATE score SET text = '' WHERE id = ?", ids), (_SET, [moved])])
    return Piece(len(ids), young == _LOOKED_AT)


async def sweep_spans(keeper: Keeper, scope: Scope, before_ns: int) -> Piece:
    """A piece of these requests that came before this moment, with their attempts, scores and contents. Raises StoreUnavailable."""
    before = oldest_id(before_ns) - MARK_AGAIN
    found = await _next(keeper, "spans", scope, before, _SPANS_AT_ONCE)
    await _drop(keeper, found.rows, before)
    ids = [(row[0],) for row in found.rows]
    swept = (SPANS_SWEPT, str(before_ns).encode())
    await keeper.change(
        [
            *((_SET, [swept]) for _ in ids[:1]),
            ("DELETE FROM score WHERE request_id = ?", ids),
            ("DELETE FROM attempt WHERE request_id = ?", ids),
            ("DELETE FROM request WHERE id = ?", ids),
            *found.moved_on,
        ]
    )
    return Piece(len(ids), found.more)


async def sweep_alerts(keeper: Keeper, before_ns: int) -> Piece:
    """A piece of the alerts, and their deliveries. Raises StoreUnavailable."""
    ids = await keeper.read(
        "SELECT id FROM alert WHERE at_ns < ? ORDER BY id LIMIT ?", [before_ns, _ALERTS_AT_ONCE]
    )
    await keeper.change(
        [("DELETE FROM delivery WHERE alert_id = ?", ids), ("DELETE FROM alert WHERE id = ?", ids)]
    )
    return Piece(len(ids), len(ids) == _ALERTS_AT_ONCE)


async def sweep_sessions(keeper: Keeper, before_ns: int) -> Piece:
    """A piece of the conversations that ended before this moment, with what was said of them. Raises StoreUnavailable."""
    names = await keeper.read(
        "SELECT session FROM session WHERE last_ns < ? ORDER BY last_ns LIMIT ?", [before_ns, _SPANS_AT_ONCE]
    )
    await keeper.change(
        [
            ("DELETE FROM score WHERE session = ? AND session <> '' AND request_id = 0", names),
            ("DELETE FROM session WHERE session = ?", names),
        ]
    )
    return Piece(len(names), len(names) == _SPANS_AT_ONCE)


_SET = "INSERT INTO installation (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"


@dataclass(frozen=True, slots=True)
class _Found:
    rows: Sequence[Sequence[Any]]
    """(id, prompt's hash, answer's hash)"""
    moved_on: Sequence[tuple[str, Sequence[Sequence[Any]]]]
    """Remembers, in the transaction that deletes, how far it is done."""
    more: bool


async def _next(keeper: Keeper, what: str, scope: Scope, before: int, limit: int) -> _Found:
    """The next requests, of a bounded part of the index."""
    name = f"swept:{what}:{scope.name}"
    kept = await keeper.read("SELECT value FROM installation WHERE name = ?", [name])
    begin = int(bytes(kept[0][0])) if kept else 0
    part = await keeper.read(
        "SELECT max(id), count(*) FROM (SELECT id FROM request WHERE id > ? AND id < ? ORDER BY id LIMIT ?) AS part",
        [begin, before, _LOOKED_AT],
    )
    end, count = part[0]
    if not count:
        return _Found((), (), more=False)
    meant, values = scope.condition()
    rows = await keeper.read(
        f"SELECT id, request_content, reply_content FROM request WHERE id > ? AND id <= ? AND {meant} "  # noqa: S608
        "ORDER BY id LIMIT ?",
        [begin, end, *values, limit],
    )
    reached = rows[-1][0] if len(rows) == limit else end
    moved = (_SET, [(name, str(reached).encode())])
    return _Found(rows, (moved,), more=count == _LOOKED_AT or reached < end)


async def _drop(keeper: Keeper, rows: Sequence[Sequence[Any]], used_before: int) -> int:
    hashes = list({each for row in rows for each in row[1:] if each})
    deleted = 0
    for segment, some in (await keeper.segments(hashes)).items() if hashes else ():
        deleted += await keeper.drop(segment, some, used_before)
    return deleted


class Lease:
    """Who of several nodes does what one is enough for."""

    def __init__(self, keeper: Keeper, name: str, holder: str) -> None:
        """holder: different on each process."""
        self._keeper = keeper
        self._name = f"lease:{name}"
        self._holder = holder

    async def take(self, now_ns: int, until_ns: int) -> bool:
        """Mine until then? True also if it was mine before. Raises StoreUnavailable."""
        mine = f"{until_ns} {self._holder}".encode()
        rows = await self._keeper.read("SELECT value FROM installation WHERE name = ?", [self._name])
        if not rows:
            text = "INSERT INTO installation (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING"
            return await self._keeper.alter(text, [self._name, mine]) == 1
        before = bytes(rows[0][0])
        until, _, holder = before.decode().partition(" ")
        if int(until) > now_ns and holder != self._holder:
            return False
        text = "UPDATE installation SET value = ? WHERE name = ? AND value = ?"
        return await self._keeper.alter(text, [mine, self._name, before]) == 1
