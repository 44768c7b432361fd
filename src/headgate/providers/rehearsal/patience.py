"""Waiting within a call's deadlines."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable

from headgate.core.clock import Clock

__all__ = ["Patience", "Sleep"]

Sleep = Callable[[float], Awaitable[None]]


class Patience:
    """One call's time: when it began, and by when it must be over."""

    __slots__ = ("_ends", "_sleep", "began", "now")

    def __init__(self, clock: Clock, sleep: Sleep, total: float) -> None:
        """total: seconds from now until it must be over."""
        self._sleep = sleep
        self.now = clock.monotonic
        self.began = clock.monotonic()
        self._ends = self.began + total

    @property
    def left(self) -> float:
        """Seconds until it must be over; less than 0 if it should be."""
        return self._ends - self.now()

    async def turn(self) -> None:
        """Let everything run that is waiting to."""
        await self._sleep(0)

    async def wait(self, seconds: float, limit: float) -> bool:
        """Wait so many seconds, at most `limit`. Was it enough?"""
        pause = max(min(seconds, limit), 0.0)
        if pause == math.inf:
            await asyncio.get_running_loop().create_future()  # nobody set a deadline: until cancelled
        if pause:
            await self._sleep(pause)
        return seconds <= limit
