"""`/api/cache/report`: by feature how often memory answered, what that saved, and how often it was wrong."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Literal

import msgspec

from headgate.cache.semantic.bounds import Bound
from headgate.control.cache.report import CacheReport, Hits, Wrongness, report
from headgate.control.http.cache.memory import feature_settings, no_feature
from headgate.control.http.fields import Ago, Word
from headgate.control.http.moments import ago_ns, moment
from headgate.control.http.route import Asked, route
from headgate.core.money import usd

__all__ = [
    "ROUTES",
    "FeatureReport",
    "HitsTold",
    "LearnedTold",
    "ReportQuery",
    "ReportShown",
    "WrongnessTold",
    "hits_told",
    "report_told",
    "show_report",
]

_NS = 1_000_000_000


class ReportQuery(msgspec.Struct, kw_only=True):
    """Which time, and of whom."""

    since: Ago = "7d"
    """From then on: `24h`, `7d` or a date."""
    feature: Word = ""
    """Only this one."""


class HitsTold(msgspec.Struct, kw_only=True):
    """Callers' own requests, added up."""

    requests: int
    asked: int
    """Those that memory was asked for."""
    hits: int
    exact: int
    """Words being equal; stale answers among them."""
    semantic: int
    joined: int
    """Shared a call under way."""
    hit_rate: float | None
    """Of those that memory was asked for; null: of none."""
    saved_usd: str
    saved_seconds: float


class WrongnessTold(msgspec.Struct, kw_only=True):
    """How often answers to questions in other words were wrong, as far as samples tell."""

    sampled: int
    wrong: int
    share: float | None
    """null: there is no sample yet."""
    low: float
    """Between this and `high` the true share lies, 95 % sure."""
    high: float
    told: int
    """How often people said so; in no share."""


class LearnedTold(msgspec.Struct, kw_only=True):
    """How similar is similar enough, as learned from judgements."""

    threshold: float | None
    """Given is what is at least so sure; null: nothing yet, too little is known or too much was wrong."""
    judged: int
    """Judgements at or above it; where there is none, at or above 0.95."""
    wrong: int
    at_most: float
    """99 % sure, no more than this share of what lies above it is wrong."""


class FeatureReport(msgspec.Struct, kw_only=True):
    """One feature."""

    feature: str
    hits: HitsTold
    shadow: bool
    semantic: float | Literal["adaptive"] | None
    most_wrong: float | None
    wrong: WrongnessTold
    """Of hits; in shadow mode, of those that would have been."""
    near: WrongnessTold
    """Of all neighbours that were judged, also those that were not sure enough."""
    learned: LearnedTold | None
    """null: the feature is not adaptive."""


class ReportShown(msgspec.Struct, kw_only=True):
    """What memory did."""

    since: datetime
    until: datetime
    total: HitsTold
    wrong: WrongnessTold
    own_usd: str
    """What memory's own calls cost: warming, refreshing, samples, embedding."""
    own_requests: int
    features: list[FeatureReport]


async def show_report(asked: Asked[ReportQuery, None]) -> ReportShown:
    """Tell by feature how often memory answered, what that saved, and how often it was wrong."""
    now = int(time.time())
    query = asked.query
    since = ago_ns(query.since or "7d", "since") // _NS
    features = feature_settings(asked.desk.configuration().settings)
    if query.feature and query.feature not in features:
        raise no_feature(query.feature, features)
    answers = asked.desk.memory.answers
    found = await report(asked.desk.rollups, answers, features, since, now + 1, only=query.feature)
    return report_told(found)


def report_told(found: CacheReport) -> ReportShown:
    """As `/api/cache/report` and `headgate cache stats --json` tell it."""
    return ReportShown(
        since=moment(found.since * _NS),
        until=moment(found.until * _NS),
        total=hits_told(found.total),
        wrong=_wrongness(found.wrong),
        own_usd=f"{usd(found.own_nanos):f}",
        own_requests=found.own_requests,
        features=[
            FeatureReport(
                feature=each.feature,
                hits=hits_told(each.hits),
                shadow=each.shadow,
                semantic=each.settings.semantic if each.settings else None,
                most_wrong=each.settings.most_wrong if each.settings else None,
                wrong=_wrongness(each.wrong),
                near=_wrongness(each.near),
                learned=_learned(each.learned),
            )
            for each in found.features
        ],
    )


def hits_told(hits: Hits) -> HitsTold:
    """As `/api/cache` and its report tell them."""
    return HitsTold(
        requests=hits.requests,
        asked=hits.asked,
        hits=hits.hits,
        exact=hits.exact,
        semantic=hits.similar,
        joined=hits.joined,
        hit_rate=hits.rate,
        saved_usd=f"{usd(hits.saved_nanos):f}",
        saved_seconds=hits.saved_us / 1e6,
    )


def _wrongness(found: Wrongness) -> WrongnessTold:
    return WrongnessTold(
        sampled=found.sampled,
        wrong=found.wrong,
        share=found.share,
        low=found.low,
        high=found.high,
        told=found.told,
    )


def _learned(bound: Bound | None) -> LearnedTold | None:
    if bound is None:
        return None
    return LearnedTold(
        threshold=bound.threshold, judged=bound.judged, wrong=bound.wrong, at_most=bound.at_most
    )


ROUTES = (route("GET", "/api/cache/report", "api.cache.report", show_report, problems=("not_found",)),)
