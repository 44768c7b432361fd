"""Answers in the database's file. Three connections of their own: who looks for one waits neither for those that are written nor
for a search through all of them, and the writer of records for none of it longer than a batch takes."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

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
    DROP,
    EXPIRED,
    FORGET_REMOVALS,
    FORGET_WORDS,
    HIT,
    JUDGED,
    JUDGED_NS,
    JUDGEMENT,
    JUDGEMENTS_EVERY_NS,
    KEYS,
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
from headgate.stores.backends.sqlite.audit import transaction
from headgate.stores.backends.sqlite.connection import Database, set_pragma

__all__ = ["SqliteAnswerFile", "sqlite_answers"]

_MOST_KEYS = 20_000
_SLACK = 100
"""One part in so many is freed beyond what has to be, so that not every batch evicts."""


def sqlite_answers(
    database: Database, *, memory_bytes: int, most_bytes: int, now_ns: Callable[[], int] = time.time_ns
) -> TieredAnswers:
    """Answers in the file, with those asked for lately in memory."""
    file = SqliteAnswerFile(database, most_bytes, now_ns=now_ns)
    return TieredAnswers(file, memory_bytes=memory_bytes, most_bytes=most_bytes, alone=True, now_ns=now_ns)


class SqliteAnswerFile:
    """See `Backing`."""

    def __init__(
        self, database: Database, most_bytes: int, *, now_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._most = most_bytes
        self._now_ns = now_ns
        self._reading = database.line("headgate-answers")
        self._writing = database.line("headgate-answers-writer")
        self._looking = database.line("headgate-answers-search")
        self.evicted = 0
        self._judgements_due_ns = 0

    async def news(self, removed: int, written: int) -> News:
        """See `Backing`."""

        def ask(connection: sqlite3.Connection) -> News:
            room = connection.execute(ROOM).fetchone() or (0, 0, 0, 0, 0)
            if room[1] == removed and room[0] == written:
                return News(removed=removed, written=written)
            # Of one moment: a removal that is not told now comes after the number that is.
            connection.execute("BEGIN")
            try:
                room = connection.execute(ROOM).fetchone() or (0, 0, 0, 0, 0)
                told = connection.execute(REMOVALS, (removed,)).fetchall()
                rows = connection.execute(NEW, (written, MOST_NEWS)).fetchall() if written >= 0 else []
            finally:
                connection.execute("COMMIT")
            return news_of(room, removed, written, told, rows)

        return await self._reading.run(ask)

    async def fetch(self, keys: Sequence[bytes]) -> Sequence[CacheEntry]:
        """See `Backing`."""
        text = (
            f"SELECT entry, vector FROM answer WHERE key IN ({', '.join('?' * len(keys))}) AND until_ns > ?"  # noqa: S608
        )

        def ask(connection: sqlite3.Connection) -> list[CacheEntry]:
            rows = connection.execute(text, [*keys, self._now_ns()]).fetchall()
            return [entry for row in rows if (entry := readable(*row)) is not None]

        return await self._reading.run(ask)

    async def write(self, entries: Sequence[tuple[CacheEntry, int]], removed: int) -> int:
        """See `Backing`."""

        def ask(connection: sqlite3.Connection) -> int:
            now = self._now_ns()
            with transaction(connection):
                connection.execute(BEGIN_ROOM)
                written, last, _, count, size = connection.execute(ROOM).fetchone()
                if last > removed:
                    return 0
                keys = [entry.key for entry, _ in entries]
                text = f"SELECT count(*), coalesce(sum(size), 0) FROM answer WHERE key IN ({', '.join('?' * len(keys))})"  # noqa: S608
                before, bytes_before = connection.execute(text, keys).fetchone()
                connection.executemany(
                    PUT, [put_values(entry, each, written + 1, now) for entry, each in entries]
                )
                count += len(keys) - before
                size += sum(each for _, each in entries) - bytes_before
                if size > self._most:
                    gone, freed = self._make_room(connection, size)
                    count, size = count - gone, size - freed
                connection.execute(SET_ROOM, (written + 1, count, size))
            return int(written) + 1

        return await self._writing.run(ask)

    async def note_hits(self, hits: Mapping[bytes, tuple[int, int]]) -> None:
        """See `Backing`."""

        def ask(connection: sqlite3.Connection) -> None:
            with transaction(connection):
                connection.executemany(HIT, [(count, last, last, key) for key, (count, last) in hits.items()])

        await self._writing.run(ask)

    async def announce(self, which: Selection) -> int:
        """See `Backing`."""
        told = msgspec.json.encode(which).decode()

        def ask(connection: sqlite3.Connection) -> int:
            with transaction(connection):
                connection.execute(BEGIN_ROOM)
                _, removed, floor, _, _ = connection.execute(ROOM).fetchone()
                connection.execute(ADD_REMOVAL, (removed + 1, time.time_ns(), told))
                connection.execute(SET_REMOVED, (removed + 1, floor))
            return int(removed) + 1

        return await self._writing.run(ask)

    async def chosen(self, choice: Choice, after: bytes) -> Chosen:
        """See `Backing`."""
        where, values = narrowed(choice.which)
        text = CHOSEN.format(where=where)

        def ask(connection: sqlite3.Connection) -> Chosen:
            rows = connection.execute(text, [after, *values, PIECE]).fetchall()
            return chosen_of(rows, choice)

        return await self._looking.run(ask)

    async def drop(self, keys: Sequence[bytes]) -> None:
        """See `Backing`."""

        def ask(connection: sqlite3.Connection) -> None:
            # What was removed shall not stand in a page that is free now.
            set_pragma(connection, "secure_delete=ON")
            try:
                with transaction(connection):
                    self._drop(connection, keys)
            finally:
                set_pragma(connection, "secure_delete=FAST")

        await self._writing.run(ask)

    async def keys(self, after: bytes) -> tuple[Sequence[bytes], bytes | None]:
        """See `Backing`."""

        def ask(connection: sqlite3.Connection) -> tuple[Sequence[bytes], bytes | None]:
            found = [row[0] for row in connection.execute(KEYS, (after, _MOST_KEYS))]
            return found, found[-1] if len(found) == _MOST_KEYS else None

        return await self._looking.run(ask)

    async def vectors(self, compat: bytes, embedder: str, after: bytes) -> Vectors:
        """See `Backing`."""

        def ask(connection: sqlite3.Connection) -> Vectors:
            rows = connection.execute(VECTORS, (compat, embedder, after, MOST_NEWS)).fetchall()
            return Vectors(rows, rows[-1][0] if len(rows) == MOST_NEWS else None)

        # Not in the line of searches through everything: a question waits for it.
        return await self._reading.run(ask)

    async def nearest(
        self,
        compat: bytes,  # noqa: ARG002 - as below
        embedder: str,  # noqa: ARG002 - as below
        vector: bytes,  # noqa: ARG002 - as below
        count: int,  # noqa: ARG002 - this engine knows no vectors
    ) -> None:
        """See `Backing`."""
        return

    async def browse(
        self, choice: Choice, order: Literal["hits", "newest"], limit: int, after: bytes
    ) -> Sequence[Popular]:
        """See `Backing`."""
        by = "hits" if order == "hits" else "made_ns"
        where, values = narrowed(choice.which)

        def ask(connection: sqlite3.Connection) -> list[Popular]:
            last = (1 << 63) - 1
            if after:
                row = connection.execute(AFTER.format(by=by), (after,)).fetchone()
                if row is None:
                    return []
                last = row[0]
            given = [self._now_ns(), *values, last, last, after, -1]
            found: list[Popular] = []
            for key, _ in connection.execute(BROWSE.format(by=by, where=where), given):
                _, entry, vector, hits, used = connection.execute(f"{ONES}key = ?", (key,)).fetchone()
                each = readable(entry, vector)
                if each is not None and choice(each):
                    found.append(Popular(each, hits, used))
                    if len(found) >= limit:
                        break
            return found

        return await self._looking.run(ask) if limit > 0 else []

    async def judge(self, judgements: Sequence[Judgement]) -> None:
        """See `Backing`."""
        keys = {each.key for each in judgements}

        def ask(connection: sqlite3.Connection) -> None:
            with transaction(connection):
                connection.executemany(ADD_JUDGEMENT, [judgement_values(each) for each in judgements])
                connection.executemany(TRIM, [(key, key, MOST_JUDGEMENTS - 1) for key in keys])

        await self._writing.run(ask)

    async def judgements(self, keys: Sequence[bytes]) -> Mapping[bytes, Sequence[Judgement]]:
        """See `Backing`."""
        text = (
            f"SELECT {', '.join(_JUDGEMENT)} FROM answer_judgement "  # noqa: S608 - our own names
            f"WHERE key IN ({', '.join('?' * len(keys))}) ORDER BY id"
        )

        def ask(connection: sqlite3.Connection) -> dict[bytes, list[Judgement]]:
            found: dict[bytes, list[Judgement]] = {}
            for row in connection.execute(text, list(keys)):
                found.setdefault(row[0], []).append(_judgement(row))
            return found

        return await self._reading.run(ask)

    async def judged(self, feature: str | None, since_ns: int, limit: int) -> Sequence[Judgement]:
        """See `Backing`."""
        text = JUDGED.format(where="" if feature is None else " AND feature = ?")
        values = [since_ns, *([] if feature is None else [feature]), limit]
        rows = await self._looking.run(lambda connection: connection.execute(text, values).fetchall())
        return [_judgement(row) for row in rows]

    async def unlearn(self, request_ids: Sequence[int]) -> None:
        """See `Backing`."""

        def ask(connection: sqlite3.Connection) -> None:
            with transaction(connection):
                connection.executemany(UNLEARN, [(each,) for each in request_ids])

        await self._writing.run(ask)

    async def held(self) -> Held:
        """See `Backing`."""
        room = await self._looking.run(lambda connection: connection.execute(ROOM).fetchone())
        return Held(room[3], room[4]) if room else Held(0, 0)

    async def tidy(self) -> int:
        """See `Backing`."""

        def ask(connection: sqlite3.Connection) -> int:
            now = self._now_ns()
            with transaction(connection):
                connection.execute(BEGIN_ROOM)
                over = [row[0] for row in connection.execute(EXPIRED, (now, PIECE))]
                self._drop(connection, over)
                _, removed, floor, _, _ = connection.execute(ROOM).fetchone()
                known = time.time_ns() - round(REMEMBERED_SECONDS * 1e9)
                (last,) = connection.execute(REMOVED, (known,)).fetchone()
                if last > floor:
                    connection.execute(FORGET_REMOVALS, (last,))
                    connection.execute(SET_REMOVED, (removed, last))
                if now >= self._judgements_due_ns:
                    connection.execute(FORGET_WORDS, (now - WORDS_NS,))
                    connection.execute(OLD_JUDGEMENTS, (now - JUDGED_NS, MOST_JUDGED))
                    self._judgements_due_ns = now + JUDGEMENTS_EVERY_NS
            return len(over)

        return await self._writing.run(ask)

    async def aclose(self) -> None:
        """See `Backing`."""
        for line in (self._reading, self._writing, self._looking):
            await line.close()

    def _make_room(self, connection: sqlite3.Connection, size: int) -> tuple[int, int]:
        """How many went, and what they took."""
        most, gone, freed = self._most - self._most // _SLACK, 0, 0
        while size - freed > most:
            rows = connection.execute(OLDEST, (PIECE,)).fetchall()
            some: list[bytes] = []
            for key, each in rows:
                if size - freed <= most:
                    break
                some.append(key)
                freed += each
            if not some:
                break
            connection.executemany(DROP, [(key,) for key in some])
            gone += len(some)
        self.evicted += gone
        return gone, freed

    def _drop(self, connection: sqlite3.Connection, keys: Sequence[bytes]) -> None:
        text = (
            f"SELECT count(*), coalesce(sum(size), 0) FROM answer WHERE key IN ({', '.join('?' * len(keys))})"  # noqa: S608
        )
        found, size = connection.execute(text, list(keys)).fetchone()
        if found:
            connection.executemany(DROP, [(key,) for key in keys])
            written, _, _, count, held = connection.execute(ROOM).fetchone()
            connection.execute(SET_ROOM, (written, count - found, held - size))


_JUDGEMENT = [f'"{name}"' for name in JUDGEMENT]


def _judgement(row: Sequence[Any]) -> Judgement:
    values = dict(zip(JUDGEMENT, row, strict=True))
    return Judgement(**{**values, "right": bool(values["right"])})
