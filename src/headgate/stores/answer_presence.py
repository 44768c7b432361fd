"""Which keys may be kept somewhere, in a megabyte: a Bloom filter. Keys are hashes already, so their own bytes are the places."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from struct import Struct

__all__ = ["Known", "Presence"]

_BITS = 1 << 23
_MASK = _BITS - 1
_FOUR = Struct("<4I")
_RELEARN_AFTER = 200_000
"""Keys beyond twice those that there were: most of them are gone by then."""


class Presence:
    """Never says of a key that was added that it is absent. Of others it says so but for 0.002 % with 100,000 keys, 0.2 % with 500,000,
    2 % with a million. What was removed stays until all is made anew."""

    def __init__(self) -> None:
        self._bits = bytearray(_BITS >> 3)
        self.added = 0

    def add(self, keys: Iterable[bytes]) -> None:
        """Keys of 16 bytes."""
        bits = self._bits
        for key in keys:
            self.added += 1
            for place in _FOUR.unpack(key):
                place &= _MASK
                bits[place >> 3] |= 1 << (place & 7)

    def absent(self, key: bytes) -> bool:
        """Was it surely not added?"""
        bits = self._bits
        for place in _FOUR.unpack(key):
            place &= _MASK
            if not bits[place >> 3] & (1 << (place & 7)):
                return True
        return False


class Known:
    """Which keys are kept somewhere, as far as this process knows. It has to learn them first, and again when most are gone."""

    def __init__(self) -> None:
        self._presence: Presence | None = None
        self._learning: Presence | None = None
        self._learned = 0

    def absent(self, key: bytes) -> bool:
        """Is it surely kept nowhere?"""
        return self._presence is not None and self._presence.absent(key)

    def add(self, keys: Sequence[bytes]) -> None:
        """These have come."""
        for presence in (self._presence, self._learning):
            if presence is not None:
                presence.add(keys)

    @property
    def is_stale(self) -> bool:
        """Is it time to learn them?"""
        return self._presence is None or self._presence.added > 2 * self._learned + _RELEARN_AFTER

    def begin(self, keys: Iterable[bytes]) -> Presence:
        """Learn them: all that there are go into this. keys: that are not kept yet."""
        self._learning = Presence()
        self._learning.add(keys)
        return self._learning

    def end(self, learning: Presence) -> None:
        """All are in there, unless everything was forgotten meanwhile."""
        if self._learning is learning:
            self._presence, self._learning, self._learned = learning, None, learning.added

    def forget(self) -> None:
        """What was learned may be wrong."""
        self._presence = self._learning = None
