"""The lazy deadline, on a clock that stands still until told."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from math import inf

import pytest

from headgate.providers.transport.deadlines import Deadline


class FakeTimer:
    def __init__(self, at: float, call: Callable[[], None]) -> None:
        self.at, self.call, self.cancelled = at, call, False

    def cancel(self) -> None:
        self.cancelled = True

    def __lt__(self, other: FakeTimer) -> bool:
        return self.at < other.at


class FakeLoop:
    """`time` and `call_later` of an event loop; counts how often a timer was armed."""

    def __init__(self) -> None:
        self.now, self.armed = 100.0, 0
        self._timers: list[FakeTimer] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, call: Callable[[], None]) -> FakeTimer:
        self.armed += 1
        timer = FakeTimer(self.now + delay, call)
        heapq.heappush(self._timers, timer)
        return timer

    def pass_time(self, seconds: float) -> None:
        until = self.now + seconds
        while self._timers and self._timers[0].at <= until:
            timer = heapq.heappop(self._timers)
            self.now = max(self.now, timer.at)
            if not timer.cancelled:
                timer.call()
        self.now = until


def watched() -> tuple[FakeLoop, Deadline, list[float]]:
    loop, calls = FakeLoop(), list[float]()
    return loop, Deadline(loop, lambda: calls.append(loop.now)), calls  # type: ignore[arg-type]


def test_it_calls_once_when_the_time_has_come() -> None:
    """Not before, and not again."""
    loop, deadline, calls = watched()
    deadline.set(105.0)
    loop.pass_time(4.9)
    assert calls == []
    loop.pass_time(100)
    assert calls == [105.0]


def test_moving_it_later_is_free_and_holds() -> None:
    """A thousand requests move it a thousand times; the timer is armed a handful of times."""
    loop, deadline, calls = watched()
    for _ in range(1000):
        deadline.set(loop.now + 60)
        loop.pass_time(0.1)
    assert calls == []
    assert loop.armed <= 3
    loop.pass_time(60)
    assert calls == [pytest.approx(100 + 99.9 + 60)]


def test_moving_it_earlier_holds_too() -> None:
    """A short phase after a long one ends in time."""
    loop, deadline, calls = watched()
    deadline.set(700.0)
    deadline.set(101.0)
    loop.pass_time(2)
    assert calls == [101.0]


def test_switched_off_or_cancelled_it_never_calls() -> None:
    """`inf` is never; after `cancel` it can be set again."""
    loop, deadline, calls = watched()
    deadline.set(101.0)
    deadline.set(inf)
    loop.pass_time(10)
    deadline.set(111.0)
    deadline.cancel()
    loop.pass_time(10)
    assert calls == []
    deadline.set(121.0)
    loop.pass_time(10)
    assert calls == [121.0]


def test_what_it_calls_may_set_it_again() -> None:
    """Whoever finds that nothing is due yet goes on waiting."""
    loop, calls = FakeLoop(), list[float]()

    def expired() -> None:
        calls.append(loop.now)
        if len(calls) < 3:
            deadline.set(loop.now + 5)

    deadline = Deadline(loop, expired)  # type: ignore[arg-type]
    deadline.set(101.0)
    loop.pass_time(100)
    assert calls == [101.0, 106.0, 111.0]
