"""Answers on a server, for all nodes. Batches and removals of all nodes go in one after the other, under an advisory lock."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec

from headgate.stores.answer_backing import REMEMBERED_SECONDS, Chosen, Held, News, Vectors
from headgate.stores.answer_choice import Choice
from headgate.stores.answer_sql import (
    ADD_JUDGEMENT,
    ADD_REMOVAL,
    AFTER,
    BEGIN_ROOM,
    BROWSE,
    CHOSEN,
    EXPIRED,
    FORGET_REMOVALS,
    FORGET_WORDS,
    HIT,
    JUDGED,
    JUDGED_NS,
    JUDGEMENT,
    JUDGEMENTS_EVERY_NS,
    MOST_JUDGED,
    MOST_NEWS,
    NEW,
    OLD_JUDGEMENTS,
    OLDEST,
    ONES,
    PIECE,
    PUT,
    REMOVALS,
    REMOVED,
    ROOM,
    SET_REMOVED,
    SET_ROOM,
    TRIM,
    UNLEARN,
    VECTORS,
    WORDS_NS,
    chosen_of,
    judgement_values,
    narrowed,
    news_of,
    put_values,
    readable,
)
from headgate.stores.answer_tiers import TieredAnswers
from headgate.stores.answers import MOST_JUDGEMENTS, CacheEntry, Judgement, Popular, Selection
from headgate.stores.backends.postgres.connection import Database
from headgate.stores.backends.postgres.near import LARGE_GROUP, LOCK_ANSWERS, Near
from headgate.stores.backends.postgres.statements import numbered
from headgate.stores.backends.postgres.text import read

if TYPE_CHECKING:
    from asyncpg import Connection

__all__ = ["PostgresAnswerTable", "postgres_answers"]

T = TypeVar("T")

_LOOK_SECONDS = 2.0
"""Longest wait for one answer. Who asks for it gives up far earlier."""
_WRITE_SECONDS = 20.0
_SLACK = 100
"""One part in so many is freed beyond what has to be, so that not every batch evicts."""
_FETCH = "SELECT entry, vector FROM answer WHERE key = ANY($1::bytea[]) AND until_ns > $2"
_SIZES = "SELECT count(*), coalesce(sum(size), 0)::bigint FROM answer WHERE key = ANY($1::bytea[])"
_DROP = "DELETE FROM answer WHERE key = ANY($1::bytea[])"
_NAMES = ", ".join(f'"{name}"' for name in JUDGEMENT)
_OF_KEYS = f"SELECT {_NAMES} FROM answer_judgement WHERE key = ANY($1::bytea[]) ORDER BY id"  # noqa: S608 - our own names


def postgres_answers(
    database: Database,
    *,
    memory_bytes: int,
    most_bytes: int,
    now_ns: Callable[[], int] = time.time_ns,
    large_group: int = LARGE_GROUP,
) -> TieredAnswers:
    """Answers on the server, with those asked for lately in the memory of this node. large_group: vectors from which on neighbours are
    looked for by an index, where there is pgvector."""
    table = PostgresAnswerTable(database, most_bytes, now_ns=now_ns, large_group=large_group)
    return TieredAnswers(table, memory_bytes=memory_bytes, most_bytes=most_bytes, now_ns=now_ns)


class PostgresAnswerTable:
    """See `Backing`."""

    def __init__(
        self,
        database: Database,
        most_bytes: int,
        *,
        now_ns: Callable[[], int] = time.time_ns,
        large_group: int = LARGE_GROUP,
    ) -> None:
        self._database = database
        self._most = most_bytes
        self._now_ns = now_ns
        self._near = Near(database, large=large_group)
        self.evicted = 0
        self._judgements_due_ns = 0

    async def news(self, removed: int, written: int) -> News:
        """See `Backing`."""

        async def ask(connection: Connection) -> News:
            room = await _room(connection)
            if room[1] == removed and room[0] == written:
                return News(removed=removed, written=written)
            # Of one moment: a removal that is not told now comes after the number that is.
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                room = await _room(connection)
                told = await _fetch(connection, REMOVALS, removed)
                rows = await _fetch(connection, NEW, written, MOST_NEWS) if written >= 0 else []
            return news_of(room, removed, written, told, rows)

        return await self._database.run(ask, seconds=_LOOK_SECONDS)

    async def fetch(self, keys: Sequence[bytes]) -> Sequence[CacheEntry]:
        """See `Backing`."""
        given = list(keys), self._now_ns()
        rows = await self._database.run(lambda one: one.fetch(_FETCH, *given), seconds=_LOOK_SECONDS)
        return [entry for row in rows if (entry := readable(*row)) is not None]

    async def write(self, entries: Sequence[tuple[CacheEntry, int]], removed: int) -> int:
        """See `Backing`."""
        now, keys = self._now_ns(), [entry.key for entry, _ in entries]

        async def ask(connection: Connection) -> int:
            written, last, _, count, size = await _room(connection)
            if last > removed:
                return 0
            before, bytes_before = await connection.fetchrow(_SIZES, keys)
            await _run_all(
                connection, PUT, [put_values(entry, each, written + 1, now) for entry, each in entries]
            )
            count += len(keys) - before
            size += sum(each for _, each in entries) - bytes_before
            if size > self._most:
                gone, freed = await self._make_room(connection, size)
                count, size = count - gone, size - freed
            await _run(connection, SET_ROOM, written + 1, count, size)
            await self._near.put(connection, [entry for entry, _ in entries])
            return written + 1

        return await self._alone(ask)

    async def note_hits(self, hits: Mapping[bytes, tuple[int, int]]) -> None:
        """See `Backing`."""
        # In one order on every node: two that change the same rows must not wait for each other.
        values = [(count, last, last, key) for key, (count, last) in sorted(hits.items())]

        async def ask(connection: Connection) -> None:
            await _run_all(connection, HIT, values)

        await self._alone(ask)

    async def announce(self, which: Selection) -> int:
        """See `Backing`."""
        told = msgspec.json.encode(which).decode()

        async def ask(connection: Connection) -> int:
            _, removed, floor, _, _ = await _room(connection)
            await _run(connection, ADD_REMOVAL, removed + 1, time.time_ns(), told)
            await _run(connection, SET_REMOVED, removed + 1, floor)
            return int(removed) + 1

        return await self._alone(ask)

    async def chosen(self, choice: Choice, after: bytes) -> Chosen:
        """See `Backing`."""
        where, values = narrowed(choice.which)

        async def ask(connection: Connection) -> Chosen:
            rows = await _fetch(connection, CHOSEN.format(where=where), after, *values, PIECE)
            return chosen_of(rows, choice)

        return await self._database.run(ask, seconds=_WRITE_SECONDS)

    async def drop(self, keys: Sequence[bytes]) -> None:
        """See `Backing`."""
        await self._alone(lambda connection: _drop(connection, keys))

    async def keys(self, after: bytes) -> tuple[Sequence[bytes], bytes | None]:  # noqa: ARG002 - nobody asks a server that others fill
        """See `Backing`."""
        return [], None

    async def vectors(self, compat: bytes, embedder: str, after: bytes) -> Vectors:
        """See `Backing`."""

        async def ask(connection: Connection) -> Vectors:
            rows = await _fetch(connection, VECTORS, compat, embedder, after, MOST_NEWS)
            return Vectors(
                [(row[0], row[1]) for row in rows], rows[-1][0] if len(rows) == MOST_NEWS else None
            )

        return await self._database.run(ask)

    async def nearest(
        self, compat: bytes, embedder: str, vector: bytes, count: int
    ) -> Sequence[tuple[bytes, float]] | None:
        """See `Backing`."""
        return await self._near.nearest(compat, embedder, vector, count)

    async def browse(
        self, choice: Choice, order: Literal["hits", "newest"], limit: int, after: bytes
    ) -> Sequence[Popular]:
        """See `Backing`."""
        by = "hits" if order == "hits" else "made_ns"
        where, values = narrowed(choice.which)
        text = BROWSE.format(by=by, where=where)

        async def ask(connection: Connection) -> list[Popular]:
            last, key = (1 << 63) - 1, after
            if after:
                row = await _fetch(connection, AFTER.format(by=by), after)
                if not row:
                    return []
                last = row[0][0]
            found: list[Popular] = []
            while len(found) < limit:
                keys = await _fetch(connection, text, self._now_ns(), *values, last, last, key, PIECE)
                some = {
                    row[0]: row
                    for row in await connection.fetch(
                        f"{ONES}key = ANY($1::bytea[])", [row[0] for row in keys]
                    )
                }
                for each, _ in keys:
                    _, data, vector, hits, used = some.get(each, (each, b"", b"", 0, 0))
                    entry = readable(data, vector)
                    if entry is not None and choice(entry):
                        found.append(Popular(entry, hits, used))
                if len(keys) < PIECE:
                    break
                key, last = keys[-1]
            return found[:limit]

        return await self._database.run(ask, seconds=_WRITE_SECONDS)

    async def judge(self, judgements: Sequence[Judgement]) -> None:
        """See `Backing`."""
        keys = sorted({each.key for each in judgements})

        async def ask(connection: Connection) -> None:
            await _run_all(connection, ADD_JUDGEMENT, [judgement_values(each) for each in judgements])
            await _run_all(connection, TRIM, [(key, key, MOST_JUDGEMENTS - 1) for key in keys])

        await self._alone(ask)

    async def judgements(self, keys: Sequence[bytes]) -> Mapping[bytes, Sequence[Judgement]]:
        """See `Backing`."""
        given = list(keys)
        rows = await self._database.run(lambda one: one.fetch(_OF_KEYS, given), seconds=_LOOK_SECONDS)
        found: dict[bytes, list[Judgement]] = {}
        for row in rows:
            found.setdefault(row[0], []).append(_judgement(row))
        return found

    async def judged(self, feature: str | None, since_ns: int, limit: int) -> Sequence[Judgement]:
        """See `Backing`."""
        text = JUDGED.format(where="" if feature is None else " AND feature = ?")
        values = [since_ns, *([] if feature is None else [feature]), limit]
        rows = await self._database.run(lambda one: _fetch(one, text, *values))
        return [_judgement(row) for row in rows]

    async def unlearn(self, request_ids: Sequence[int]) -> None:
        """See `Backing`."""

        async def ask(connection: Connection) -> None:
            await _run_all(connection, UNLEARN, [(each,) for each in request_ids])

        await self._alone(ask)

    async def held(self) -> Held:
        """See `Backing`."""
        room = await self._database.run(_room)
        return Held(room[3], room[4])

    async def tidy(self) -> int:
        """See `Backing`."""
        now = self._now_ns()

        async def ask(connection: Connection) -> int:
            over = [row[0] for row in await _fetch(connection, EXPIRED, now, PIECE)]
            await _drop(connection, over)
            _, removed, floor, _, _ = await _room(connection)
            known = time.time_ns() - round(REMEMBERED_SECONDS * 1e9)
            last = (await _fetch(connection, REMOVED, known))[0][0]
            if last > floor:
                await _run(connection, FORGET_REMOVALS, last)
                await _run(connection, SET_REMOVED, removed, last)
            if now >= self._judgements_due_ns:
                await _run(connection, FORGET_WORDS, now - WORDS_NS)
                await _run(connection, OLD_JUDGEMENTS, now - JUDGED_NS, MOST_JUDGED)
                self._judgements_due_ns = now + JUDGEMENTS_EVERY_NS
            return len(over)

        return await self._alone(ask) + await self._near.catch_up()

    async def aclose(self) -> None:
        """See `Backing`."""

    async def _alone(self, change: Callable[[Connection], Awaitable[T]]) -> T:
        """In a transaction, while no other node changes answers."""

        async def ask(connection: Connection) -> T:
            async with connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK_ANSWERS)
                await connection.execute(BEGIN_ROOM)
                return await change(connection)

        return await self._database.run(ask, seconds=_WRITE_SECONDS)

    async def _make_room(self, connection: Connection, size: int) -> tuple[int, int]:
        """How many went, and what they took."""
        most, gone, freed = self._most - self._most // _SLACK, 0, 0
        while size - freed > most:
            some: list[bytes] = []
            for key, each in await _fetch(connection, OLDEST, PIECE):
                if size - freed <= most:
                    break
                some.append(key)
                freed += each
            if not some:
                break
            await connection.execute(_DROP, some)
            gone += len(some)
        self.evicted += gone
        return gone, freed


async def _room(connection: Connection) -> tuple[int, int, int, int, int]:
    row = await connection.fetchrow(ROOM)
    return tuple(row) if row is not None else (0, 0, 0, 0, 0)


async def _drop(connection: Connection, keys: Sequence[bytes]) -> None:
    found, size = await connection.fetchrow(_SIZES, list(keys))
    if found:
        await connection.execute(_DROP, list(keys))
        written, _, _, count, held = await _room(connection)
        await _run(connection, SET_ROOM, written, count - found, held - size)


async def _fetch(connection: Connection, text: str, *values: Any) -> Sequence[Sequence[Any]]:
    question, given = numbered(text, values)
    rows = await connection.fetch(question, *given)
    return [tuple(read(each) if type(each) is str else each for each in row) for row in rows]


async def _run(connection: Connection, text: str, *values: Any) -> None:
    question, given = numbered(text, values)
    await connection.execute(question, *given)


async def _run_all(connection: Connection, text: str, rows: Sequence[Sequence[Any]]) -> None:
    if rows:
        question, _ = numbered(text, ())
        await connection.executemany(question, [numbered("", row)[1] for row in rows])


def _judgement(row: Sequence[Any]) -> Judgement:
    values: dict[str, Any] = {
        name: read(value) if type(value) is str else value for name, value in zip(JUDGEMENT, row, strict=True)
    }
    return Judgement(**values)
