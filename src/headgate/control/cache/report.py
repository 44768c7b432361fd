"""How often memory answered, what that saved, and how often it was wrong, by feature."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from headgate.cache.semantic.bounds import Bound, Bounds
from headgate.cache.settings import FeatureCacheSettings
from headgate.quality.intervals import share_interval
from headgate.stores.answers import AnswerStore, Judgement
from headgate.stores.rollups import Rolled, RollupStore, Scope

__all__ = [
    "JUDGED",
    "PURPOSES",
    "CacheReport",
    "FeatureCache",
    "Hits",
    "Wrongness",
    "hits_over_time",
    "report",
    "wrongness",
]

PURPOSES = ("warm", "refresh", "sample", "embed")
"""Requests of our own that memory causes, and that cost."""
JUDGED = 5_000
"""The latest judgements of a feature that an estimate rests on."""
_LEARNED_NS = 90 * 86_400 * 1_000_000_000
"""How far back gateways learn from."""
_GIVEN, _SHADOW = frozenset({"sample"}), frozenset({"shadow"})
_NEAR = frozenset({"sample", "shadow", "near"})
_PEOPLE = frozenset({"person", "feedback"})


@dataclass(slots=True, kw_only=True)
class Hits:
    """Callers' own requests, added up."""

    requests: int = 0
    asked: int = 0
    """Those that memory was asked for."""
    exact: int = 0
    """Answered from memory, words being equal; stale answers among them."""
    similar: int = 0
    """Answered from memory, asked in other words."""
    joined: int = 0
    """Shared a call under way."""
    saved_nanos: int = 0
    saved_us: int = 0

    @property
    def hits(self) -> int:
        return self.exact + self.similar + self.joined

    @property
    def rate(self) -> float | None:
        """Of those that memory was asked for; None if it was asked for none."""
        return self.hits / self.asked if self.asked else None

    def add(self, row: Rolled) -> None:
        """These, too."""
        self.requests += row.requests
        self.asked += row.cacheable
        self.similar += row.reworded
        self.joined += row.joined
        self.exact += max(row.cached - row.reworded - row.joined, 0)
        self.saved_nanos += row.avoided_nanos
        self.saved_us += row.avoided_us


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrongness:
    """How often answers to questions in other words were wrong, as far as samples tell."""

    sampled: int = 0
    """Questions that were asked all the same, to learn it."""
    wrong: int = 0
    """Of them."""
    share: float | None = None
    """Of all such hits, each sample speaking for those it was drawn from; None without samples."""
    low: float = 0.0
    high: float = 1.0
    """Between these the true share lies, 95 % sure."""
    told: int = 0
    """How often people said that one was wrong. In no share: nobody tells of those that were right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureCache:
    """One feature."""

    feature: str
    settings: FeatureCacheSettings | None
    """None: it has no cache now."""
    hits: Hits
    wrong: Wrongness
    """Of hits in other words; in shadow mode, of those that would have been."""
    near: Wrongness
    """Of all neighbours that were judged, also those that were not sure enough to be given."""
    learned: Bound | None = None
    """How similar is similar enough by now; None if the feature is not adaptive."""

    @property
    def shadow(self) -> bool:
        """Are similar questions only measured?"""
        return self.settings is not None and self.settings.semantic is not None and self.settings.shadow


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheReport:
    """What memory did in some time."""

    since: int
    until: int
    total: Hits
    features: Sequence[FeatureCache]
    """Those that have a cache, or had hits; most hits first."""
    wrong: Wrongness
    own_nanos: int
    """What memory's own calls cost: warming, refreshing, samples, embedding."""
    own_requests: int


async def report(
    rollups: RollupStore,
    answers: AnswerStore | None,
    features: Mapping[str, FeatureCacheSettings | None],
    since: int,
    until: int,
    *,
    only: str = "",
) -> CacheReport:
    """features: all of the configuration. since, until: seconds since 1970. only: this feature's. Raises StoreUnavailable."""
    which = {"feature": only} if only else {}
    total = Hits()
    by_feature: dict[str, Hits] = {}
    for row in await rollups.rolled(Scope(since, until, which), by=("feature",)):
        total.add(row)
        by_feature.setdefault(row.group[0], Hits()).add(row)
    own_nanos = own_requests = 0
    for purpose in PURPOSES:
        for row in await rollups.rolled(Scope(since, until, which, purpose=purpose)):
            own_nanos, own_requests = own_nanos + row.cost_nanos, own_requests + row.requests
    names = {name for name, settings in features.items() if settings is not None and settings.exact}
    names |= {name for name, hits in by_feature.items() if hits.asked}
    if only:
        names &= {only}
    given: list[Judgement] = []
    found: list[FeatureCache] = []
    for name in names:
        settings = features.get(name)
        judged = await _judged(answers, name, settings, since)
        given += judged
        shadow = settings is not None and settings.shadow
        found.append(
            FeatureCache(
                feature=name,
                settings=settings,
                hits=by_feature.get(name, Hits()),
                wrong=wrongness(judged, _SHADOW if shadow else _GIVEN),
                near=wrongness(judged, _NEAR),
                learned=await _learned(answers, name, settings),
            )
        )
    found.sort(key=lambda each: (-each.hits.hits, -each.hits.asked, each.feature))
    return CacheReport(
        since=since,
        until=until,
        total=total,
        features=found,
        wrong=wrongness(given),
        own_nanos=own_nanos,
        own_requests=own_requests,
    )


async def _judged(
    answers: AnswerStore | None, feature: str, settings: FeatureCacheSettings | None, since: int
) -> Sequence[Judgement]:
    # Features without a semantic side have none: nobody is asked.
    if answers is None or settings is None or settings.semantic is None:
        return ()
    return await answers.judged(feature, since * 1_000_000_000, JUDGED)


async def _learned(
    answers: AnswerStore | None, feature: str, settings: FeatureCacheSettings | None
) -> Bound | None:
    if answers is None or settings is None or settings.semantic != "adaptive":
        return None
    bounds = Bounds()
    # Whatever the report's time: it is learned from all that is remembered. What a process knows of its comparison's mistakes,
    # which may let it give a little more, is not stored.
    bounds.load(feature, await answers.judged(feature, time.time_ns() - _LEARNED_NS, JUDGED))
    return bounds.bound(feature, settings.most_wrong)


def wrongness(judgements: Sequence[Judgement], sources: Collection[str] = _GIVEN) -> Wrongness:
    """What they tell. sources: those of `Judgement.source` that the estimate rests on; left out: samples of hits. Pure."""
    samples = [each for each in judgements if each.source in sources]
    told = sum(not each.right for each in judgements if each.source in _PEOPLE)
    weight = sum(each.weight for each in samples)
    if weight <= 0:
        return Wrongness(told=told)
    share = sum(each.weight for each in samples if not each.right) / weight
    # Of unequal weights fewer count than there are (Kish's effective size).
    count = max(int(weight * weight / sum(each.weight**2 for each in samples)), 1)
    low, high = share_interval(share * count, count)
    return Wrongness(
        sampled=len(samples),
        wrong=sum(not each.right for each in samples),
        share=share,
        low=low,
        high=high,
        told=told,
    )


async def hits_over_time(
    rollups: RollupStore, since: int, until: int, step: int, *, feature: str = ""
) -> tuple[list[int], dict[str, list[int]]]:
    """(where each step begins, kind -> requests in each). Raises StoreUnavailable."""
    which = {"feature": feature} if feature else {}
    rows = await rollups.rolled(Scope(since, until, which), step=step)
    at = sorted({row.at for row in rows if row.cacheable})
    if at:
        # A step in which nobody asked is none, and no gap.
        at = list(range(at[0], at[-1] + 1, step))
    place = {moment: number for number, moment in enumerate(at)}
    series = {name: [0] * len(at) for name in ("exact", "similar", "joined", "asked a model")}
    for row in rows:
        number = place.get(row.at)
        if number is None:
            continue
        one = Hits()
        one.add(row)
        series["exact"][number] += one.exact
        series["similar"][number] += one.similar
        series["joined"][number] += one.joined
        series["asked a model"][number] += max(one.asked - one.hits, 0)
    return at, series
