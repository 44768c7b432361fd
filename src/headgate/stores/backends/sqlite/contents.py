"""Contents: each once under its hash, many compressed together in a segment, as `stores.segments` packs them.

A batch closes its segment, so that what is stored can be read; little traffic makes small segments.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from sqlite3 import Connection
from typing import Any

from headgate.stores.backends.sqlite.statements import Insert
from headgate.stores.segments import CONTENT_EPOCH, Known, Segment, pack, piece, without
from headgate.stores.spans import Content, RequestRow

__all__ = ["ContentWriter", "delete_content", "delete_contents", "read_content", "segments_of"]

_ASK_AT_ONCE = 500

_INSERT = Insert("content", ("segment_id", "hash", "kind", "offset", "length", "size", "last_id"))
_EPOCH = "SELECT value FROM installation WHERE name = ?"
_BUMP = "INSERT OR REPLACE INTO installation (name, value) VALUES (?, ?)"
_MARK = "UPDATE content SET last_id = ? WHERE hash = ? AND last_id < ?"
_INSERT_SEGMENT = "INSERT INTO content_segment (data) VALUES (?)"


class ContentWriter:
    """Stores contents inside the transaction its caller has begun; the caller says `committed` or `rolled_back`."""

    def __init__(self) -> None:
        self._known = Known()

    def write(
        self, connection: Connection, contents: Iterable[Content], requests: Iterable[RequestRow] = ()
    ) -> None:
        """Store those that are not there yet, and note which of these requests have them."""
        (epoch,) = connection.execute(_EPOCH, (CONTENT_EPOCH,)).fetchone() or (b"",)
        self._known.since(epoch)
        new = self._known.new(contents)
        marks = self._known.note(new, requests)
        for found in _stored(connection, list(new)):
            del new[found]
        for segment in pack(new.values(), marks):
            _write_segment(connection, segment)
        again = [(number, kept, number) for kept, number in marks.items() if kept not in new]
        connection.executemany(_MARK, again)

    def committed(self) -> None:
        """What was written last is there to stay."""
        self._known.committed()

    def rolled_back(self) -> None:
        """What was written last never happened."""
        self._known.rolled_back()


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
    return row is not None and delete_contents(connection, row[0], [content_hash]) > 0


def delete_contents(
    connection: Connection, segment_id: int, hashes: Sequence[str], *, used_before: int = 2**63 - 1
) -> int:
    """The same for several of one segment, but not those that a request from `used_before` on has; how many were deleted."""
    gone = connection.executemany(
        "DELETE FROM content WHERE hash = ? AND segment_id = ? AND last_id < ?",
        [(each, segment_id, used_before) for each in hashes],
    ).rowcount
    if gone < 1:
        return 0
    connection.execute(_BUMP, (CONTENT_EPOCH, os.urandom(8)))
    kept: list[Any] = connection.execute(
        'SELECT hash, "offset", length FROM content WHERE segment_id = ? ORDER BY "offset"', (segment_id,)
    ).fetchall()
    if not kept:
        connection.execute("DELETE FROM content_segment WHERE id = ?", (segment_id,))
        return gone
    (data,) = connection.execute("SELECT data FROM content_segment WHERE id = ?", (segment_id,)).fetchone()
    rewritten, offsets = without(data, [(start, length) for _, start, length in kept])
    moved = [(offset, row[0]) for offset, row in zip(offsets, kept, strict=True)]
    connection.executemany('UPDATE content SET "offset" = ? WHERE hash = ?', moved)
    connection.execute("UPDATE content_segment SET data = ? WHERE id = ?", (rewritten, segment_id))
    return gone


def segments_of(connection: Connection, hashes: Sequence[str]) -> dict[int, list[str]]:
    """Segment -> those of these contents that lie in it."""
    found: dict[int, list[str]] = {}
    for start in range(0, len(hashes), _ASK_AT_ONCE):
        some = hashes[start : start + _ASK_AT_ONCE]
        text = f"SELECT hash, segment_id FROM content WHERE hash IN ({', '.join('?' * len(some))})"  # noqa: S608
        for kept, segment_id in connection.execute(text, some):
            found.setdefault(segment_id, []).append(kept)
    return found
