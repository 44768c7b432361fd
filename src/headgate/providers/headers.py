"""The headers of a reply."""

from __future__ import annotations

__all__ = ["Headers"]


class Headers(list[tuple[bytes, bytes]]):
    """A reply's headers in order, names in lower case."""

    def first(self, name: bytes) -> bytes | None:
        """The first value of `name` (lower case), or None."""
        for key, value in self:
            if key == name:
                return value
        return None

    get = first
