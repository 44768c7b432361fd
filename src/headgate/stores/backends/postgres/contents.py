"""Contents: each once under its hash, many compressed together in a segment, as `stores.segments` packs them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from headgate.stores.backends.postgres.text import kept
from headgate.stores.segments import CONTENT_EPOCH, Known, pack, piece, without
from headgate.stores.spans import Content, RequestRow

if TYPE_CHECKING:
    from asyncpg import Connection

__all__ = ["ContentWriter", "delete_content", "delete_contents", "read_content", "segments_of"]

_INSERT_SEGMENT = "INSERT INTO content_segment (data) VALUES ($1) RETURNING id"
_INSERT = (
    'INSERT INTO content (segment_id, hash, kind, "offset", length, size, last_id) '
    "SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[]) "
    "ON CONFLICT DO NOTHING"
)
_EPOCH = "SELECT value FROM installation WHERE name = $1"
_BUMP = "INSERT INTO installation (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
_MARK = (
    "UPDATE content SET last_id = m.last_id FROM unnest($1::text[], $2::bigint[]) AS m (hash, last_id) "
    "WHERE content.hash = m.hash AND content.last_id < m.last_id"
)


class ContentWriter:
    """Stores contents inside the transaction its caller has begun; the caller says `committed` or `rolled_back`."""

    def __init__(self) -> None:
        self._known = Known()

    async def write(
        self, connection: Connection, contents: Iterable[Content], requests: Iterable[RequestRow] = ()
    ) -> None:
        """Store those that are not there yet, and note which of these requests have them."""
        self._known.since(await connection.fetchval(_EPOCH, CONTENT_EPOCH) or b"")
        new = self._known.new(contents)
        marks = self._known.note(new, requests)
        if new:
            stored = await connection.fetch(
                "SELECT hash FROM content WHERE hash = ANY($1::text[])", list(new)
            )
            for (found,) in stored:
                del new[found]
        for segment in pack(new.values(), marks):
            number = await connection.fetchval(_INSERT_SEGMENT, segment.data)
            columns = zip(*segment.places, strict=True)
            await connection.execute(_INSERT, number, *columns)
        again = [(kept(each), number) for each, number in marks.items() if each not in new]
        if again:
            await connection.execute(_MARK, *zip(*again, strict=True))

    def committed(self) -> None:
        """What was written last is there to stay."""
        self._known.committed()

    def rolled_back(self) -> None:
        """What was written last never happened."""
        self._known.rolled_back()


async def read_content(connection: Connection, content_hash: str) -> Content | None:
    """One content, or None."""
    row = await connection.fetchrow(
        'SELECT kind, c."offset", length, size, data FROM content c JOIN content_segment s ON s.id = c.segment_id '
        "WHERE hash = $1",
        content_hash,
    )
    if row is None:
        return None
    kind, offset, length, size, data = row
    return Content(hash=content_hash, kind=kind, data=piece(data, offset, length), size=size)


async def delete_content(connection: Connection, content_hash: str) -> bool:
    """Make one content unreadable for good: its segment is written anew without it. False if there is none.

    Runs inside the caller's transaction. The spans that name the hash stay."""
    segment_id = await connection.fetchval("SELECT segment_id FROM content WHERE hash = $1", content_hash)
    return segment_id is not None and await delete_contents(connection, segment_id, [content_hash]) > 0


async def delete_contents(
    connection: Connection, segment_id: int, hashes: Sequence[str], *, used_before: int = 2**63 - 1
) -> int:
    """The same for several of one segment, but not those that a request from `used_before` on has; how many were deleted."""
    # Locked: two deletions in one segment must not each write the other's back.
    data = await connection.fetchval("SELECT data FROM content_segment WHERE id = $1 FOR UPDATE", segment_id)
    gone = await connection.fetch(
        "DELETE FROM content WHERE hash = ANY($1::text[]) AND segment_id = $2 AND last_id < $3 RETURNING hash",
        list(hashes),
        segment_id,
        used_before,
    )
    if not gone or data is None:
        return len(gone)
    await connection.execute(_BUMP, CONTENT_EPOCH, os.urandom(8))
    left = await connection.fetch(
        'SELECT hash, "offset", length FROM content WHERE segment_id = $1 ORDER BY "offset"', segment_id
    )
    if not left:
        await connection.execute("DELETE FROM content_segment WHERE id = $1", segment_id)
        return len(gone)
    rewritten, offsets = without(data, [(start, length) for _, start, length in left])
    moved = [(offset, row[0]) for offset, row in zip(offsets, left, strict=True)]
    await connection.executemany('UPDATE content SET "offset" = $1 WHERE hash = $2', moved)
    await connection.execute("UPDATE content_segment SET data = $1 WHERE id = $2", rewritten, segment_id)
    return len(gone)


async def segments_of(connection: Connection, hashes: Sequence[str]) -> dict[int, list[str]]:
    """Segment -> those of these contents that lie in it."""
    found: dict[int, list[str]] = {}
    text = "SELECT hash, segment_id FROM content WHERE hash = ANY($1::text[])"
    for each, segment_id in await connection.fetch(text, list(hashes)):
        found.setdefault(segment_id, []).append(each)
    return found
