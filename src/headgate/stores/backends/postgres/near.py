"""Neighbours on the server: pgvector, where it is installed and may be used; else every node keeps an index of its own.

Vectors stand in a table that is made when the extension is there, beside `answer`, whose columns are the same everywhere. Small groups are
compared row by row, which is exact; a large one gets an index (HNSW) of its own, so that no search has to filter.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from headgate.stores.answers import CacheEntry
from headgate.stores.backends.postgres.connection import WRITE_SECONDS, Database
from headgate.stores.backends.postgres.text import kept, read

if TYPE_CHECKING:
    from asyncpg import Connection

__all__ = ["LOCK_ANSWERS", "Near"]

LOCK_ANSWERS = 0x6865_6164_6761_7407
"""Of PostgreSQL's advisory locks: who adds or removes answers."""
LOCK_INDEXES = 0x6865_6164_6761_7408
"""Who makes indexes: one node at a time."""
LARGE_GROUP = 10_000
"""Vectors from which on a group gets an index: comparing so many takes about 8 ms."""
_LOOK_SECONDS = 2.0
_INDEX_SECONDS = 600.0
_INDEX_EVERY_SECONDS = 600.0
_PIECE = 500
_MOST_INDEXES = 16
_EF_SEARCH = 100
"""How thoroughly an index is searched."""
_AVAILABLE = "SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'"
_TYPE = "SELECT count(*) FROM pg_type WHERE typname = 'halfvec'"
_TABLE = (
    "CREATE TABLE IF NOT EXISTS answer_vector (key BYTEA PRIMARY KEY REFERENCES answer (key) ON DELETE CASCADE, "
    "compat BYTEA NOT NULL, embedder TEXT NOT NULL, near halfvec NOT NULL)"
)
_GROUP_INDEX = "CREATE INDEX IF NOT EXISTS answer_vector_group ON answer_vector (compat, embedder)"
_DROP = "DELETE FROM answer_vector WHERE key = ANY($1::bytea[])"
_ADD = (
    "INSERT INTO answer_vector (key, compat, embedder, near) VALUES ($1, $2, $3, $4::real[]::halfvec) "
    "ON CONFLICT (key) DO NOTHING"
)
_WITHOUT = (
    "SELECT a.key, a.compat, a.embedder, a.vector FROM answer a LEFT JOIN answer_vector v ON v.key = a.key "
    "WHERE a.embedder <> '' AND v.key IS NULL LIMIT $1"
)
_EACH = (
    # The question is made a vector once, not for each row.
    "WITH asked AS MATERIALIZED (SELECT $1::real[]::halfvec AS v) "
    "SELECT key, 1 - d FROM (SELECT key, near <=> asked.v AS d FROM answer_vector, asked "
    "WHERE compat = $3 AND embedder = $4 AND vector_dims(near) = $5 OFFSET 0) AS each ORDER BY d LIMIT $2"
)
_BY_INDEX = (
    "SELECT key, 1 - (near::halfvec({dims}) <=> $1::real[]::halfvec({dims})) FROM answer_vector "
    "WHERE compat = {compat} AND embedder = {embedder} "
    "ORDER BY near::halfvec({dims}) <=> $1::real[]::halfvec({dims}) LIMIT $2"
)
_LARGE = (
    "SELECT compat, embedder, count(*), min(vector_dims(near)), max(vector_dims(near)) FROM answer_vector "
    "GROUP BY compat, embedder HAVING count(*) >= $1 ORDER BY count(*) DESC LIMIT $2"
)
_INDEXES = (
    "SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
    "WHERE i.indrelid = 'answer_vector'::regclass AND c.relname LIKE 'answer_near_%'"
)


class Near:
    """See above. Used in the database's own thread, but for the numbers that it remembers."""

    def __init__(self, database: Database, *, large: int = LARGE_GROUP) -> None:
        """large: vectors from which on a group gets an index."""
        self._database = database
        self._large = large
        self._usable: bool | None = None
        self._ready = False
        """Has the server the vectors of all answers?"""
        self._indexed: dict[tuple[bytes, str], int] = {}
        self._index_due = 0.0

    async def put(self, connection: Connection, entries: Sequence[CacheEntry]) -> None:
        """Keep the vectors of entries that were just written, in the same transaction."""
        if self._usable is None:
            self._usable = await _prepared(connection)
        if not self._usable:
            return
        await connection.execute(_DROP, [entry.key for entry in entries])
        rows = [
            (entry.key, entry.compat, entry.embedder, entry.vector)
            for entry in entries
            if entry.vector and entry.embedder
        ]
        await _add(connection, rows)

    async def nearest(
        self, compat: bytes, embedder: str, vector: bytes, count: int
    ) -> Sequence[tuple[bytes, float]] | None:
        """The nearest; None: the server cannot tell, or not yet."""
        if not self._ready:
            return None
        dims = self._indexed.get((compat, embedder))
        numbers = _numbers(vector)

        async def ask(connection: Connection) -> Sequence[Any]:
            if dims is None or dims != len(numbers):
                given = (numbers, count, compat, kept(embedder), len(numbers))
                found: Sequence[Any] = await connection.fetch(_EACH, *given)
                return found
            # An index of one group is used where the question names it, not where it is filled in.
            text = _BY_INDEX.format(dims=dims, compat=_bytes(compat), embedder=_text(embedder))
            async with connection.transaction(readonly=True):
                await connection.execute(f"SET LOCAL hnsw.ef_search = {_EF_SEARCH}")
                rows: Sequence[Any] = await connection.fetch(text, numbers, count)
                return rows

        near = await self._database.run(ask, seconds=_LOOK_SECONDS)
        return [(row[0], float(row[1])) for row in near]

    async def catch_up(self) -> int:
        """Keep the vectors of a piece of the answers that came without: before the extension was there, or from another engine. How
        many it were. Gives large groups their index when there are none left."""

        async def ask(connection: Connection) -> int:
            async with connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK_ANSWERS)
                if self._usable is None:
                    self._usable = await _prepared(connection)
                if not self._usable or self._ready:
                    return 0
                rows = await connection.fetch(_WITHOUT, _PIECE)
                await _add(connection, [(row[0], row[1], read(row[2]), row[3]) for row in rows])
                return len(rows)

        if self._usable is False:
            return 0
        added = 0 if self._ready else await self._database.run(ask, seconds=WRITE_SECONDS)
        if self._usable and not added:
            self._ready = True
            if time.monotonic() >= self._index_due:
                self._index_due = time.monotonic() + _INDEX_EVERY_SECONDS
                await self._database.run(self._index, seconds=_INDEX_SECONDS)
        return added

    async def _index(self, connection: Connection) -> None:
        """Each large group has an index, others have none. Nobody who writes waits for it."""
        making = await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK_INDEXES)
        there = {row[0]: row[1] for row in await connection.fetch(_INDEXES)}
        indexed: dict[tuple[bytes, str], int] = {}
        wanted: set[str] = set()
        for compat, embedder, _, least, dims in await connection.fetch(_LARGE, self._large, _MOST_INDEXES):
            if least != dims:
                continue
            name = f"answer_near_{blake2b(compat + embedder.encode(), digest_size=12).hexdigest()}"
            wanted.add(name)
            if making and not there.get(name):
                # Half an index, of a node that was stopped in the middle.
                await connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
                await connection.execute(
                    f"CREATE INDEX CONCURRENTLY {name} ON answer_vector USING hnsw "
                    f"((near::halfvec({dims})) halfvec_cosine_ops) "
                    f"WHERE compat = {_bytes(compat)} AND embedder = {_text(read(embedder))}"
                )
                there[name] = True
            if there.get(name):
                indexed[compat, read(embedder)] = dims
        self._indexed = indexed
        if making:
            for name in there:
                if name not in wanted:
                    await connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            await connection.execute("SELECT pg_advisory_unlock($1)", LOCK_INDEXES)


async def _prepared(connection: Connection) -> bool:
    """Is the extension there, and the table? Within a transaction of whoever asks, under the lock."""
    if not await connection.fetchval(_TYPE):
        if not await connection.fetchval(_AVAILABLE):
            return False
        try:
            async with connection.transaction():
                await connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        except Exception as error:
            if type(error).__name__ in ("InsufficientPrivilegeError", "FeatureNotSupportedError"):
                return False  # an operator's choice: every node keeps an index of its own
            raise
        if not await connection.fetchval(_TYPE):
            return False  # older than 0.7
    await connection.execute(_TABLE)
    await connection.execute(_GROUP_INDEX)
    return True


async def _add(connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
    if rows:
        await connection.executemany(
            _ADD,
            [(key, compat, kept(embedder), _numbers(vector)) for key, compat, embedder, vector in rows],
        )


def _numbers(vector: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{len(vector) // 2}e", vector)


def _bytes(value: bytes) -> str:
    return f"'\\x{value.hex()}'::bytea"


def _text(value: str) -> str:
    quoted = kept(value).replace("'", "''")
    return f"'{quoted}'"
