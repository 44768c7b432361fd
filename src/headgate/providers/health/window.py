"""Calls, failures and slow calls of the last seconds, in a ring of small buckets."""

from __future__ import annotations

__all__ = ["Window"]

BUCKETS = 10


class Window:
    """Counts over the last `seconds`, exact to a tenth of them. Counting allocates nothing.

    The counters only grow; the ring holds what they were when each bucket began, and what lies in the window is the
    difference to its oldest entry."""

    __slots__ = (
        "_at",
        "_calls_then",
        "_failures_then",
        "_slow_then",
        "_timed_then",
        "_width",
        "all_calls",
        "all_failures",
        "all_slow",
        "all_timed",
        "turns_at",
    )

    def __init__(self, seconds: float) -> None:
        self._width = seconds / BUCKETS
        self._at = 0
        self._calls_then = [0] * BUCKETS
        self._failures_then = [0] * BUCKETS
        self._timed_then = [0] * BUCKETS
        self._slow_then = [0] * BUCKETS
        self.all_calls = 0
        """Since ever; whoever counts adds one, after `turn` if the moment asks for it."""
        self.all_failures = 0
        self.all_timed = 0
        """Calls of which is known how long they took to begin; a long stream is timed long before it is over."""
        self.all_slow = 0
        self.turns_at = 0.0
        """From this moment on `turn` must be called before anything is counted or read."""

    def turn(self, now: float) -> None:
        """Let go of what has become old."""
        if now < self.turns_at:
            return
        passed = (now - self.turns_at) // self._width + 1
        if passed >= BUCKETS:
            self.clear(now)
            return
        for _ in range(int(passed)):
            self._at = (self._at + 1) % BUCKETS
            self._calls_then[self._at] = self.all_calls
            self._failures_then[self._at] = self.all_failures
            self._timed_then[self._at] = self.all_timed
            self._slow_then[self._at] = self.all_slow
        self.turns_at += passed * self._width

    def clear(self, now: float) -> None:
        """Begin anew: nothing has been counted."""
        for at in range(BUCKETS):
            self._calls_then[at] = self.all_calls
            self._failures_then[at] = self.all_failures
            self._timed_then[at] = self.all_timed
            self._slow_then[at] = self.all_slow
        self.turns_at = now + self._width

    def counts(self, now: float) -> tuple[int, int, int, int]:
        """(calls, failures, timed calls, slow calls) in the window."""
        self.turn(now)
        oldest = (self._at + 1) % BUCKETS
        return (
            self.all_calls - self._calls_then[oldest],
            self.all_failures - self._failures_then[oldest],
            self.all_timed - self._timed_then[oldest],
            self.all_slow - self._slow_then[oldest],
        )
