"""`GET /api/cache`: what memory holds, how each feature is set, and what it did today."""

from __future__ import annotations

import time
from typing import Literal

import msgspec

from headgate.cache.settings import FeatureCacheSettings
from headgate.control.cache.report import report
from headgate.control.http.cache.memory import feature_settings
from headgate.control.http.cache.report import HitsTold, hits_told
from headgate.control.http.route import Asked, route

__all__ = ["ROUTES", "CacheShown", "FeatureCacheTold"]

_DAY = 86_400


class FeatureCacheTold(msgspec.Struct, kw_only=True):
    """How a feature's answers are given again."""

    feature: str
    exact_seconds: float
    """How long an answer is given again."""
    semantic: float | Literal["adaptive"] | None
    """How sure it must be that a question in other words asks the same; null: words must be equal."""
    most_wrong: float
    shadow: bool
    """Are similar questions only measured?"""
    sample: float
    scope: str
    when: str
    let: list[str]
    stale_seconds: float
    if_error_seconds: float
    refresh: float
    pace: str
    join: bool


class CacheShown(msgspec.Struct, kw_only=True):
    """Memory, as it is now."""

    enabled: bool
    engine: str
    entries: int
    bytes: int
    most_bytes: int
    evicted: int
    """For want of room, since this process was started."""
    longest_seconds: float
    features: list[FeatureCacheTold]
    """Those that have a cache."""
    today: HitsTold
    """The last 24 hours."""


async def show(asked: Asked[None, None]) -> CacheShown:
    """Show what memory holds, how each feature is set, and what it did in the last 24 hours."""
    settings = asked.desk.configuration().settings
    answers, now = asked.desk.memory.answers, int(time.time())
    features = feature_settings(settings)
    sizes = await answers.sizes() if answers is not None else None
    # The second that has begun counts: with it a minute may have begun, whose requests are added up under its first second.
    found = await report(asked.desk.rollups, None, features, now - _DAY, now + 1)
    return CacheShown(
        enabled=settings.cache.enabled,
        engine=settings.cache.engine,
        entries=sizes.entries if sizes else 0,
        bytes=sizes.bytes if sizes else 0,
        most_bytes=sizes.most_bytes if sizes else 0,
        evicted=sizes.evicted if sizes else 0,
        longest_seconds=float(settings.cache.longest),
        features=[
            _feature_told(name, each) for name, each in features.items() if each is not None and each.exact
        ],
        today=hits_told(found.total),
    )


def _feature_told(name: str, settings: FeatureCacheSettings) -> FeatureCacheTold:
    return FeatureCacheTold(
        feature=name,
        exact_seconds=float(settings.exact or 0),
        semantic=settings.semantic,
        most_wrong=settings.most_wrong,
        shadow=settings.shadow,
        sample=settings.sample,
        scope=settings.scope,
        when=settings.when,
        let=list(settings.let),
        stale_seconds=float(settings.stale),
        if_error_seconds=float(settings.if_error),
        refresh=settings.refresh,
        pace=settings.pace,
        join=settings.join,
    )


ROUTES = (route("GET", "/api/cache", "api.cache.show", show),)
