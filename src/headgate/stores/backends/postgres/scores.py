"""Judgements, and their sums per hour and day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from headgate.stores.backends.postgres.connection import Database
from headgate.stores.backends.postgres.text import kept, read
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

if TYPE_CHECKING:
    from asyncpg import Connection

__all__ = ["PostgresScores"]

# Only names of our own fields go into these texts.
_FIELDS = ScoreRow.__struct_fields__
_COLUMNS = ", ".join(f'"{name}"' for name in _FIELDS)
_GIVEN = _FIELDS[1:]
_ADD = (
    f"INSERT INTO score ({_COLUMNS.partition(', ')[2]}) "  # noqa: S608
    f"VALUES ({', '.join(f'${place}' for place in range(1, len(_GIVEN) + 1))}) RETURNING id"
)
# Two judgements of one author at the same moment: one comes after the other, or both would count.
_LOCK = "SELECT pg_advisory_xact_lock(7281947520021)"
_KNOWN = "SELECT 1 FROM score WHERE event = $1"
_REQUEST = f"SELECT {OF_REQUEST} FROM request WHERE id = $1"  # noqa: S608
_SESSION = (
    f"SELECT {OF_REQUEST} FROM request WHERE session = $1 AND session <> '' "  # noqa: S608
    "AND ($2::text = '' OR key_id = $2 OR ($3::text <> '' AND team = $3)) ORDER BY stored DESC LIMIT 1"
)
_WAITING = (
    f"SELECT {_COLUMNS} FROM score s WHERE joined = false AND at_ns >= $1 AND ("  # noqa: S608
    "(request_id <> 0 AND EXISTS (SELECT 1 FROM request r WHERE r.id = s.request_id)) OR "
    "(request_id = 0 AND EXISTS (SELECT 1 FROM request r WHERE r.session = s.session AND r.session <> '' AND "
    "(s.key_id = '' OR r.key_id = s.key_id OR (s.team <> '' AND r.team = s.team))))"
    ") ORDER BY id LIMIT $2"
)
_JOIN = (
    'UPDATE score SET session = $1, feature = $2, model = $3, provider = $4, prompt = $5, "user" = $6, joined = true '
    "WHERE id = $7"
)
_REMOVE = "DELETE FROM score WHERE id = $1"
_LATEST = (
    f"SELECT {_COLUMNS} FROM score WHERE request_id = $1 AND ($1 <> 0 OR session = $2) AND name = $3 AND source = $4 "  # noqa: S608
    "AND author = $5 AND evaluator = $6 AND joined AND id <> $7 ORDER BY id DESC LIMIT 1"
)
_COUNT = (
    "INSERT INTO score_rollup AS r (seconds, at, name, kind, source, feature, model, prompt, scores, total, squares) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) "
    "ON CONFLICT (seconds, at, name, kind, source, feature, model, prompt) DO UPDATE SET "
    "scores = r.scores + excluded.scores, total = r.total + excluded.total, squares = r.squares + excluded.squares"
)
_ALONE = "SELECT count(*) FROM score WHERE joined = false AND at_ns < $1"
_FORGET = "DELETE FROM score WHERE joined = false AND at_ns < $1 RETURNING id"
_ABOUT = f"SELECT {_COLUMNS} FROM score WHERE request_id = ANY($1::bigint[]) AND request_id <> 0 ORDER BY id"  # noqa: S608
_COUNTS = (
    "joined AND number IS NOT NULL AND name = $1 AND at_ns >= $2 AND ($3::text = '' OR feature = $3) AND NOT EXISTS ("
    "SELECT 1 FROM score later WHERE later.request_id = s.request_id "
    "AND (s.request_id <> 0 OR later.session = s.session) "
    "AND later.name = s.name AND later.source = s.source AND later.author = s.author AND later.evaluator = s.evaluator "
    "AND later.joined AND later.id > s.id)"
)
_LOWEST = (
    "SELECT max(request_id), max(session), count(*), avg(number), max(at_ns), max(feature), max(model), max(prompt) "  # noqa: S608
    f"FROM score s WHERE id > (SELECT coalesce(max(id), 0) - {LOWEST_READ} FROM score) AND {_COUNTS} AND GROUP_GIVEN "
    "GROUP BY GROUP_BY ORDER BY avg(number), max(at_ns) DESC LIMIT $4"
)
_LOWEST_BY = {
    "request": _LOWEST.replace("GROUP_GIVEN", "request_id <> 0").replace("GROUP_BY", "request_id"),
    "session": _LOWEST.replace("GROUP_GIVEN", "session <> ''").replace("GROUP_BY", "session"),
}


class PostgresScores:
    """See `ScoreStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, rows: Sequence[ScoreRow], now_ns: int) -> Sequence[Fate]:
        """See `ScoreStore`."""

        async def change(connection: Connection) -> list[Fate]:
            async with connection.transaction():
                await connection.execute(_LOCK)
                return [await _add(connection, row, now_ns) for row in rows]

        return await self._database.run(change)

    async def join(self, now_ns: int, limit: int = 500) -> Joined:
        """See `ScoreStore`."""
        values = (now_ns - WAIT_NS, limit)

        async def change(connection: Connection) -> Joined:
            if not await connection.fetch(_WAITING, values[0], 1):
                return Joined()
            async with connection.transaction():
                await connection.execute(_LOCK)
                rows = [_row(each) for each in await connection.fetch(_WAITING, *values)]
                met = [await _meet(connection, row) for row in rows]
            return Joined([row for row in met if row is not None], met.count(None))

        return await self._database.run(change)

    async def alone(self, before_ns: int) -> int:
        """See `ScoreStore`."""
        return int(await self._database.run(lambda connection: connection.fetchval(_ALONE, before_ns)))

    async def forget_alone(self, before_ns: int) -> int:
        """See `ScoreStore`."""
        return len(await self._database.run(lambda connection: connection.fetch(_FORGET, before_ns)))

    async def about(self, request_ids: Sequence[int]) -> Sequence[ScoreRow]:
        """See `ScoreStore`."""
        return await self._rows(_ABOUT, list(request_ids))

    async def before(
        self, score_id: int, limit: int, *, since_ns: int = 0, only: Mapping[str, str | int] = {}
    ) -> Sequence[ScoreRow]:
        """See `ScoreStore`."""
        text, values = before_question(score_id, limit, since_ns, only, _mark)
        return await self._rows(text, *map(_kept, values))

    async def added_up(
        self, scope: ScoreScope, *, step: int = 0, by: Sequence[str] = ()
    ) -> Sequence[ScoreSum]:
        """See `ScoreStore`."""
        text, values = added_up_question(scope, step, by, _mark)
        rows = await self._database.run(lambda connection: connection.fetch(text, *map(_kept, values)))
        return sums_of([[_read(value) for value in row] for row in rows])

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
        values = (kept(name), since_ns, kept(feature), limit)
        rows = await self._database.run(lambda connection: connection.fetch(_LOWEST_BY[by], *values))
        names = Judged.__struct_fields__
        return [Judged(**dict(zip(names, map(_read, row), strict=True))) for row in rows]

    async def _rows(self, text: str, *values: Any) -> list[ScoreRow]:
        rows = await self._database.run(lambda connection: connection.fetch(text, *values))
        return [_row(row) for row in rows]


async def _add(connection: Connection, row: ScoreRow, now_ns: int) -> Fate:
    if await connection.fetchval(_KNOWN, kept(row.event)):
        return "repeated"
    target = await _target(connection, row)
    if target is None and not is_new(row, now_ns):
        return "unknown"
    if target is not None and is_foreign(row, target):
        return "foreign"
    full = row if target is None else filled(row, target)
    number = await connection.fetchval(_ADD, *(_kept(getattr(full, name)) for name in _GIVEN))
    if target is None:
        return "waiting"
    await _count(connection, filled(row, target, number))
    return "joined"


async def _meet(connection: Connection, row: ScoreRow) -> ScoreRow | None:
    """A waiting judgement whose request is there."""
    target = await _target(connection, row)
    if target is None or is_foreign(row, target):
        await connection.execute(_REMOVE, row.id)
        return None
    full = filled(row, target, row.id)
    texts = (full.session, full.feature, full.model, full.provider, full.prompt, full.user)
    await connection.execute(_JOIN, *map(kept, texts), full.id)
    await _count(connection, full)
    return full


async def _target(connection: Connection, row: ScoreRow) -> tuple[str, ...] | None:
    if row.request_id:
        found = await connection.fetchrow(_REQUEST, row.request_id)
    else:
        found = await connection.fetchrow(_SESSION, kept(row.session), kept(row.key_id), kept(row.team))
    return None if found is None else tuple(map(_read, found))


async def _count(connection: Connection, row: ScoreRow) -> None:
    identity = (row.request_id, row.session, row.name, row.source, row.author, row.evaluator, row.id)
    found = await connection.fetchrow(_LATEST, *map(_kept, identity))
    before = None if found is None else _row(found)
    if before is not None and before.id > row.id:
        return  # the author has thought otherwise since
    # In one order for everybody.
    for key, *sums in sorted(increments(row, before)):
        await connection.execute(_COUNT, *map(_kept, key), *sums)


def _row(values: Sequence[Any]) -> ScoreRow:
    return score_row([_read(value) for value in tuple(values)])


def _mark(place: int) -> str:
    return f"${place}"


def _kept(value: Any) -> Any:
    return kept(value) if isinstance(value, str) else value


def _read(value: Any) -> Any:
    return read(value) if isinstance(value, str) else value
