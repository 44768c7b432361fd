"""A deadline that costs an attribute write to move.

A request moves its connection's deadline several times; arming and cancelling a timer of the event loop each time
would cost more than all the rest of the bookkeeping. So one timer stays armed over many requests: when it rings it
compares the clock with the deadline as it stands, and either goes back to sleep or calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf

__all__ = ["Deadline"]


class Deadline:
    """Calls `expired` once the loop's clock has passed what was last `set`; at most once for each `set`."""

    __slots__ = ("at", "_expired", "_loop", "_rings_at", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, expired: Callable[[], None]) -> None:
        self._loop = loop
        self._expired = expired
        self.at = inf
        """May be moved to a later moment directly, once it has been `set`: the timer looks at it when it rings."""
        self._rings_at = inf
        self._timer: asyncio.TimerHandle | None = None

    def set(self, at: float) -> None:
        """Move the deadline to `at`, in seconds of `loop.time()`; `inf` is never."""
        self.at = at
        if at < self._rings_at:
            self._arm(at)

    def cancel(self) -> None:
        """Never call again. Needed at the end of a life: an armed timer keeps its connection in memory."""
        self.at = self._rings_at = inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = at
        self._timer = self._loop.call_later(max(0.0, at - self._loop.time()), self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._rings_at = inf
        if self.at <= self._loop.time():
            self.at = inf
            self._expired()
        elif self.at != inf:
            self._arm(self.at)
