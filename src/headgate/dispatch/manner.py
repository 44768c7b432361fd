"""How the requests of one feature are dispatched: its settings, ready for use."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from headgate.dispatch.ladder.plan import NO_LADDER, LadderPlan
from headgate.dispatch.pace import WINDOW_SECONDS, Pace
from headgate.dispatch.settings import HedgeSettings, RetrySettings, TimeoutSettings
from headgate.dispatch.shadow import ShadowSettings
from headgate.providers.port import Timeouts

__all__ = ["Manner", "OnContentFilter"]

_A_MOMENT = 0.05
"""Seconds that the limit of an attempt is behind that of its head: silence is to be told as silence."""

OnContentFilter = Literal["refuse", "failover"]


class Manner:
    """Made once per feature and configuration; read by every request."""

    __slots__ = (
        "follows",
        "hedge",
        "ladder",
        "least_rate",
        "on_content_filter",
        "patience",
        "rate_window",
        "resume",
        "retry",
        "shadow",
        "stream",
        "timeouts",
        "total",
        "whole",
        "whole_of_many",
    )

    def __init__(
        self,
        *,
        timeouts: TimeoutSettings | None = None,
        retry: RetrySettings | None = None,
        hedge: HedgeSettings | None = None,
        resume: bool = False,
        on_content_filter: OnContentFilter = "refuse",
        ladder: LadderPlan = NO_LADDER,
        shadow: ShadowSettings | None = None,
        rate_window: float = WINDOW_SECONDS,
    ) -> None:
        self.timeouts = timeouts or TimeoutSettings()
        self.retry = retry or RetrySettings()
        self.hedge = hedge
        self.resume = resume
        self.on_content_filter = on_content_filter
        self.ladder = ladder
        patient = self.retry.patience
        self.patience = float(patient) if patient is not None else 2.0 if ladder.rungs else 30.0
        """Seconds, at most, that a request is kept waiting for an endpoint."""
        self.shadow = shadow
        self.follows = resume or shadow is not None or ladder.stale_seconds > 0
        """Does anything follow a good answer? Mostly nothing does."""
        self.stream = self.timeouts.phases(stream=True)
        """The first attempt's deadlines, for a stream."""
        self.whole = self.timeouts.phases(stream=False)
        """The same, for a whole answer that only one endpoint can give."""
        limit = float(self.timeouts.attempt) or self.whole.total / 2
        self.whole_of_many = replace(
            self.whole, headers=limit, total=min(limit + _A_MOMENT, self.whole.total)
        )
        """The same, if there is another endpoint to ask after it."""
        self.total = float(self.timeouts.total)
        self.least_rate = self.timeouts.least_rate
        self.rate_window = rate_window

    def pace(self) -> Pace | None:
        """Judges one stream's rate; None: any will do."""
        return Pace(self.least_rate, self.rate_window) if self.least_rate else None

    def usual(self, *, stream: bool, alone: bool) -> Timeouts:
        """Those of an attempt that has all of the request's time before it."""
        return self.stream if stream else self.whole if alone else self.whole_of_many

    def deadlines(self, *, stream: bool, alone: bool, left: float) -> Timeouts:
        """Those of an attempt that begins with so many seconds left for the request. alone: nobody is asked after it."""
        base = self.usual(stream=stream, alone=alone)
        if left >= self.total:
            return base
        limit = left
        if not stream and not alone:
            limit = min(float(self.timeouts.attempt) or left / 2, left)
        return replace(base, headers=min(base.headers, limit), total=min(limit + _A_MOMENT, left))
