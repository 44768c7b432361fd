"""What changed of how a feature answers: when, by how much, and what happened near it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from headgate.control.drift_metrics import METRICS, Metric
from headgate.control.quality import names
from headgate.core.sketch import Sketch
from headgate.quality.drift import DAY, HOUR, Change, Point
from headgate.quality.drift import changes as found_changes
from headgate.quality.scores import summed
from headgate.stores.rollups import MEMORY, SUMS, Mark, Rolled, Scope
from headgate.stores.scores import ScoreScope, ScoreStore, ScoreSum

__all__ = ["DRIFT_DAYS", "Drifted", "Drifting", "changes", "drifts", "points_of"]

_NS = 1_000_000_000
DRIFT_DAYS = 28
"""How far back changes are looked for."""
_NEAR_BEFORE, _NEAR_AFTER = 6 * HOUR, 2 * HOUR
"""What happened so long before, or after, a change may explain it."""


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
