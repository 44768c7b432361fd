"""Feedback put together: tokens with answers, `/feedback` for browsers, and judgements joined with the requests they are about."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal

from headgate.config.model import Settings
from headgate.control.feedback import Requests, keeps_words, unkept_features
from headgate.control.http.open_feedback import OpenFeedback, State
from headgate.core.clock import Clock
from headgate.core.tasks import ended
from headgate.quality.feedback import STANDARD, Tokens
from headgate.stores.errors import StoreError
from headgate.stores.keys import Installation
from headgate.stores.scores import (
    WAIT_NS,
    Fate,
    Joined,
    Judged,
    ScoreRow,
    ScoreScope,
    ScoreStore,
    ScoreSum,
)
from headgate.telemetry.metrics import Counter, Metrics
from headgate.telemetry.names import SCORES, SCORES_ALONE

__all__ = ["CountedScores", "QualityService"]

log = logging.getLogger("headgate.feedback")

_LOOK_SECONDS = 2.0
_LOOKS_A_MINUTE = 30
_FORGET_NS = 7 * 86_400 * 1_000_000_000


class CountedScores:
    """See `ScoreStore`; what is kept through it is counted for the metrics."""

    def __init__(self, store: ScoreStore, counter: Counter) -> None:
        self._store = store
        self._counter = counter
        self.heard: Callable[[Sequence[ScoreRow]], None] = _nobody
        """Called with what is new; never waits."""

    async def add(self, rows: Sequence[ScoreRow], now_ns: int) -> Sequence[Fate]:
        """See `ScoreStore`."""
        fates = await self._store.add(rows, now_ns)
        new = [row for row, fate in zip(rows, fates, strict=True) if fate in ("joined", "waiting")]
        for row in new:
            self._counter.add((row.name, row.source))
        if new:
            self.heard(new)
        return fates

    async def join(self, now_ns: int, limit: int = 500) -> Joined:
        """See `ScoreStore`."""
        return await self._store.join(now_ns, limit)

    async def alone(self, before_ns: int) -> int:
        """See `ScoreStore`."""
        return await self._store.alone(before_ns)

    async def forget_alone(self, before_ns: int) -> int:
        """See `ScoreStore`."""
        return await self._store.forget_alone(before_ns)

    async def about(self, request_ids: Sequence[int]) -> Sequence[ScoreRow]:
        """See `ScoreStore`."""
        return await self._store.about(request_ids)

    async def before(
        self, score_id: int, limit: int, *, since_ns: int = 0, only: Mapping[str, str | int] = {}
    ) -> Sequence[ScoreRow]:
        """See `ScoreStore`."""
        return await self._store.before(score_id, limit, since_ns=since_ns, only=only)

    async def added_up(
        self, scope: ScoreScope, *, step: int = 0, by: Sequence[str] = ()
    ) -> Sequence[ScoreSum]:
        """See `ScoreStore`."""
        return await self._store.added_up(scope, step=step, by=by)

    async def lowest(
        self,
        name: str,
        since_ns: int,
        *,
        by: Literal["request", "session"] = "request",
        limit: int = 20,
        feature: str = "",
    ) -> Sequence[Judged]:
        """See `ScoreStore`."""
        return await self._store.lowest(name, since_ns, by=by, limit=limit, feature=feature)


def _nobody(rows: Sequence[ScoreRow]) -> None:
    """Nobody listens."""


class QualityService:
    """What a gateway has of it."""

    def __init__(
        self,
        settings: Settings,
        store: ScoreStore,
        requests: Requests,
        installation: Installation,
        clock: Clock,
        send_tokens: Callable[[Callable[[int], str] | None], None],
    ) -> None:
        """send_tokens: answers carry what this makes of their request's id from now on; None: nothing."""
        self._counter = Counter(SCORES)
        self._counter.know(STANDARD)
        self._installation = installation
        self._requests = requests
        self._clock = clock
        self._send_tokens = send_tokens
        self._settings = settings
        self._secret = b""
        self._state: State | None = None
        self._alone = 0
        self._task: asyncio.Task[None] | None = None
        self.scores = CountedScores(store, self._counter)
        self.open = OpenFeedback(self.scores, lambda: self._state, clock.monotonic)
        """Serves `/feedback`."""

    async def start(self) -> None:
        """Know the installation's secret, and begin to join. Raises StoreUnavailable."""
        self._secret = await self._installation.secret()
        self.use(self._settings)
        self._task = asyncio.create_task(self._go_on(), name="join-feedback")

    def use(self, settings: Settings) -> None:
        """The configuration from now on."""
        self._settings = settings
        feedback = settings.feedback
        if not self._secret:
            return
        tokens = Tokens(self._secret, time.time, float(feedback.valid))
        keeps = partial(keeps_words, self._requests, unkept_features(settings.features))
        self._state = State(feedback, tokens, settings.records.content, keeps) if feedback.is_open else None
        self._send_tokens(tokens.mint if feedback.tokens else None)

    def report(self, metrics: Metrics) -> None:
        """Have `metrics` read these."""
        metrics.read(SCORES, self._counter.values.items)
        metrics.read(SCORES_ALONE, lambda: [((), self._alone)])

    async def aclose(self) -> None:
        """Stop joining; what waits is joined by another node, or after the next start."""
        task, self._task = self._task, None
        if task is not None:
            await ended(task)

    async def _go_on(self) -> None:
        looks = 0
        while True:
            try:
                await self._look(looks)
            except StoreError as failure:
                log.debug("feedback is joined later: %s", failure)
            except Exception:
                log.exception("feedback could not be joined")
            looks += 1
            await asyncio.sleep(_LOOK_SECONDS)

    async def _look(self, looks: int) -> None:
        now = self._clock.wall_ns()
        joined = await self.scores.join(now)
        if joined.foreign:
            log.info("%d judgements about requests of others were dropped", joined.foreign)
        if looks % _LOOKS_A_MINUTE == 0:
            await self.scores.forget_alone(now - _FORGET_NS)
            self._alone = await self.scores.alone(now - WAIT_NS)
