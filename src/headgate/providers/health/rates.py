"""How much an endpoint may be asked by the operator's word: calls at a time, requests and tokens a minute."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["NO_LIMITS", "Limits", "Rates"]

BURST_SECONDS = 10.0
"""After a quiet time, what is allowed in so many seconds may come at once: a sixth of a minute's share."""
FULL_SECONDS = 0.05
"""What is said to those who wait while all places are taken: nobody knows when one is free."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an endpoint may be asked. 0: no limit."""

    concurrency: int = 0
    """Calls under way at a time."""
    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    """Of prompts and answers, as estimated before the call."""

    def __bool__(self) -> bool:
        return bool(self.concurrency or self.requests_per_minute or self.tokens_per_minute)


NO_LIMITS = Limits()


class _Bucket:
    """A token bucket that keeps one number: the moment at which all that was taken is earned again (GCRA)."""

    __slots__ = ("_due", "burst", "seconds_each")

    def __init__(self, per_minute: int) -> None:
        self.seconds_each = 60.0 / per_minute
        self.burst = max(BURST_SECONDS, self.seconds_each)
        self._due = 0.0

    def wait(self, now: float, amount: float) -> float:
        """Seconds until so much may be taken. More than fits into the bucket may be taken when it is full."""
        taken = amount * self.seconds_each
        wait = self._due - now - (self.burst - taken if taken < self.burst else 0.0)
        return max(0.0, wait)

    def take(self, now: float, amount: float) -> None:
        self._due = max(now, self._due) + amount * self.seconds_each


class Rates:
    """The limits of one endpoint, and what of them is taken."""

    __slots__ = ("_requests", "_tokens", "limits")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._requests = _Bucket(limits.requests_per_minute) if limits.requests_per_minute else None
        self._tokens = _Bucket(limits.tokens_per_minute) if limits.tokens_per_minute else None

    def wait(self, now: float, in_flight: int, tokens: int = 1) -> float:
        """Seconds until a call of so many tokens may begin; 0.0: now."""
        wait = 0.0
        if self.limits.concurrency and in_flight >= self.limits.concurrency:
            wait = FULL_SECONDS
        if self._requests is not None and (longer := self._requests.wait(now, 1)) > wait:
            wait = longer
        if self._tokens is not None and (longer := self._tokens.wait(now, tokens or 1)) > wait:
            wait = longer
        return wait

    def take(self, now: float, tokens: int) -> None:
        """A call of so many tokens begins."""
        if self._requests is not None:
            self._requests.take(now, 1)
        if self._tokens is not None:
            self._tokens.take(now, tokens or 1)

    def why(self, now: float, in_flight: int) -> str:
        """Which limit holds a call up now, in words; "" if none does."""
        limits = self.limits
        if limits.concurrency and in_flight >= limits.concurrency:
            return f"{in_flight} calls are under way, its limit is {limits.concurrency}"
        if self._requests is not None and self._requests.wait(now, 1):
            return f"its limit of {limits.requests_per_minute:,} requests a minute is reached"
        if self._tokens is not None and self._tokens.wait(now, 1):
            return f"its limit of {limits.tokens_per_minute:,} tokens a minute is reached"
        return ""
