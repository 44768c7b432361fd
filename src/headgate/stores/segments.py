"""How contents are packed, whatever engine keeps them: joined, then compressed together (zstandard).

Some 256 kB of contents together cost a tenth of compressing each alone, and they share their repetitions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import zstandard

from headgate.stores.spans import Content, RequestRow

__all__ = ["CONTENT_EPOCH", "MARK_AGAIN", "Known", "Place", "Segment", "pack", "piece", "without"]

_SEGMENT_BYTES = 256_000
_LEVEL = 3
_REMEMBERED = 16_384
MARK_AGAIN = 3_600_000 << 22
"""An hour, in ids: a content that is used again and again is marked so often."""
CONTENT_EPOCH = "content_epoch"
"""In `installation`: another value whenever contents were deleted, so that no writer believes them to be there still."""


class Known:
    """What a writer knows to be stored: hashes seen lately, each with the latest request that it was marked with.

    Only spares questions to the table: most prompts that repeat do so soon."""

    def __init__(self) -> None:
        self._marked: dict[str, int] = {}
        self._fresh: dict[str, int] = {}
        self._epoch = b""

    def since(self, epoch: bytes) -> None:
        """Contents were deleted, if this is another value than before."""
        if epoch != self._epoch:
            self._marked.clear()
            self._epoch = epoch

    def new(self, contents: Iterable[Content]) -> dict[str, Content]:
        """Those that may not be stored yet."""
        return {content.hash: content for content in contents if content.hash not in self._marked}

    def note(self, contents: Iterable[str], requests: Iterable[RequestRow]) -> dict[str, int]:
        """These contents are being stored with these requests. Hash -> latest request, of all that shall be marked."""
        marked, fresh = self._marked, dict.fromkeys(contents, 0)
        for row in requests:
            number = row.id
            for kept in (row.request_content, row.reply_content):
                if (
                    kept
                    and (number - marked.get(kept, -MARK_AGAIN) >= MARK_AGAIN)
                    and number > fresh.get(kept, 0)
                ):
                    fresh[kept] = number
        self._fresh = fresh
        return fresh

    def committed(self) -> None:
        """What was noted last is there to stay."""
        self._marked.update(self._fresh)
        self._fresh = {}
        if len(self._marked) > _REMEMBERED:
            for old in list(self._marked)[: len(self._marked) - _REMEMBERED // 2]:
                del self._marked[old]

    def rolled_back(self) -> None:
        """What was noted last never happened."""
        self._fresh = {}


class Place(NamedTuple):
    """Where in a segment a content lies."""

    hash: str
    kind: str
    offset: int
    length: int
    size: int
    """Bytes it had; more than `length` if its end was cut off."""
    last_id: int = 0
    """The latest request that has it."""


class Segment(NamedTuple):
    """Contents that are kept together."""

    data: bytes
    """Compressed."""
    places: Sequence[Place]


def pack(contents: Iterable[Content], marks: Mapping[str, int]) -> Iterator[Segment]:
    """Segments of about 256 kB before compression, and what is left over in a last one. marks: hash -> the latest request."""
    pending: list[Content] = []
    size = 0
    for content in contents:
        pending.append(content)
        size += len(content.data)
        if size >= _SEGMENT_BYTES:
            yield _segment(pending, marks)
            pending, size = [], 0
    if pending:
        yield _segment(pending, marks)


def _segment(contents: Sequence[Content], marks: Mapping[str, int]) -> Segment:
    places, offset = [], 0
    for content in contents:
        length = len(content.data)
        last = marks.get(content.hash, 0)
        places.append(Place(content.hash, content.kind, offset, length, content.size, last))
        offset += length
    return Segment(_compressed([content.data for content in contents]), places)


def _compressed(pieces: Iterable[bytes]) -> bytes:
    return zstandard.ZstdCompressor(level=_LEVEL).compress(b"".join(pieces))


def piece(data: bytes, offset: int, length: int) -> bytes:
    """One content's bytes out of a segment's."""
    return zstandard.ZstdDecompressor().decompress(data)[offset : offset + length]


def without(data: bytes, kept: Sequence[tuple[int, int]]) -> tuple[bytes, list[int]]:
    """A segment written anew of nothing but `kept` (offset and length of each), and where each begins now."""
    joined = zstandard.ZstdDecompressor().decompress(data)
    offsets, offset = [], 0
    for _, length in kept:
        offsets.append(offset)
        offset += length
    return _compressed(joined[start : start + length] for start, length in kept), offsets
