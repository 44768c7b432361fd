"""A clock that stands still until it is moved."""

from __future__ import annotations

__all__ = ["FakeClock"]


class FakeClock:
    """Fulfils `core.clock.Clock`."""

    def __init__(self, wall_ns: int = 1_790_000_000_000_000_000, monotonic: float = 1000.0) -> None:
        self._wall_ns = wall_ns
        self._monotonic = monotonic

    def wall_ns(self) -> int:
        return self._wall_ns

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move both clocks on."""
        self._wall_ns += round(seconds * 1e9)
        self._monotonic += seconds
