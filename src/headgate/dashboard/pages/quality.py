"""`/quality`: how answers are judged, over time and by prompt, model and feature; what is worst; what changed; what people say."""

from __future__ import annotations

from typing import Any, get_args

from headgate.admission.rights import CONTENT
from headgate.control.drift_metrics import METRICS
from headgate.control.http.problems import Problem
from headgate.control.http.quality import changes_of, features_of
from headgate.control.quality import By, names
from headgate.control.quality_views import board, drift_plot, score_plot, scored
from headgate.dashboard.looking import Data, Looking, Shown, page
from headgate.quality.drift import DAY, HOUR

__all__ = ["PAGES"]

_RIGHT = "api.quality.show"
_CHANGES = "api.quality.changes"
_BY = ("prompt", "model", "feature")
_DAYS = 28


async def show(asked: Looking) -> Shown:
    """How answers are judged."""
    stretch, store = asked.stretch, asked.desk.scores
    by, feature = _by(asked), asked.query.get("feature", "")[:256]
    found = await board(
        store, stretch.since, stretch.until, name=asked.query.get("name", "")[:64], by=by, feature=feature
    )
    return Shown(
        "quality.html",
        {
            "title": "Quality",
            "found": found,
            "by": by,
            "ways": _BY,
            "feature": feature,
            "features": await _features(asked),
            "content": asked.viewer.may(CONTENT),
        },
    )


async def drawn(asked: Looking) -> Data:
    """The data of one plot: `mean`, `count`, or a number of a feature that may drift."""
    plot, stretch, desk = asked.path["name"], asked.stretch, asked.desk
    feature = asked.query.get("feature", "")[:256]
    if plot in ("mean", "count"):
        return Data(
            await score_plot(
                desk.scores,
                desk.rollups,
                asked.query.get("name", "")[:64],
                stretch.since,
                stretch.until,
                feature=feature,
                count=plot == "count",
            )
        )
    try:
        return Data(await drift_plot(desk.scores, desk.rollups, feature, plot, asked.now_ns // 1_000_000_000))
    except ValueError as wrong:
        raise Problem("not_found", f"there is no such plot: {wrong}") from None


async def show_changes(asked: Looking) -> Shown:
    """What changed of one feature in the last four weeks, and what may explain it."""
    features = await _features(asked)
    feature = asked.query.get("feature", "")[:256] or next(iter(features), "")
    found = await changes_of(asked.asked(), [feature], "", _DAYS, young=True) if feature else []
    now = asked.now_ns // 1_000_000_000
    metrics = [(name, each.title) for name, each in METRICS.items()] if feature else []
    judged = await names(asked.desk.scores, now - _DAYS * DAY, now, {"feature": feature}) if feature else []
    metrics += [(f"score:{name}", f"Score {name}") for name, _ in judged[:3]]
    return Shown(
        "quality-changes.html",
        {
            "title": "What changed",
            "feature": feature,
            "features": features,
            "found": [_row(each) for each in found],
            "metrics": metrics,
            "days": _DAYS,
        },
    )


async def _features(asked: Looking) -> list[str]:
    """Those that were judged, then those of the configuration."""
    now = asked.now_ns // 1_000_000_000
    judged = await scored(asked.desk.scores, now - _DAYS * DAY, now)
    return list(dict.fromkeys([*judged, *features_of(asked.asked())]))[:100]


def _by(asked: Looking) -> By:
    given: Any = asked.query.get("by", "prompt")
    if given not in get_args(By):
        raise Problem("invalid_request", f"`by` is one of {', '.join(_BY)}", param="by")
    by: By = given
    return by


def _row(each: Any) -> dict[str, Any]:
    change = each.change
    return {
        "at_ns": change.at * 1_000_000_000,
        "title": each.title,
        "metric": each.metric,
        "unit": each.unit,
        "before": change.before,
        "after": change.after,
        "before_ends": change.before_interval,
        "after_ends": change.after_interval,
        "p": change.p,
        "young": change.young,
        "marks": [
            {"at_ns": mark.at_ns, "kind": mark.kind, "text": f"{mark.subject} {mark.text}".strip()}
            for mark in each.marks
        ],
        "since": change.at - HOUR,
        "until": change.at + 6 * HOUR,
    }


PAGES = (
    page("GET", "/quality", _RIGHT, show, usual="30d"),
    page("GET", "/quality/changes", _CHANGES, show_changes),
    page("GET", "/plots/quality/{name}", _RIGHT, drawn),
)
