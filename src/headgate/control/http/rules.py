"""`/api/rules`, `/api/rule-previews` and `/api/rule-metrics`: what is watched, how it stands, what a rule would have done."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec

from headgate.alerts.rules.preview import Foreseen
from headgate.alerts.rules.settings import AlertRuleSettings, WatchSettings
from headgate.control.http.fields import Word
from headgate.control.http.problems import Problem
from headgate.control.http.route import Asked, route
from headgate.control.rules import (
    NoSuchRule,
    RuleTaken,
    WrongRule,
    add_rule,
    metric_facts,
    pause_rule,
    preview_rule,
    remove_rule,
    rule_facts,
    rule_from,
    rule_views,
    rule_words,
)
from headgate.core.near import did_you_mean
from headgate.stores.alerts import Severity

__all__ = ["ROUTES", "NewPreview", "NewRule", "Pausing", "Preview", "RuleShown", "Rules", "settings_of"]

Threshold = Annotated[float, msgspec.Meta(ge=0)] | Annotated[str, msgspec.Meta(max_length=50)]
Span = Annotated[str, msgspec.Meta(max_length=20, examples=["5m", "1h", "7d"])]
RuleName = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


class RuleOf(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which requests."""

    feature: Word = ""
    model: Word = ""
    provider: Word = ""


class NewRule(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A rule, as `[[watch.rules]]` of the configuration has it."""

    name: RuleName
    """Your word for it."""
    metric: Annotated[str, msgspec.Meta(max_length=50, examples=["latency_p95"])]
    """What is watched: one of `/api/rule-metrics`."""
    alert: Threshold
    """Beyond it, it is an alert: a number, or as `8s`, `5 %`, `2.50 USD`."""
    warning: Threshold | None = None
    """Beyond it, it is a warning."""
    of: RuleOf = RuleOf()
    """Which requests; empty: all."""
    each: Literal["", "feature", "model", "provider"] = ""
    """Watched for each by itself."""
    error: Word = ""
    """For `error_class_rate`: the error."""
    score: Word = ""
    """For `quality`: the name of the score."""
    series: Word = ""
    """For `drift`: `refusals`, `length`, `latency`, `first_token`, `cost` or `score:NAME`."""
    window: Span = "5m"
    """The stretch of time that is added up."""
    against: Span = "0s"
    """Compared with so long a time before it; thresholds are then how many times as much."""
    compare: Literal["", "above", "below"] = ""
    """Which way is bad; empty: as is usual for the metric."""
    looks: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 2
    """So many looks one after another must find it."""
    least: Annotated[int, msgspec.Meta(ge=0, le=10**9)] = 20
    """Of fewer requests it says nothing."""
    no_data: Literal["keep", "ok", "alert"] = "keep"
    """Without data it stands as it stood, is over, or somebody is told of that."""
    severity: Severity = "critical"


class NewPreview(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A rule that is not kept, and how far to look back."""

    rule: NewRule
    days: Annotated[int, msgspec.Meta(ge=1, le=90)] = 7


class StandingShown(msgspec.Struct, kw_only=True):
    """How one thing stands that a rule watches."""

    subject: str
    """`all`, or `feature:NAME` and so on."""
    state: str
    """unknown, ok, warning, alert or no data."""
    since: datetime | None
    looked: datetime | None
    value: float | None


class RuleShown(msgspec.Struct, kw_only=True):
    """A rule, and how it stands."""

    name: str
    source: str
    """standard, configuration or added."""
    state: str
    """That of what stands worst; paused, if it is not looked at."""
    metric: str
    unit: str
    """Of `alert`, `warning` and `value`: s, share, USD ...; times: compared with a time before."""
    of: dict[str, str]
    each: str
    error: str
    score: str
    series: str
    window_seconds: float
    against_seconds: float
    compare: str
    alert: float
    warning: float | None
    looks: int
    least: int
    no_data: str
    severity: str
    says: str
    """All of it in a line."""
    standings: list[StandingShown]


class Rules(msgspec.Struct, kw_only=True):
    """Rules: those that come with Headgate, those of the configuration, those that were added."""

    items: list[RuleShown]


class MetricShown(msgspec.Struct, kw_only=True):
    """Something that a rule may watch."""

    metric: str
    says: str
    unit: str
    bad: str
    """Which way is usually bad: above or below."""


class RuleMetrics(msgspec.Struct, kw_only=True):
    """Everything that a rule may watch."""

    items: list[MetricShown]


class Pausing(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Whether it is looked at."""

    paused: bool


class RuleChanged(msgspec.Struct, kw_only=True):
    """A rule that was added, paused, resumed or removed."""

    name: str
    paused: bool
    says: str


class FiredShown(msgspec.Struct, kw_only=True):
    """A time in which it would have been beyond a threshold."""

    subject: str
    state: str
    at: datetime
    until: datetime | None


class SeriesShown(msgspec.Struct, kw_only=True):
    """The value of one thing that is watched, step by step."""

    subject: str
    state: str
    """How it would stand now."""
    values: list[float | None]


class Preview(msgspec.Struct, kw_only=True):
    """What a rule would have done."""

    says: str
    since: datetime
    until: datetime
    step_seconds: int
    """Between two looks; longer than the rule's own where the time is long."""
    alert: float
    warning: float | None
    times: int
    """How often somebody would have been told of a beginning."""
    fired: list[FiredShown]
    series: list[SeriesShown]
    left_out: int
    """Things that would be watched too."""


async def list_rules(asked: Asked[None, None]) -> Rules:
    """List what is watched and how it stands. What `headgate rules list` prints."""
    views = await rule_views(asked.desk.rules, _watch(asked))
    return Rules(items=[msgspec.convert(rule_facts(view), RuleShown, strict=False) for view in views])


async def list_metrics(asked: Asked[None, None]) -> RuleMetrics:  # noqa: ARG001 - as all handlers
    """List everything that a rule may watch."""
    return RuleMetrics(items=[MetricShown(**each) for each in metric_facts()])


async def preview(asked: Asked[None, NewPreview]) -> Preview:
    """Tell what a rule would have done in the last days, before it is kept."""
    rule, now = settings_of(asked.body.rule), int(time.time())
    found = await preview_rule(asked.desk.rollups, asked.desk.scores, rule, asked.body.days, now)
    return _preview(rule, found)


async def add(asked: Asked[None, NewRule]) -> RuleChanged:
    """Watch something from now on. Every gateway knows of it within seconds."""
    rule = settings_of(asked.body)
    try:
        await add_rule(asked.desk.rules, _watch(asked), rule, actor=asked.actor)
    except RuleTaken as taken:
        raise Problem("conflict", str(taken), param="name") from None
    except WrongRule as wrong:
        raise Problem("invalid_request", str(wrong)) from None
    return RuleChanged(name=rule.name, paused=False, says=rule_words(rule))


async def pause(asked: Asked[None, Pausing]) -> RuleChanged:
    """Do not look at a rule for now, or look again; also one of the configuration."""
    try:
        rule = await pause_rule(
            asked.desk.rules,
            _watch(asked),
            asked.path["name"],
            paused=asked.body.paused,
            actor=asked.actor,
        )
    except NoSuchRule as missing:
        raise _missing(missing) from None
    return RuleChanged(name=rule.name, paused=rule.paused, says=rule_words(rule.settings))


async def remove(asked: Asked[None, None]) -> RuleChanged:
    """Watch it no more. Only rules that were added can be removed here."""
    views = {view.rule.name: view for view in await rule_views(asked.desk.rules, _watch(asked))}
    try:
        record = await remove_rule(asked.desk.rules, _watch(asked), asked.path["name"], actor=asked.actor)
    except NoSuchRule as missing:
        raise _missing(missing) from None
    view = views.get(record.name)
    return RuleChanged(
        name=record.name, paused=record.paused, says=rule_words(view.rule.settings) if view else ""
    )


def settings_of(rule: NewRule) -> AlertRuleSettings:
    """As rooms know it. Raises Problem."""
    try:
        return rule_from(msgspec.to_builtins(rule))
    except WrongRule as wrong:
        raise Problem("invalid_request", str(wrong)) from None


def _preview(rule: AlertRuleSettings, found: Foreseen) -> Preview:
    return Preview(
        says=rule_words(rule),
        since=_at(found.since),
        until=_at(found.until),
        step_seconds=found.step,
        alert=rule.alert_at,
        warning=rule.warning_at,
        times=len(found.fired),
        fired=[
            FiredShown(
                subject=each.subject,
                state=each.state,
                at=_at(each.at),
                until=None if each.until is None else _at(each.until),
            )
            for each in found.fired
        ],
        series=[
            SeriesShown(subject=each.subject, state=each.state, values=[value for _, value in each.values])
            for each in found.series
        ],
        left_out=found.left_out,
    )


def _watch(asked: Asked[Any, Any]) -> WatchSettings:
    watch: WatchSettings = asked.desk.configuration().settings.watch
    return watch


def _missing(missing: NoSuchRule) -> Problem:
    near = did_you_mean(missing.name[:100], missing.names)
    return Problem("not_found", f"{missing}"[:300] + near, param="name")


def _at(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


ROUTES = (
    route("GET", "/api/rules", "api.rules.list", list_rules),
    route("POST", "/api/rules", "api.rules.add", add, status=201, problems=("conflict",)),
    route("DELETE", "/api/rules/{name}", "api.rules.remove", remove, problems=("not_found",)),
    route("POST", "/api/rules/{name}/pause", "api.rules.pause", pause, problems=("not_found",)),
    route("POST", "/api/rule-previews", "api.rules.preview", preview),
    route("GET", "/api/rule-metrics", "api.rules.metrics", list_metrics),
)
