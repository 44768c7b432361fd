"""Contents: each once under its hash, many compressed together in a segment, as `stores.segments` packs them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from headgate.stores.segments import pack, piece, without
from headgate.stores.spans import Content

if TYPE_CHECKING:
    from asyncpg import Connection

__all__ = ["ContentWriter", "delete_content", "read_content"]

_REMEMBERED = 16_384
_INSERT_SEGMENT = "INSERT INTO content_segment (data) VALUES ($1) RETURNING id"
_INSERT = (
    'INSERT INTO content (segment_id, hash, kind, "offset", length, size) '
    "SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[]) "
    "ON CONFLICT DO NOTHING"
)


class ContentWriter:
    """Stores contents inside the transaction its caller has begun; the caller says `committed` or `rolled_back`."""

    def __init__(self) -> None:
        # Hashes seen lately, in order: most repeated prompts repeat soon. Only spares the question to the table.
        self._known: dict[str, None] = {}
        self._fresh: dict[str, None] = {}

    async def write(self, connection: Connection, contents: Iterable[Content]) -> None:
        """Store those that are not there yet."""
        new = {content.hash: content for content in contents if content.hash not in self._known}
        if not new:
            return
        self._fresh = dict.fromkeys(new)
        stored = await connection.fetch("SELECT hash FROM content WHERE hash = ANY($1::text[])", list(new))
        for (found,) in stored:
            del new[found]
        for segment in pack(new.values()):
            number = await connection.fetchval(_INSERT_SEGMENT, segment.data)
            hashes, kinds, offsets, lengths, sizes = zip(*segment.places, strict=True)
            await connection.execute(_INSERT, number, hashes, kinds, offsets, lengths, sizes)

    def committed(self) -> None:
        """What was written last is there to stay."""
        self._known.update(self._fresh)
        self._fresh = {}
        if len(self._known) > _REMEMBERED:
            for old in list(self._known)[: len(self._known) - _REMEMBERED // 2]:
                del self._known[old]

    def rolled_back(self) -> None:
        """What was written last never happened."""
        self._fresh = {}


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
    if segment_id is None:
        return False
    # Locked: two deletions in one segment must not each write the other's back.
    data = await connection.fetchval("SELECT data FROM content_segment WHERE id = $1 FOR UPDATE", segment_id)
    await connection.execute("DELETE FROM content WHERE hash = $1", content_hash)
    kept = await connection.fetch(
        'SELECT hash, "offset", length FROM content WHERE segment_id = $1 ORDER BY "offset"', segment_id
    )
    if not kept:
        await connection.execute("DELETE FROM content_segment WHERE id = $1", segment_id)
        return True
    rewritten, offsets = without(data, [(start, length) for _, start, length in kept])
    moved = [(offset, row[0]) for offset, row in zip(offsets, kept, strict=True)]
    await connection.executemany('UPDATE content SET "offset" = $1 WHERE hash = $2', moved)
    await connection.execute("UPDATE content_segment SET data = $1 WHERE id = $2", rewritten, segment_id)
    return True
