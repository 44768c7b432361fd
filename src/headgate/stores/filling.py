"""How far requests have been added up that were stored before anybody added up: before rollups were there."""

from __future__ import annotations

import msgspec

__all__ = ["FILL", "FILL_AT_ONCE", "Filling", "filling_of", "started_filling"]

FILL = "rollups.fill"
"""Under what name `installation` has it."""
FILL_AT_ONCE = 2_000
"""Requests in one transaction: some 50 ms, for which writers wait."""


class Filling(msgspec.Struct, frozen=True, array_like=True):
    """Places in the order of storing: added up to `position`, of those up to `until`. What came later was added up when it was
    stored."""

    position: int = 0
    until: int = 0

    @property
    def done(self) -> bool:
        """Are all of them added up?"""
        return self.position >= self.until

    def moved(self, position: int) -> Filling:
        """So far now."""
        return Filling(position, self.until)

    def encoded(self) -> bytes:
        """As it is kept."""
        return msgspec.msgpack.encode(self)


def filling_of(data: bytes | None) -> Filling:
    """As it was kept; without anything, there is nothing to do."""
    return msgspec.msgpack.decode(data, type=Filling) if data else Filling()


def started_filling(last: int) -> bytes:
    """Nothing is added up of those up to `last`."""
    return Filling(0, last).encoded()
