"""Contents: each once under its hash, many compressed together in a segment, as `stores.segments` packs them.

A batch closes its segment, so that what is stored can be read; little traffic makes small segments.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from sqlite3 import Connection
from typing import Any

from headgate.stores.backends.sqlite.statements import Insert
from headgate.stores.segments import Segment, pack, piece, without
from headgate.stores.spans import Content

__all__ = ["ContentWriter", "delete_content", "read_content"]

_ASK_AT_ONCE = 500
_REMEMBERED = 16_384

_INSERT = Insert("content", ("segment_id", "hash", "kind", "offset", "length", "size"))
_INSERT_SEGMENT = "INSERT INTO content_segment (data) VALUES (?)"


class ContentWriter:
    """Stores contents inside the transaction its caller has begun; the caller says `committed` or `rolled_back`."""

    def __init__(self) -> None:
        # Hashes seen lately, in order: most repeated prompts repeat soon. Only spares the question to the table.
        self._known: dict[str, None] = {}
        self._fresh: dict[str, None] = {}

    def write(self, connection: Connection, contents: Iterable[Content]) -> None:
        """Store those that are not there yet."""
        new: dict[str, Content] = {}
        for content in contents:
            if content.hash not in self._known:
                new[content.hash] = content
        if not new:
            return
        self._fresh = dict.fromkeys(new)
        for found in _stored(connection, list(new)):
            del new[found]
        for segment in pack(new.values()):
            _write_segment(connection, segment)

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


def _write_segment(connection: Connection, segment: Segment) -> None:
    number = connection.execute(_INSERT_SEGMENT, (segment.data,)).lastrowid
    _INSERT.run(connection, [(number, *place) for place in segment.places])


def _stored(connection: Connection, hashes: Sequence[str]) -> Iterable[str]:
    for start in range(0, len(hashes), _ASK_AT_ONCE):
        some = hashes[start : start + _ASK_AT_ONCE]
        marks = ", ".join("?" * len(some))
        rows: list[Any] = connection.execute(
            f"SELECT hash FROM content WHERE hash IN ({marks})",  # noqa: S608 - question marks only
            some,
        ).fetchall()
        for row in rows:
            yield row[0]


def read_content(connection: Connection, content_hash: str) -> Content | None:
    """One content, or None."""
    row: Any = connection.execute(
        'SELECT kind, c."offset", length, size, data FROM content c JOIN content_segment s ON s.id = c.segment_id '
        "WHERE hash = ?",
        (content_hash,),
    ).fetchone()
    if row is None:
        return None
    kind, offset, length, size, data = row
    return Content(hash=content_hash, kind=kind, data=piece(data, offset, length), size=size)


def delete_content(connection: Connection, content_hash: str) -> bool:
    """Make one content unreadable for good: its segment is written anew without it. False if there is none.

    Runs inside the caller's transaction. The spans that name the hash stay."""
    row: Any = connection.execute("SELECT segment_id FROM content WHERE hash = ?", (content_hash,)).fetchone()
    if row is None:
        return False
    (segment_id,) = row
    (data,) = connection.execute("SELECT data FROM content_segment WHERE id = ?", (segment_id,)).fetchone()
    connection.execute("DELETE FROM content WHERE hash = ?", (content_hash,))
    kept: list[Any] = connection.execute(
        'SELECT hash, "offset", length FROM content WHERE segment_id = ? ORDER BY "offset"', (segment_id,)
    ).fetchall()
    if not kept:
        connection.execute("DELETE FROM content_segment WHERE id = ?", (segment_id,))
        return True
    rewritten, offsets = without(data, [(start, length) for _, start, length in kept])
    moved = [(offset, row[0]) for offset, row in zip(offsets, kept, strict=True)]
    connection.executemany('UPDATE content SET "offset" = ? WHERE hash = ?', moved)
    connection.execute("UPDATE content_segment SET data = ? WHERE id = ?", (rewritten, segment_id))
    return True
