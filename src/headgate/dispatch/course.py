"""The way of one request through its candidates after the first failure: where next, and after which wait. Pure: it is
told errors and moments, chance is handed in; what it asks of an endpoint's health is what is known now."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from headgate.core.errors import (
    BudgetSpent,
    GatewayError,
    NothingAvailable,
    ProviderAuthFailed,
    ProviderQuotaSpent,
    ProviderRateLimited,
    ProviderRejected,
    UnsupportedRequest,
)
from headgate.dispatch.manner import Manner
from headgate.dispatch.remedy import remedy
from headgate.exchange.attempt import AttemptKind
from headgate.providers.port import Endpoint

__all__ = ["MAX_ATTEMPTS", "Course", "Step", "backoff"]

MAX_ATTEMPTS = 24
"""Of one request, whatever the settings say: the log of attempts is bounded."""


def backoff(tries: int, base: float, most: float, draw: float) -> float:
    """Seconds to wait before the next call after `tries` failed ones: exponential, with full jitter.

    draw: chance between 0 and 1. Source: Exponential Backoff And Jitter, AWS Architecture Blog, 2015."""
    ceiling: float = min(most, base * 2.0 ** (tries - 1))
    return ceiling * draw


@dataclass(slots=True)
class _Stop:
    """One candidate, as far as this request has tried it."""

    endpoint: Endpoint
    tries: int = 0
    over: bool = False
    """Not to be asked again by this request."""
    not_before: float = 0.0
    paid: bool = False
    """Has its next call been taken from the budget for retries?"""


@dataclass(frozen=True, slots=True)
class Step:
    """What to do next: wait, then call. Whether the endpoint then has a place must still be asked of its health."""

    endpoint: Endpoint
    kind: AttemptKind
    seconds: float
    """To wait before."""
    alone: bool
    """No other candidate is left to be asked, so the attempt may take all the time there is."""


class Course:
    """Created when something did not go as usual: the first attempt failed, or the first candidate had no place."""

    __slots__ = (
        "_deadline",
        "_draw",
        "_last",
        "_manner",
        "_other_key",
        "_since",
        "_stops",
        "_tried",
        "error",
    )

    def __init__(
        self, candidates: Sequence[Endpoint], manner: Manner, *, deadline: float, draw: Callable[[], float]
    ) -> None:
        """deadline: the moment (`time.monotonic()`) at which the request must be over. draw: a number from 0 to 1."""
        self._manner = manner
        self._deadline = deadline
        self._draw = draw
        # A model may be named twice, in a route and as its fallback; it is the same place all the same.
        places: dict[int, _Stop] = {}
        for endpoint in candidates:
            places.setdefault(id(endpoint.health), _Stop(endpoint))
        self._stops = list(places.values())
        self._tried = 0
        self._last: _Stop | None = None
        self._other_key: tuple[str, str] | None = None
        """Provider and model whose key was not taken: another key of theirs is asked before anybody else."""
        self._since: float | None = None
        """Since when nobody has been called: a place that is taken again and again is not waited for without end."""
        self.error: GatewayError | None = None
        """What the caller is told if nothing more can be done."""

    def failed(self, endpoint: Endpoint, error: GatewayError, now: float) -> None:
        """An attempt at `endpoint` ended so, before any content."""
        stop = self._stop(endpoint)
        stop.tries += 1
        stop.paid = False
        self._since = None
        self._tried += 1
        self._last = stop
        self._remember(error)
        spent = isinstance(error, ProviderAuthFailed | ProviderQuotaSpent)
        self._other_key = (endpoint.provider, endpoint.model) if spent else None
        cure = remedy(error, on_content_filter=self._manner.on_content_filter)
        retry = self._manner.retry
        if cure == "none":
            for one in self._stops:
                one.over = True
        elif cure == "larger":
            self._leave_only_larger_than(endpoint)
        elif cure == "elsewhere" or stop.tries >= retry.attempts:
            stop.over = True
        else:
            wait = backoff(stop.tries, retry.base, retry.most, self._draw())
            stop.not_before = now + max(wait, error.retry_after or 0.0)

    def refused(self, endpoint: Endpoint, now: float) -> None:
        """It had no place after all. Not an attempt; it is not asked again before a moment has passed."""
        stop = self._stop(endpoint)
        stop.not_before = max(stop.not_before, now + max(endpoint.health.blocked(now), _A_MOMENT))

    def next(self, now: float) -> Step | None:
        """Where to go, or None: `error` is the end."""
        if self._tried >= MAX_ATTEMPTS:
            return None
        chosen, ready = self._choose(now)
        if chosen is None:
            return None
        wait = max(ready - now, 0.0)
        if self._since is None:
            self._since = now
        if ready >= self._deadline or ready - self._since > self._manner.patience:
            self._say_when(now, wait)
            return None
        if chosen.tries and not chosen.paid:
            if not chosen.endpoint.health.may_retry(now):
                chosen.over = True  # the endpoint has more trouble than retries can heal
                return self.next(now)
            chosen.paid = True
        kind: AttemptKind = "retry" if chosen.tries else ("failover" if self._tried else "")
        return Step(chosen.endpoint, kind, wait, self._alone(chosen))

    def _choose(self, now: float) -> tuple[_Stop | None, float]:
        """The best candidate, and when it can be called."""
        last = self._last
        if self._manner.retry.first == "same" and last is not None and not last.over:
            ready = self._ready(last, now)
            if ready - now <= self._manner.patience and ready < self._deadline:
                return last, ready
        soonest, chosen = math.inf, None
        stops = self._stops
        if self._other_key is not None:
            stops = sorted(stops, key=self._has_another_key)
        for stop in stops:
            if stop.over:
                continue
            ready = self._ready(stop, now)
            if ready <= now and not stop.tries:
                return stop, now
            if ready < soonest:
                soonest, chosen = ready, stop
        return chosen, soonest

    def _has_another_key(self, stop: _Stop) -> bool:
        """False, which sorts first, for another key of the place whose own was not taken."""
        return (stop.endpoint.provider, stop.endpoint.model) != self._other_key

    @staticmethod
    def _ready(stop: _Stop, now: float) -> float:
        return max(now + stop.endpoint.health.blocked(now), stop.not_before)

    def _alone(self, chosen: _Stop) -> bool:
        return not any(not stop.over and stop is not chosen and not stop.tries for stop in self._stops)

    def _leave_only_larger_than(self, endpoint: Endpoint) -> None:
        for stop in self._stops:
            other = stop.endpoint
            known = endpoint.context and other.context
            larger = other.context > endpoint.context if known else other.model != endpoint.model
            stop.over = stop.over or not larger

    def _remember(self, error: GatewayError) -> None:
        # What is wrong with the request itself is told, whatever went wrong elsewhere; of other errors the last one is,
        # but that an endpoint cannot do something, or is too dear, says less than that another one failed.
        known = self.error
        if isinstance(known, ProviderRejected) or (
            known is not None and isinstance(error, UnsupportedRequest | BudgetSpent)
        ):
            return
        self.error = error

    def _say_when(self, now: float, seconds: float) -> None:
        if self.error is not None:
            return
        retry_after = seconds if math.isfinite(seconds) else None
        names = ", ".join(f"{one.endpoint.name}: {one.endpoint.health.why(now)}" for one in self._stops[:5])
        if any(one.endpoint.health.state(now) != "closed" for one in self._stops):
            self.error = NothingAvailable(
                f"every endpoint rests after failures, or is at its limit; try again in {seconds:.0f} s",
                detail=names,
                retry_after=retry_after,
            )
        else:
            self.error = ProviderRateLimited(
                f"the limits of every endpoint are reached; try again in {seconds:.0f} s",
                detail=names,
                retry_after=retry_after,
            )

    def _stop(self, endpoint: Endpoint) -> _Stop:
        return next(stop for stop in self._stops if stop.endpoint.health is endpoint.health)


_A_MOMENT = 0.05
"""Seconds before an endpoint whose places are taken is asked again."""
