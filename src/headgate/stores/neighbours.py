"""Vectors of one kind side by side, and the nearest of them. Needs numpy, which comes with the extra `[embed]`.

Each vector is kept twice: as float16, and as the signs of its numbers, one bit each. How many signs differ tells roughly
how far two vectors are from each other, at a twentieth of the reading; only the few hundred that differ least are then
compared number by number. Nothing is approximate for groups that are no larger than those few hundred.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LOOKED_AT", "Group", "candidates"]

LOOKED_AT = 800
"""Vectors that are compared number by number."""
_FIRST, _BLOCK = 8, 4096
"""Rows of a group's first block, which doubles; and of each block from then on, so that growing copies little."""


class _Block:
    """Rows of vectors and the columns of their signs."""

    __slots__ = ("rows", "signs")

    def __init__(self, rows: NDArray[np.float16], signs: NDArray[np.uint64]) -> None:
        self.rows = rows
        self.signs = signs

    @classmethod
    def empty(cls, capacity: int, dimensions: int) -> _Block:
        words = -(-dimensions // 64)
        return cls(np.empty((capacity, dimensions), np.float16), np.empty((words, capacity), np.uint64))

    def doubled(self) -> _Block:
        capacity, dimensions = self.rows.shape
        grown = _Block.empty(capacity * 2, dimensions)
        grown.rows[:capacity] = self.rows
        grown.signs[:, :capacity] = self.signs
        return grown

    @property
    def held(self) -> int:
        return self.rows.nbytes + self.signs.nbytes


class Group:
    """Vectors that may be compared with each other, each with its key. One thread changes it at a time; `candidates` may run
    beside that: a vector that moves meanwhile may be missed, and is never mistaken for another."""

    __slots__ = ("_blocks", "_dimensions", "keys")

    def __init__(self, dimensions: int) -> None:
        self._dimensions = dimensions
        self._blocks = [_Block.empty(_FIRST, dimensions)]
        self.keys: list[bytes] = []

    @property
    def held(self) -> int:
        """Of the vectors; keys are whoever's made them."""
        return sum(block.held for block in self._blocks)

    def fits(self, vector: bytes) -> bool:
        """Is it of this group's length?"""
        return len(vector) == 2 * self._dimensions

    def add(self, key: bytes, vector: bytes) -> int:
        """Returns its place."""
        place = len(self.keys)
        self._make_room(place)
        self.keys.append(key)
        self.put(place, vector)
        return place

    def put(self, place: int, vector: bytes) -> None:
        """The vector at this place is another one from now on."""
        block, row = self._at(place)
        numbers = np.frombuffer(vector, "<f2")
        block.rows[row] = numbers
        block.signs[:, row] = _signs(numbers)

    def remove(self, place: int) -> bytes:
        """The last one takes its place; returns that one's key, b"" if it was the last itself."""
        last = len(self.keys) - 1
        moved = self.keys.pop()
        if place < last:
            (to, row), (source, other) = self._at(place), self._at(last)
            to.rows[row] = source.rows[other]
            to.signs[:, row] = source.signs[:, other]
            self.keys[place] = moved
        else:
            moved = b""
        if len(self._blocks) > 1 and last <= (len(self._blocks) - 1) * _BLOCK:
            self._blocks.pop()
        return moved

    def snapshot(self) -> tuple[list[_Block], int]:
        """What `candidates` reads."""
        return list(self._blocks), len(self.keys)

    def nearest(
        self, vector: bytes, places: NDArray[np.int64] | None, count: int
    ) -> list[tuple[bytes, float]]:
        """Of these places (None: of all), the nearest, with their cosines."""
        asked = np.frombuffer(vector, "<f2").astype(np.float32)
        known = len(self.keys)
        places = np.arange(known) if places is None else places[places < known]
        if not len(places):
            return []
        cosines = self._gather(places).astype(np.float32) @ asked
        order = np.argsort(-cosines, kind="stable")[:count]
        return [(self.keys[places[at]], float(cosines[at])) for at in order]

    def _gather(self, places: NDArray[np.int64]) -> NDArray[np.float16]:
        if len(self._blocks) == 1:
            return self._blocks[0].rows[places]
        numbers, rows = np.divmod(places, _BLOCK)
        found = np.empty((len(places), self._dimensions), np.float16)
        for number in np.unique(numbers):
            here = numbers == number
            found[here] = self._blocks[number].rows[rows[here]]
        return found

    def _make_room(self, place: int) -> None:
        first = self._blocks[0]
        if place < len(first.rows):
            return
        if len(first.rows) < _BLOCK:
            self._blocks[0] = first.doubled()
        elif place >= len(self._blocks) * _BLOCK:
            self._blocks.append(_Block.empty(_BLOCK, self._dimensions))

    def _at(self, place: int) -> tuple[_Block, int]:
        number, row = divmod(place, _BLOCK)
        return self._blocks[number], row


def candidates(blocks: list[_Block], count: int, vector: bytes) -> NDArray[np.int64]:
    """Places of about LOOKED_AT vectors (and those that are as far as the last of them) whose signs differ least."""
    asked = _signs(np.frombuffer(vector, "<f2"))
    differing = np.empty(count, np.uint16)
    mixed, bits = np.empty(_BLOCK, np.uint64), np.empty(_BLOCK, np.uint8)
    for number, block in enumerate(blocks):
        start = number * _BLOCK
        here = differing[start : start + _BLOCK]
        size = len(here)
        here[:] = 0
        for column, word in zip(block.signs, asked, strict=True):
            np.bitwise_xor(column[:size], word, out=mixed[:size])
            np.bitwise_count(mixed[:size], out=bits[:size])
            np.add(here, bits[:size], out=here)
    reached = np.cumsum(np.bincount(differing))
    return np.flatnonzero(differing <= np.searchsorted(reached, min(LOOKED_AT, count)))


def _signs(numbers: NDArray[np.float16]) -> NDArray[np.uint64]:
    packed = np.packbits(numbers > 0)
    whole = np.zeros(-(-len(packed) // 8) * 8, np.uint8)
    whole[: len(packed)] = packed
    return whole.view(np.uint64)
