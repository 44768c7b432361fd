"""How contents are packed, whatever engine keeps them: joined, then compressed together (zstandard).

Some 256 kB of contents together cost a tenth of compressing each alone, and they share their repetitions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import zstandard

from headgate.stores.spans import Content

__all__ = ["Place", "Segment", "pack", "piece", "without"]

_SEGMENT_BYTES = 256_000
_LEVEL = 3


class Place(NamedTuple):
    """Where in a segment a content lies."""

    hash: str
    kind: str
    offset: int
    length: int
    size: int
    """Bytes it had; more than `length` if its end was cut off."""


class Segment(NamedTuple):
    """Contents that are kept together."""

    data: bytes
    """Compressed."""
    places: Sequence[Place]


def pack(contents: Iterable[Content]) -> Iterator[Segment]:
    """Segments of about 256 kB before compression, and what is left over in a last one."""
    pending: list[Content] = []
    size = 0
    for content in contents:
        pending.append(content)
        size += len(content.data)
        if size >= _SEGMENT_BYTES:
            yield _segment(pending)
            pending, size = [], 0
    if pending:
        yield _segment(pending)


def _segment(contents: Sequence[Content]) -> Segment:
    places, offset = [], 0
    for content in contents:
        length = len(content.data)
        places.append(Place(content.hash, content.kind, offset, length, content.size))
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
