"""The clock of a process that lives through days in seconds: whoever asks what time it is there is told another time.

The demonstration's history is made by real requests through the real gateway, so everything in the process has to believe in the
time: ids, records, prices, budgets. This is why the clock is replaced for the whole process, and why nothing else runs in it.

Wall: each request believes in its own date, that of the context in which it was begun (`at`). Durations go by one clock for all,
which goes as always; while nothing but waiting is going on it jumps to the end of the wait (`hurry`)."""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import time
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

__all__ = ["Told", "tell"]

_monotonic, _time_ns = time.monotonic, time.time_ns
_began: ContextVar[tuple[int, float] | None] = ContextVar("date", default=None)
"""What the date was, and when on the other clock."""
_SELDOM = 64


class Told:
    """Tells this process the time. One for a process, made before anything is imported that asks for the time."""

    def __init__(self, date_ns: int) -> None:
        """date_ns: the date for whoever has none of their own."""
        self._skipped = 0.0
        self._date_ns = date_ns
        self._hurrying = False

    def monotonic(self) -> float:
        """Instead of `time.monotonic`."""
        return _monotonic() + self._skipped

    def time_ns(self) -> int:
        """Instead of `time.time_ns`."""
        began = _began.get()
        if began is None:
            return self._date_ns
        return began[0] + int((self.monotonic() - began[1]) * 1e9)

    def time(self) -> float:
        """Instead of `time.time`."""
        return self.time_ns() / 1e9

    def at(self, date_ns: int) -> None:
        """It is this date for what is done in this context from now on."""
        _began.set((date_ns, self.monotonic()))

    def skip(self, seconds: float) -> None:
        """So much time has gone by."""
        self._skipped += seconds

    @contextlib.contextmanager
    def hurry(self) -> Iterator[None]:
        """Nobody waits in here: time jumps."""
        self._hurrying = True
        try:
            yield
        finally:
            self._hurrying = False

    def loop(self) -> asyncio.AbstractEventLoop:
        """An event loop that goes by this clock."""
        return asyncio.SelectorEventLoop(_Jumping(self))

    @property
    def hurrying(self) -> bool:
        """Does time jump now?"""
        return self._hurrying


def tell(date_ns: int) -> Told:
    """Have this process ask `Told` what time it is, from now on."""
    told = Told(date_ns)
    clock: Any = time
    clock.monotonic, clock.time_ns, clock.time = told.monotonic, told.time_ns, told.time
    return told


class _Jumping(selectors.DefaultSelector):
    """Does not sit out what it can skip."""

    def __init__(self, told: Told) -> None:
        super().__init__()
        self._told = told
        self._looks = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """See `selectors`."""
        if timeout is None or not self._told.hurrying:
            found: list[tuple[selectors.SelectorKey, int]] = super().select(timeout)
            return found
        self._looks += 1
        # Nobody calls from outside, and threads leave their word with the loop before they wake it: to ask the system each time
        # would only hand the interpreter to them each time.
        ready: list[tuple[selectors.SelectorKey, int]] = [] if self._looks % _SELDOM else super().select(0)
        if not ready and timeout > 0:
            self._told.skip(timeout)
        return ready
