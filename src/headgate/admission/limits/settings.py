"""Limits as they are written in the configuration."""

from __future__ import annotations

from typing import Literal

from headgate.core.section import Duration, Section
from headgate.exchange.subjects import OnlySettings

__all__ = ["COUNTED", "LimitSettings", "LimitsWithoutRedis", "QueueSettings"]

COUNTED = ("requests", "input_tokens", "output_tokens", "tokens", "concurrency")
"""What a limit may count."""

LimitsWithoutRedis = Literal["local", "refuse"]


class LimitSettings(Section, frozen=True):
    """A limit. Any number may hold at once: a request passes if there is room in all of them, and counts in all."""

    name: str
    """What it is called in messages and in the header `x-headgate-limit`. Counts are kept under it."""
    of: str = "key"
    """Whom it is counted for: `key`, `user`, `team`, `tenant`, `feature`, `model` or `tag:NAME`. Requests that name none share one
    count: to leave the name out is no way around it."""
    each: bool = True
    """Each has a count of its own. false: one count for all together."""
    only: OnlySettings = OnlySettings()
    """Which requests it is about. Left out: all."""
    requests: int | None = None
    """Requests in `per`."""
    input_tokens: int | None = None
    """Prompt tokens in `per`: estimated when the request comes, corrected when it is over."""
    output_tokens: int | None = None
    """Answer tokens in `per`: as many as the request's limit on them (`max_tokens`) are set aside, and what was not used is
    given back when it is over."""
    tokens: int | None = None
    """Both together in `per`."""
    concurrency: int | None = None
    """Requests under way at the same time, from the first byte to the last of the answer."""
    per: Duration = Duration(60)
    """From `1s` to `1d`. What was used comes back evenly over this time."""
    burst: float = 1.0
    """The part of the amount that may be used at once, after a rest: in any stretch of time `T` at most
    `burst × amount + T / per × amount`."""
    assume_output: int = 500
    """Answer tokens set aside for a request that does not limit its answer."""


class QueueSettings(Section, frozen=True):
    """Waiting for room in a limit instead of being refused. Keys take turns; within a key, who came first goes first."""

    wait: Duration = Duration(2)
    """How long a request waits, at most."""
    most: int = 100
    """Requests of this feature that wait at the same time, at most; more are refused."""
    priority: int = 0
    """Requests of features with a higher number go first."""
