"""How good answers are: means with how sure they are, over time and by prompt, model and feature; what is judged worst; and what changed.

Numbers, no HTML. All of it is read from sums (`score_rollup`, rollups), but the requests that are judged lowest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Literal, Protocol

from headgate.core.sketch import Sketch
from headgate.quality.drift import DAY, HOUR, Change, Point
from headgate.quality.drift import changes as found_changes
from headgate.quality.scores import Mean, mean_of, summed
from headgate.quality.worst import Ranked, worst
from headgate.stores.rollups import MEMORY, SUMS, Mark, Rolled, Scope
from headgate.stores.scores import Judged, ScoreScope, ScoreStore, ScoreSum

__all__ = [
    "DRIFT_DAYS",
    "METRICS",
    "Drifted",
    "Drifting",
    "MeanRow",
    "Metric",
    "ScorePoint",
    "changes",
    "drifts",
    "lowest",
    "means",
    "names",
    "points_of",
    "score_series",
    "step_for",
    "worst_groups",
]

_NS = 1_000_000_000
DRIFT_DAYS = 28
"""How far back changes are looked for."""
_NEAR_BEFORE, _NEAR_AFTER = 6 * HOUR, 2 * HOUR
"""What happened so long before, or after, a change may explain it."""
_GROUPS = ("name", "kind")
By = Literal["feature", "model", "prompt", "source"]


@dataclass(frozen=True, slots=True)
class MeanRow:
    """Judgements of one name and group."""

    name: str
    kind: str
    group: tuple[str, ...]
    mean: Mean


@dataclass(frozen=True, slots=True)
class ScorePoint:
    """Judgements of one stretch of time."""

    at: int
    mean: Mean


@dataclass(frozen=True, slots=True)
class Metric:
    """A number of a feature that may drift."""

    name: str
    title: str
    unit: str
    positive: bool
    """Above 0, and changes by factors."""
    least_share: float
    """Smaller changes are not worth a word."""
    sketches: tuple[str, ...]
    answered: bool
    """Of answered requests only."""
    read: Callable[[Rolled], tuple[float, int] | None]
    """(value, of how many); None: there is none."""


@dataclass(frozen=True, slots=True)
class Drifted:
    """A change of one number of one feature, and what may explain it."""

    feature: str
    metric: str
    """A name of METRICS, or `score:NAME`."""
    title: str
    unit: str
    change: Change
    marks: tuple[Mark, ...]
    """Near it: another configuration, another fingerprint or model of a provider."""


class Drifting(Protocol):
    """What is read of rollups."""

    async def rolled(
        self, scope: Scope, *, step: int = 0, by: Sequence[str] = (), sketches: Collection[str] = ()
    ) -> Sequence[Rolled]: ...

    async def marks(self, since_ns: int, until_ns: int, limit: int = 200) -> Sequence[Mark]: ...


def _quantile(name: str, share: float, factor: float) -> Callable[[Rolled], tuple[float, int] | None]:
    def read(one: Rolled) -> tuple[float, int] | None:
        sketch = one.sketches.get(name)
        value = sketch.quantile(share) if sketch is not None else None
        return None if value is None or sketch is None else (value * factor, sketch.count)

    return read


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        each.name: each
        for each in (
            Metric(
                "refusals",
                "Share of answers that are refusals",
                "share",
                False,
                0.2,
                (),
                False,
                lambda one: (one.refusals / one.requests, one.requests) if one.requests else None,
            ),
            Metric(
                "length",
                "Length of an answer (tokens)",
                "",
                True,
                0.1,
                (),
                True,
                lambda one: (one.output_tokens / one.requests, one.requests) if one.requests else None,
            ),
            Metric(
                "latency",
                "Latency, median",
                "s",
                True,
                0.1,
                ("total_us",),
                True,
                _quantile("total_us", 0.5, 1e-6),
            ),
            Metric(
                "first_token",
                "First token, median",
                "s",
                True,
                0.1,
                ("first_content_us",),
                True,
                _quantile("first_content_us", 0.5, 1e-6),
            ),
            Metric(
                "cost",
                "Cost of a request",
                "usd",
                True,
                0.1,
                (),
                True,
                lambda one: (
                    (one.cost_nanos / (one.requests - one.unpriced) / 1e9, one.requests - one.unpriced)
                    if one.requests > one.unpriced
                    else None
                ),
            ),
        )
    }
)
"""Numbers of a feature besides its scores."""


async def means(
    store: ScoreStore,
    since: int,
    until: int,
    *,
    by: Sequence[By] = (),
    only: Mapping[str, str] = {},
) -> list[MeanRow]:
    """The mean of each name and group, with how many and how sure: those with the most judgements first."""
    sums = await store.added_up(ScoreScope(since, until, only), by=(*_GROUPS, *by))
    rows = [
        MeanRow(each.group[0], each.group[1], each.group[2:], mean_of(each, share=each.group[1] == "boolean"))
        for each in sums
    ]
    return sorted(rows, key=lambda row: (-row.mean.scores, row.name, row.group))


async def names(
    store: ScoreStore, since: int, until: int, only: Mapping[str, str] = {}
) -> list[tuple[str, str]]:
    """(name, kind) of what was judged, those with the most judgements first."""
    return [(row.name, row.kind) for row in await means(store, since, until, only=only)]


async def score_series(
    store: ScoreStore,
    name: str,
    kind: str,
    since: int,
    until: int,
    *,
    step: int,
    only: Mapping[str, str] = {},
) -> list[ScorePoint]:
    """A point for each step in which there are judgements."""
    scope = ScoreScope(since, until, {**only, "name": name, "kind": kind})
    sums = await store.added_up(scope, step=step)
    return [ScorePoint(each.at, mean_of(each, share=kind == "boolean")) for each in sums]


def step_for(since: int, until: int) -> int:
    """Seconds of one point of a plot of scores: they are kept per hour."""
    for step in (HOUR, 3 * HOUR, 6 * HOUR):
        if (until - since) / step <= 60:
            return step
    return DAY


async def worst_groups(
    store: ScoreStore,
    name: str,
    kind: str,
    since: int,
    until: int,
    *,
    by: By = "prompt",
    only: Mapping[str, str] = {},
    limit: int = 10,
) -> list[Ranked]:
    """Groups that are surely judged worst, first: by the upper end of their interval, so that one bad judgement does not win."""
    scope = ScoreScope(since, until, {**only, "name": name, "kind": kind})
    sums = await store.added_up(scope, by=(by,))
    return worst(sums, share=kind == "boolean", limit=limit)


async def lowest(
    store: ScoreStore,
    name: str,
    since: int,
    *,
    by: Literal["request", "session"] = "request",
    limit: int = 10,
    feature: str = "",
) -> Sequence[Judged]:
    """Requests, or conversations, that are judged lowest."""
    return await store.lowest(name, since * _NS, by=by, limit=limit, feature=feature)


async def changes(
    scores: ScoreStore,
    rollups: Drifting,
    feature: str,
    metric: str,
    now: int,
    *,
    days: int = DRIFT_DAYS,
    p: float = 0.001,
    young: bool = False,
) -> list[Drifted]:
    """When a number of a feature changed in the last days, in order of time.

    metric: a name of METRICS, or `score:NAME`. now: seconds since 1970; the hour that is not over does not count. p: see
    `headgate.quality.drift`. young: look also where there are not three weeks yet. Raises ValueError for a metric that is not
    there."""
    until = now - now % HOUR
    step, points = await points_of(scores, rollups, feature, metric, until - days * DAY, until)
    return await _explained(rollups, feature, metric, step, points, until, p=p, young=young)


async def _explained(
    rollups: Drifting,
    feature: str,
    metric: str,
    step: int,
    points: Sequence[Point],
    until: int,
    *,
    p: float = 0.001,
    young: bool,
) -> list[Drifted]:
    """Changes of a series, with the marks near them."""
    known = METRICS.get(metric)
    # Up to a tenth of a second of computing: requests go on meanwhile.
    found = await asyncio.to_thread(
        _searched,
        tuple(points),
        step=step,
        p=p,
        positive=known.positive if known else False,
        least_share=known.least_share if known else 0.02,
        young=young,
    )
    if not found:
        return []
    marks = await rollups.marks((found[0].at - _NEAR_BEFORE) * _NS, until * _NS)
    title = known.title if known else f"Score {metric.partition(':')[2]}"
    unit = known.unit if known else ""
    return [
        Drifted(feature, metric, title, unit, each, tuple(m for m in marks if _is_near(m, each)))
        for each in found
    ]


@lru_cache(maxsize=64)
def _searched(
    points: tuple[Point, ...], *, step: int, p: float, positive: bool, least_share: float, young: bool
) -> list[Change]:
    """The same series is asked for by the page, by each of its plots and by rules, and changes once an hour."""
    return found_changes(points, step=step, p=p, positive=positive, least_share=least_share, young=young)


async def drifts(
    scores: ScoreStore,
    rollups: Drifting,
    features: Sequence[str],
    now: int,
    *,
    days: int = DRIFT_DAYS,
    young: bool = False,
) -> list[Drifted]:
    """The changes of all numbers and scores of these features, the latest first."""
    found: list[Drifted] = []
    until = now - now % HOUR
    since = until - days * DAY
    for feature in features:
        judged = await names(scores, since, now, {"feature": feature})
        for metric, points in (await _all_points(rollups, feature, since, until)).items():
            found += await _explained(rollups, feature, metric, HOUR, points, until, young=young)
        for name, _ in judged[:5]:
            found += await changes(scores, rollups, feature, f"score:{name}", now, days=days, young=young)
    return sorted(found, key=lambda each: -each.change.at)


async def points_of(
    scores: ScoreStore, rollups: Drifting, feature: str, metric: str, since: int, until: int
) -> tuple[int, list[Point]]:
    """The series that is looked at, and its step in seconds: hours; for scores that are few, days. Raises ValueError."""
    if metric.startswith("score:"):
        return await _score_points(scores, feature, metric.partition(":")[2], since, until)
    known = METRICS.get(metric)
    if known is None:
        raise ValueError(f"no metric `{metric}`: there are {', '.join(METRICS)} and score:NAME")
    only = {"feature": feature} | ({"outcome": "ok"} if known.answered else {})
    return HOUR, _read(known, await _asked(rollups, Scope(since, until, only), known.sketches))


async def _all_points(rollups: Drifting, feature: str, since: int, until: int) -> dict[str, list[Point]]:
    """Of all METRICS, with two questions."""
    found: dict[str, list[Point]] = {}
    for answered in (False, True):
        asked = [each for each in METRICS.values() if each.answered is answered]
        only = {"feature": feature} | ({"outcome": "ok"} if answered else {})
        sketches = [name for each in asked for name in each.sketches]
        rows = await _asked(rollups, Scope(since, until, only), sketches)
        found |= {each.name: _read(each, rows) for each in asked}
    return found


async def _asked(rollups: Drifting, scope: Scope, sketches: Collection[str]) -> list[Rolled]:
    """By the hour, requests that a model was asked for. How many are answered from memory changes with what people ask, and no series
    of a model's shall drift because of it."""
    found: dict[int, Rolled] = {}
    for row in await rollups.rolled(scope, step=HOUR, by=("provider",), sketches=sketches):
        if row.group == (MEMORY,):
            continue
        one = found.setdefault(row.at, Rolled(at=row.at, group=()))
        for name in SUMS:
            setattr(one, name, getattr(one, name) + getattr(row, name))
        for name, sketch in row.sketches.items():
            one.sketches = {**one.sketches, name: Sketch().merge((one.sketches.get(name, Sketch()), sketch))}
    return [found[at] for at in sorted(found)]


def _read(metric: Metric, rows: Sequence[Rolled]) -> list[Point]:
    read = [(row.at, metric.read(row)) for row in rows]
    return [Point(at, *value) for at, value in read if value is not None]


async def _score_points(
    scores: ScoreStore, feature: str, name: str, since: int, until: int
) -> tuple[int, list[Point]]:
    scope = ScoreScope(since, until, {"feature": feature, "name": name})
    hours = await scores.added_up(scope, step=HOUR)
    usual = summed(hours).scores / len(hours) if hours else 0
    if usual >= 5:
        return HOUR, _points(hours)
    return DAY, _points(await scores.added_up(scope, step=DAY))


def _points(sums: Sequence[ScoreSum]) -> list[Point]:
    return [Point(each.at, each.total / each.scores, each.scores) for each in sums]


def _is_near(mark: Mark, change: Change) -> bool:
    at = mark.at_ns // _NS
    return change.at - _NEAR_BEFORE <= at <= change.at + _NEAR_AFTER
