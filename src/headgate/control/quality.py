"""How good answers are: means with how sure they are, over time and by prompt, model and feature; what is judged worst.

Numbers, no HTML. All of it is read from sums (`score_rollup`), but the requests that are judged lowest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from headgate.quality.drift import DAY, HOUR
from headgate.quality.scores import Mean, mean_of
from headgate.quality.worst import Ranked, worst
from headgate.stores.scores import Judged, ScoreScope, ScoreStore

__all__ = [
    "By",
    "MeanRow",
    "ScorePoint",
    "lowest",
    "means",
    "names",
    "score_series",
    "step_for",
    "worst_groups",
]

_NS = 1_000_000_000
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
