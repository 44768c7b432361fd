"""Judgements, and their sums per hour and day."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from headgate.stores.backends.sqlite.audit import transaction
from headgate.stores.backends.sqlite.connection import Database
from headgate.stores.backends.sqlite.statements import column_list
from headgate.stores.score_questions import (
    LOWEST_READ,
    OF_REQUEST,
    added_up_question,
    before_question,
    filled,
    is_foreign,
    is_new,
    score_row,
    sums_of,
)
from headgate.stores.scores import (
    WAIT_NS,
    Fate,
    Joined,
    Judged,
    ScoreRow,
    ScoreScope,
    ScoreSum,
    increments,
)

__all__ = ["SqliteScores"]

# Only names of our own fields go into these texts.
_FIELDS = ScoreRow.__struct_fields__
_COLUMNS = column_list(ScoreRow)
_KNOWN = "SELECT 1 FROM score WHERE event = ?"
_ADD = f"INSERT INTO score ({_COLUMNS}) VALUES ({', '.join('?' * len(_FIELDS))})"  # noqa: S608
_REQUEST = f"SELECT {OF_REQUEST} FROM request WHERE id = ?"  # noqa: S608
_SESSION = (
    f"SELECT {OF_REQUEST} FROM request WHERE session = ?1 AND session != '' "  # noqa: S608
    "AND (?2 = '' OR key_id = ?2 OR (?3 != '' AND team = ?3)) ORDER BY stored DESC LIMIT 1"
)
_WAITING = (
    f"SELECT {_COLUMNS} FROM score WHERE joined = 0 AND at_ns >= ?1 AND ("  # noqa: S608
    "(request_id != 0 AND EXISTS (SELECT 1 FROM request r WHERE r.id = score.request_id)) OR "
    "(request_id = 0 AND EXISTS (SELECT 1 FROM request r WHERE r.session = score.session AND r.session != '' AND "
    "(score.key_id = '' OR r.key_id = score.key_id OR (score.team != '' AND r.team = score.team))))"
    ") ORDER BY id LIMIT ?2"
)
_JOIN = (
    'UPDATE score SET session = ?, feature = ?, model = ?, provider = ?, prompt = ?, "user" = ?, joined = 1 '
    "WHERE id = ?"
)
_REMOVE = "DELETE FROM score WHERE id = ?"
_LATEST = (
    f"SELECT {_COLUMNS} FROM score WHERE request_id = ?1 AND (?1 != 0 OR session = ?2) AND name = ?3 AND source = ?4 "  # noqa: S608
    "AND author = ?5 AND evaluator = ?6 AND joined = 1 AND id != ?7 ORDER BY id DESC LIMIT 1"
)
_COUNT = (
    "INSERT INTO score_rollup (seconds, at, name, kind, source, feature, model, prompt, scores, total, squares) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (seconds, at, name, kind, source, feature, model, prompt) DO UPDATE SET "
    "scores = scores + excluded.scores, total = total + excluded.total, squares = squares + excluded.squares"
)
_ALONE = "SELECT count(*) FROM score WHERE joined = 0 AND at_ns < ?"
_FORGET = "DELETE FROM score WHERE joined = 0 AND at_ns < ?"
_ABOUT = f"SELECT {_COLUMNS} FROM score WHERE request_id IN (SELECT value FROM json_each(?)) AND request_id != 0 ORDER BY id"  # noqa: S608
_COUNTS = (
    "joined = 1 AND number IS NOT NULL AND name = ?1 AND at_ns >= ?2 AND (?3 = '' OR feature = ?3) AND NOT EXISTS ("
    "SELECT 1 FROM score later WHERE later.request_id = s.request_id AND (s.request_id != 0 OR later.session = s.session) "
    "AND later.name = s.name AND later.source = s.source AND later.author = s.author AND later.evaluator = s.evaluator "
    "AND later.joined = 1 AND later.id > s.id)"
)
_LOWEST = (
    "SELECT max(request_id), max(session), count(*), avg(number), max(at_ns), max(feature), max(model), max(prompt) "  # noqa: S608
    f"FROM score s WHERE id > (SELECT coalesce(max(id), 0) - {LOWEST_READ} FROM score) AND {_COUNTS} AND GROUP_GIVEN "
    "GROUP BY GROUP_BY ORDER BY avg(number), max(at_ns) DESC LIMIT ?4"
)
_LOWEST_BY = {
    "request": _LOWEST.replace("GROUP_GIVEN", "request_id != 0").replace("GROUP_BY", "request_id"),
    "session": _LOWEST.replace("GROUP_GIVEN", "session != ''").replace("GROUP_BY", "session"),
}


class SqliteScores:
    """See `ScoreStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, rows: Sequence[ScoreRow], now_ns: int) -> Sequence[Fate]:
        """See `ScoreStore`."""

        def change(connection: sqlite3.Connection) -> list[Fate]:
            with transaction(connection):
                return [_add(connection, row, now_ns) for row in rows]

        return await self._database.run(change)

    async def join(self, now_ns: int, limit: int = 500) -> Joined:
        """See `ScoreStore`."""
        values = (now_ns - WAIT_NS, limit)

        def change(connection: sqlite3.Connection) -> Joined:
            if not connection.execute(_WAITING, (values[0], 1)).fetchone():
                # Nearly always; a transaction would keep the record writer waiting for nothing.
                return Joined()
            with transaction(connection):
                rows = [score_row(each) for each in connection.execute(_WAITING, values)]
                met = [_meet(connection, row) for row in rows]
            return Joined([row for row in met if row is not None], met.count(None))

        return await self._database.run(change)

    async def alone(self, before_ns: int) -> int:
        """See `ScoreStore`."""
        return await self._database.run(
            lambda connection: int(connection.execute(_ALONE, (before_ns,)).fetchone()[0])
        )

    async def forget_alone(self, before_ns: int) -> int:
        """See `ScoreStore`."""
        return await self._database.run(lambda connection: connection.execute(_FORGET, (before_ns,)).rowcount)

    async def about(self, request_ids: Sequence[int]) -> Sequence[ScoreRow]:
        """See `ScoreStore`."""
        ids = f"[{','.join(map(str, request_ids))}]"
        return await self._rows(_ABOUT, (ids,))

    async def before(
        self, score_id: int, limit: int, *, since_ns: int = 0, only: Mapping[str, str | int] = {}
    ) -> Sequence[ScoreRow]:
        """See `ScoreStore`."""
        text, values = before_question(score_id, limit, since_ns, only, lambda _: "?")
        return await self._rows(text, values)

    async def added_up(
        self, scope: ScoreScope, *, step: int = 0, by: Sequence[str] = ()
    ) -> Sequence[ScoreSum]:
        """See `ScoreStore`."""
        text, values = added_up_question(scope, step, by, lambda _: "?")
        rows = await self._database.look_back(lambda connection: connection.execute(text, values).fetchall())
        return sums_of(rows)

    async def lowest(
        self,
        name: str,
        since_ns: int,
        *,
        by: Literal["request", "session"] = "request",
        limit: int = 20,
        feature: str = "",
    ) -> Sequence[Judged]:
        """See `ScoreStore`."""
        values = (name, since_ns, feature, limit)
        rows = await self._database.look_back(
            lambda connection: connection.execute(_LOWEST_BY[by], values).fetchall()
        )
        return [Judged(**dict(zip(Judged.__struct_fields__, row, strict=True))) for row in rows]

    async def _rows(self, text: str, values: Sequence[Any]) -> list[ScoreRow]:
        rows = await self._database.look_back(lambda connection: connection.execute(text, values).fetchall())
        return [score_row(row) for row in rows]


def _add(connection: sqlite3.Connection, row: ScoreRow, now_ns: int) -> Fate:
    if connection.execute(_KNOWN, (row.event,)).fetchone():
        return "repeated"
    target = _target(connection, row)
    if target is None and not is_new(row, now_ns):
        return "unknown"
    if target is not None and is_foreign(row, target):
        return "foreign"
    kept = row if target is None else filled(row, target)
    values = [getattr(kept, name) for name in _FIELDS]
    values[0] = None
    number = connection.execute(_ADD, values).lastrowid
    if target is None:
        return "waiting"
    _count(connection, filled(row, target, number or 0))
    return "joined"


def _meet(connection: sqlite3.Connection, row: ScoreRow) -> ScoreRow | None:
    """A waiting judgement whose request is there."""
    target = _target(connection, row)
    if target is None or is_foreign(row, target):
        connection.execute(_REMOVE, (row.id,))
        return None
    kept = filled(row, target, row.id)
    values = (kept.session, kept.feature, kept.model, kept.provider, kept.prompt, kept.user, kept.id)
    connection.execute(_JOIN, values)
    _count(connection, kept)
    return kept


def _target(connection: sqlite3.Connection, row: ScoreRow) -> tuple[str, ...] | None:
    found: tuple[str, ...] | None
    if row.request_id:
        found = connection.execute(_REQUEST, (row.request_id,)).fetchone()
    else:
        found = connection.execute(_SESSION, (row.session, row.key_id, row.team)).fetchone()
    return found


def _count(connection: sqlite3.Connection, row: ScoreRow) -> None:
    identity = (row.request_id, row.session, row.name, row.source, row.author, row.evaluator, row.id)
    found = connection.execute(_LATEST, identity).fetchone()
    before = None if found is None else score_row(found)
    if before is not None and before.id > row.id:
        return  # the author has thought otherwise since
    connection.executemany(_COUNT, [(*key, *sums) for key, *sums in increments(row, before)])
