"""A second call when the first is slow: whoever answers first serves, the other is cancelled."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic

from headgate.core.errors import GatewayError
from headgate.dispatch.attempting import NoPlace
from headgate.dispatch.settings import HedgeSettings
from headgate.exchange.attempt import Attempt, AttemptKind
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.providers.port import Endpoint

__all__ = ["HedgeShare", "hedged"]

Ask = Callable[[Endpoint, AttemptKind], Awaitable[Reply]]
"""Makes one attempt. Raises NoPlace, GatewayError."""
Failed = Callable[[Endpoint, Exception], None]
"""Told of each attempt that failed while the other was still under way, or after it."""

_BURST = 3.0

log = logging.getLogger("headgate.dispatch")


class HedgeShare:
    """Keeps the hedged requests of a feature under their share of all its requests. Pure."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = 1.0

    def request(self, share: float) -> None:
        """One more request of the feature."""
        self._left = min(self._left + share, _BURST)

    @property
    def left(self) -> bool:
        """Would `take` say yes?"""
        return self._left >= 1.0

    def take(self) -> bool:
        """May this one be hedged? If so, it counts."""
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


def delay(settings: HedgeSettings, endpoint: Endpoint) -> float | None:
    """Seconds the first call may take; None while too little is known of the endpoint to say."""
    if settings.quantile is None:
        return settings.seconds
    return endpoint.health.quantile(settings.quantile) or None


async def hedged(
    exchange: Exchange,
    candidates: Sequence[Endpoint],
    *,
    settings: HedgeSettings,
    share: HedgeShare,
    ask: Ask,
    failed: Failed,
) -> Reply | None:
    """The first answer of up to two attempts; None if all that were made failed, as `failed` was told.

    The loser is cancelled: it is on record as abandoned, billed, and says nothing about its endpoint's health. A caller's
    cancellation cancels both."""
    first = candidates[0]
    race = _Race(exchange, ask, failed)
    race.start(first, "")
    try:
        seconds = delay(settings, first)
        if seconds is not None and len(candidates) > 1:
            await asyncio.wait(race.running, timeout=seconds)
            if not exchange.hung_up and share.left and not any(task.done() for task in race.running):
                second = _second(candidates)
                if second is not None and share.take():
                    race.start(second, "hedge")
        return await race.winner()
    finally:
        await race.end()


def _second(candidates: Sequence[Endpoint]) -> Endpoint | None:
    """The best other endpoint that has a place, and whose budget for extra calls is not spent."""
    now = monotonic()
    for endpoint in candidates[1:]:
        if endpoint is not candidates[0] and not endpoint.health.blocked(now):
            return endpoint if endpoint.health.may_retry(now) else None
    return None


class _Race:
    """Attempts under way side by side."""

    def __init__(self, exchange: Exchange, ask: Ask, failed: Failed) -> None:
        self.running: dict[asyncio.Task[tuple[Reply, Attempt | None]], Endpoint] = {}
        self._exchange = exchange
        self._ask = ask
        self._failed = failed
        self._won: asyncio.Task[tuple[Reply, Attempt | None]] | None = None

    def start(self, endpoint: Endpoint, kind: AttemptKind) -> None:
        self.running[asyncio.create_task(self._run(endpoint, kind), name=f"attempt {endpoint.name}")] = (
            endpoint
        )

    async def _run(self, endpoint: Endpoint, kind: AttemptKind) -> tuple[Reply, Attempt | None]:
        reply = await self._ask(endpoint, kind)
        # Nothing ran in between: it is this attempt's own.
        return reply, self._exchange.answering

    async def winner(self) -> Reply | None:
        """The first that answers; None when all have failed."""
        while self.running:
            done, _ = await asyncio.wait(self.running, return_when=asyncio.FIRST_COMPLETED)
            # Of two that end in the same turn, the one that answers counts.
            for task in sorted(done, key=lambda one: one.exception() is not None):
                error = task.exception()
                if error is None:
                    self._won = task
                    reply, self._exchange.answering = task.result()
                    return reply
                endpoint = self.running.pop(task)
                if not isinstance(error, GatewayError | NoPlace):
                    raise error
                self._failed(endpoint, error)
        return None

    async def end(self) -> None:
        """Cancel who is still running, close who answered too late."""
        losers = [task for task in self.running if task is not self._won]
        if self._won is not None:
            winner = self._exchange.answering
            for attempt in self._exchange.attempts:
                if attempt is not winner and attempt.error is None:
                    attempt.abandoned = True
        for task in losers:
            task.cancel()
        if losers:
            # Not `await task`: our own cancellation could not be told from theirs.
            await asyncio.wait(losers)
        for task in losers:
            if task.cancelled():
                continue
            if (error := task.exception()) is not None:
                if not isinstance(error, GatewayError | NoPlace):
                    log.error("a call that lost a race failed inside Headgate", exc_info=error)
                continue
            reply, _ = task.result()
            if self._won is not None:
                self._exchange.answering = self._won.result()[1]  # this one took itself for it
            if reply.frames is not None:
                await reply.frames.aclose()  # type: ignore[attr-defined]
