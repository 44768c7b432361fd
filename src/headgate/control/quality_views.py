"""What the Quality page shows, as numbers and as data of plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from headgate.control.drift_metrics import METRICS
from headgate.control.drifting import DRIFT_DAYS, Drifted, Drifting, changes, points_of
from headgate.control.quality import By, MeanRow, lowest, means, score_series, step_for, worst_groups
from headgate.quality.worst import Ranked
from headgate.stores.rollups import Mark
from headgate.stores.scores import Judged, ScoreRow, ScoreStore

__all__ = ["Board", "board", "drift_plot", "score_plot", "scored"]

_NS = 1_000_000_000
_COMMENTS = 10
_GROUPS = 50


@dataclass(frozen=True, slots=True)
class Board:
    """The page, for one score."""

    names: Sequence[MeanRow]
    """Each score there is, over everything that is looked at."""
    name: str
    """The one that is shown; "": there is none."""
    kind: str
    groups: Sequence[MeanRow]
    left_out: int
    """Groups that are not shown."""
    worst: Sequence[Ranked]
    requests: Sequence[Judged]
    sessions: Sequence[Judged]
    comments: Sequence[ScoreRow]


async def board(
    store: ScoreStore, since: int, until: int, *, name: str = "", by: By = "prompt", feature: str = ""
) -> Board:
    """name: the score to show; else the one with the most judgements. feature: only this one's; "": all."""
    only = {"feature": feature} if feature else {}
    names = await means(store, since, until, only=only)
    shown = next((row for row in names if name in ("", row.name)), None)
    if shown is None:
        listed = await _comments(store, since, only)
        return Board(names, "", "", (), 0, (), (), (), listed)
    groups = await means(store, since, until, by=(by,), only={**only, "name": shown.name, "kind": shown.kind})
    return Board(
        names=names,
        name=shown.name,
        kind=shown.kind,
        groups=groups[:_GROUPS],
        left_out=max(len(groups) - _GROUPS, 0),
        worst=await worst_groups(store, shown.name, shown.kind, since, until, by=by, only=only, limit=8),
        requests=await lowest(store, shown.name, since, limit=8, feature=feature),
        sessions=await lowest(store, shown.name, since, by="session", limit=5, feature=feature),
        comments=await _comments(store, since, only),
    )


async def scored(store: ScoreStore, since: int, until: int) -> list[str]:
    """The features of which anything was judged, those with the most judgements first."""
    found = await means(store, since, until, by=("feature",))
    return list(dict.fromkeys(row.group[0] for row in found if row.group[0]))


async def score_plot(
    store: ScoreStore,
    rollups: Drifting,
    name: str,
    since: int,
    until: int,
    *,
    feature: str = "",
    prompt: str | None = None,
    count: bool = False,
) -> dict[str, Any]:
    """The mean of a score over time with the ends of its interval; count: how many judgements it is made of."""
    only = {"feature": feature} if feature else {}
    if prompt is not None:
        only["prompt"] = prompt
    names = await means(store, since, until, only=only)
    kind = next((row.kind for row in names if row.name == name), "number")
    step = step_for(since, until)
    points = await score_series(store, name, kind, since, until, step=step, only=only)
    by_at = {each.at: each.mean for each in points}
    at = list(range(since - since % step, until + 1, step)) if points else []
    found = [by_at.get(moment) for moment in at]
    drill = "/traces?from={from}&to={to}" + (f"&feature={quote(feature)}" if feature else "")
    if count:
        series = [{"name": "judgements", "y": [each.scores if each else 0 for each in found]}]
        return {"title": f"Judgements: {name}", "unit": "", "x": at, "series": series, "drill": drill}
    return {
        "title": f"Mean: {name}",
        "unit": "share" if kind == "boolean" else "",
        "zero": kind == "boolean",
        "x": at,
        "series": [
            {"name": "mean", "y": [each.mean if each else None for each in found]},
            {"name": "at least", "kind": "soft", "y": [each.low if each else None for each in found]},
            {"name": "at most", "kind": "soft", "y": [each.high if each else None for each in found]},
        ],
        "marks": [_mark(each) for each in await rollups.marks(since * _NS, until * _NS)],
        "drill": drill,
    }


async def drift_plot(
    store: ScoreStore, rollups: Drifting, feature: str, metric: str, now: int, *, days: int = DRIFT_DAYS
) -> dict[str, Any]:
    """A number of a feature over time, with its changes and what may explain them. Raises ValueError for an unknown metric."""
    until = now - now % 3600
    since = until - days * 86_400
    step, points = await points_of(store, rollups, feature, metric, since, until)
    found = await changes(store, rollups, feature, metric, now, days=days, young=True)
    known = METRICS.get(metric)
    by_at = {each.at: each.value for each in points}
    at = list(range(points[0].at, points[-1].at + 1, step)) if points else []
    marks = [{"at": each.change.at, "text": _words(each), "kind": "change"} for each in found]
    marks += [_mark(each) for each in await rollups.marks(since * _NS, until * _NS)]
    return {
        "title": f"{known.title if known else metric.partition(':')[2]}: {feature}",
        "unit": known.unit if known else "",
        "x": at,
        "series": [{"name": known.title if known else "mean", "y": [by_at.get(moment) for moment in at]}],
        "marks": marks,
        "drill": "/traces?from={from}&to={to}" + f"&feature={quote(feature)}",
    }


def _words(one: Drifted) -> str:
    change = one.change
    sure = "too early to be sure" if change.young else f"p {change.p:.3f}"
    return f"changed from {change.before:.3g} to {change.after:.3g} ({sure})"


def _mark(mark: Mark) -> dict[str, Any]:
    return {"at": mark.at_ns // _NS, "text": f"{mark.subject} {mark.text}".strip(), "kind": mark.kind}


async def _comments(store: ScoreStore, since: int, only: dict[str, str]) -> Sequence[ScoreRow]:
    rows = await store.before(0, _COMMENTS, since_ns=since * _NS, only={**only, "kind": "text"})
    return [row for row in rows if row.text]
