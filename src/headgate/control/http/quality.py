"""`/api/quality`: means of judgements, what is judged worst, and what changed."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from headgate.control import drifting, quality
from headgate.control.http.fields import Ago, Maybe
from headgate.control.http.moments import ago_ns, moment
from headgate.control.http.problems import Problem
from headgate.control.http.route import Asked, route
from headgate.core.ids import request_id_text
from headgate.quality.scores import Mean
from headgate.stores.scores import ScoreKind, ScoreSource

__all__ = ["ROUTES", "Changes", "Quality", "Worst", "changes_of", "features_of"]

_NS = 1_000_000_000
_DAY = 86_400
_LONGEST = 366 * _DAY
Few = Annotated[int, Meta(ge=1, le=100)]
Group = Literal["feature", "model", "prompt", "source"]


class QualityQuery(msgspec.Struct, kw_only=True):
    """Which judgements, and how they are kept apart."""

    since: Ago = "30d"
    """Those of requests from then on; at most a year back."""
    until: Ago = ""
    """Those before then; empty: until now."""
    by: Literal["", "feature", "model", "prompt", "source"] = "feature"
    """What means are kept apart by; empty: by nothing."""
    name: Maybe = UNSET
    """Only `thumbs`, `rating` or another."""
    feature: Maybe = UNSET
    """Only those of requests of this feature."""
    model: Maybe = UNSET
    """Only those of requests that went to this model."""
    prompt: Maybe = UNSET
    """Only those of requests with this prompt, such as `greeting@7`."""
    source: ScoreSource | UnsetType = UNSET
    """Only those given by users, or by code."""


class MeanTold(msgspec.Struct, kw_only=True):
    """The mean of one name and group."""

    name: str
    kind: ScoreKind
    group: str
    """Of what `by` says."""
    scores: int
    """How many judgements it is made of."""
    mean: float
    """Of yes and no: the share of yes, up, done."""
    low: float | None
    """The mean of very many lies between `low` and `high` in 95 of 100 cases; null: too few to say."""
    high: float | None


class Quality(msgspec.Struct, kw_only=True):
    """Means, those with the most judgements first."""

    items: list[MeanTold]


class WorstQuery(msgspec.Struct, kw_only=True):
    """What is judged worst, by one name."""

    since: Ago = "30d"
    """Those of requests from then on; at most a year back."""
    by: Literal["prompt", "feature", "model", "session", "request"] = "prompt"
    """What is put in order. Of sessions and requests the latest 20,000 judgements are read."""
    name: Annotated[str, Meta(max_length=64)] = ""
    """`thumbs`, `rating` or another; empty: what is judged most."""
    feature: Maybe = UNSET
    """Only those of requests of this feature."""
    limit: Few = 20
    """How many at most."""


class WorstTold(msgspec.Struct, kw_only=True):
    """A group, a conversation or a request."""

    group: str
    """The prompt, the feature, the model, the conversation or the request."""
    scores: int
    mean: float
    low: float | None
    high: float | None
    surely_low: bool
    """Even the upper end of its interval is below the mean of all; of single requests and conversations nobody says so."""


class Worst(msgspec.Struct, kw_only=True):
    """Groups by the upper end of their interval, so that one bad judgement does not win; requests and conversations by their mean."""

    name: str
    """What they are judged by; empty: nothing was judged."""
    items: list[WorstTold]


class ChangesQuery(msgspec.Struct, kw_only=True):
    """Where changes are looked for."""

    feature: Maybe = UNSET
    """Only this one; else all that are configured, and 20 at most."""
    metric: Annotated[str, Meta(max_length=80)] = ""
    """refusals, length, latency, first_token, cost or score:NAME; empty: all."""
    days: Annotated[int, Meta(ge=1, le=180)] = drifting.DRIFT_DAYS
    """How far back."""
    young: bool = False
    """Look also where there are not three weeks yet, and the change may be that of every weekend."""


class MarkTold(msgspec.Struct, kw_only=True):
    """What may explain a change."""

    at: datetime
    kind: str
    """config, fingerprint or model."""
    subject: str
    text: str


class Ends(msgspec.Struct, kw_only=True):
    """The mean of very many lies between them in 95 of 100 cases."""

    low: float
    high: float


class ChangeTold(msgspec.Struct, kw_only=True):
    """A number of a feature became another one."""

    feature: str
    metric: str
    title: str
    unit: str
    at: datetime
    before: float
    before_interval: Ends
    after: float
    after_interval: Ends
    p: float
    """How often a series that did not change shows as much."""
    sigmas: float
    """The size of the change in units of how far single hours, or days, lie apart."""
    young: bool
    """There are not three weeks yet: nobody knows what is usual."""
    marks: list[MarkTold]
    """What happened near it."""


class Changes(msgspec.Struct, kw_only=True):
    """Changes, the latest first."""

    items: list[ChangeTold]


async def show(asked: Asked[QualityQuery, None]) -> Quality:
    """Tell how answers are judged: the mean of each score, by feature, model, prompt or source, with how many and how sure."""
    query = asked.query
    since, until = _stretch(query.since, query.until)
    only = {
        name: value
        for name in ("name", "feature", "model", "prompt", "source")
        if (value := getattr(query, name)) is not UNSET
    }
    by: tuple[Any, ...] = (query.by,) if query.by else ()
    rows = await quality.means(asked.desk.scores, since, until, by=by, only=only)
    return Quality(
        items=[
            MeanTold(name=row.name, kind=row.kind, group="".join(row.group), **_mean(row.mean))  # type: ignore[arg-type]
            for row in rows[:1000]
        ]
    )


async def show_worst(asked: Asked[WorstQuery, None]) -> Worst:
    """Tell what is judged worst: prompts, features, models, conversations, or requests."""
    query = asked.query
    since, until = _stretch(query.since, "")
    only = {} if query.feature is UNSET else {"feature": query.feature}
    store = asked.desk.scores
    judged = await quality.names(store, since, until, only)
    found = next((each for each in judged if query.name in ("", each[0])), None)
    if found is None:
        return Worst(name=query.name, items=[])
    name, kind = found
    if query.by == "session" or query.by == "request":  # noqa: PLR1714 - the type checker reads this one
        rows = await quality.lowest(
            store, name, since, by=query.by, limit=query.limit, feature=only.get("feature", "")
        )
        items = [
            WorstTold(
                group=each.session if query.by == "session" else request_id_text(each.request_id),
                scores=each.scores,
                mean=each.mean,
                low=None,
                high=None,
                surely_low=False,
            )
            for each in rows
        ]
        return Worst(name=name, items=items)
    by: quality.By = query.by
    ranked = await quality.worst_groups(store, name, kind, since, until, by=by, only=only, limit=query.limit)
    return Worst(
        name=name,
        items=[
            WorstTold(group=each.group[0], surely_low=each.surely_low, **_mean(each.mean)) for each in ranked
        ],
    )


async def show_changes(asked: Asked[ChangesQuery, None]) -> Changes:
    """Tell when a feature's scores, refusals, length, latency or cost changed, and what happened near it.

    A change is told if chance makes one as large less than once in a thousand; `docs/design/drift.md` says how that is measured."""
    query = asked.query
    features = [query.feature] if query.feature is not UNSET else features_of(asked)
    found = await changes_of(asked, features, query.metric, query.days, young=query.young)
    return Changes(items=[_change(each) for each in found])


async def changes_of(
    asked: Asked[Any, Any], features: list[str], metric: str, days: int, *, young: bool
) -> list[drifting.Drifted]:
    """The changes, the latest first. Raises Problem for a metric that is not there."""
    desk, now = asked.desk, int(time.time())
    if not metric:
        return await drifting.drifts(desk.scores, desk.rollups, features, now, days=days, young=young)
    try:
        found = [
            each
            for feature in features
            for each in await drifting.changes(
                desk.scores, desk.rollups, feature, metric, now, days=days, young=young
            )
        ]
    except ValueError as wrong:
        raise Problem("invalid_request", str(wrong), param="metric") from None
    return sorted(found, key=lambda each: -each.change.at)


def features_of(asked: Asked[Any, Any]) -> list[str]:
    """Those of the configuration, 20 at most."""
    return list(asked.desk.configuration().settings.features)[:20]


def _stretch(since: str, until: str) -> tuple[int, int]:
    now = int(time.time())
    end = ago_ns(until, "until") // _NS if until else now
    begin = ago_ns(since, "since") // _NS if since else 0
    end = min(end, now + _DAY)
    return min(max(begin, end - _LONGEST), end), end


def _mean(mean: Mean) -> dict[str, Any]:
    return {"scores": mean.scores, "mean": mean.mean, "low": mean.low, "high": mean.high}


def _change(each: drifting.Drifted) -> ChangeTold:
    change = each.change
    return ChangeTold(
        feature=each.feature,
        metric=each.metric,
        title=each.title,
        unit=each.unit,
        at=moment(change.at * _NS),
        before=change.before,
        before_interval=Ends(low=change.before_interval[0], high=change.before_interval[1]),
        after=change.after,
        after_interval=Ends(low=change.after_interval[0], high=change.after_interval[1]),
        p=change.p,
        sigmas=change.sigmas,
        young=change.young,
        marks=[
            MarkTold(at=moment(mark.at_ns), kind=mark.kind, subject=mark.subject, text=mark.text)
            for mark in each.marks
        ],
    )


ROUTES = (
    route("GET", "/api/quality", "api.quality.show", show),
    route("GET", "/api/quality/worst", "api.quality.worst", show_worst),
    route("GET", "/api/quality/changes", "api.quality.changes", show_changes, seconds=30.0),
)
