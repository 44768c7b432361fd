"""`/alerts`: rules and how they stand, what was told and whether it arrived, who is told; a new rule, tried out before it is kept."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import msgspec

from headgate.alerts.rules.settings import AlertRuleSettings
from headgate.control.http import alerts, rules
from headgate.control.http.alerts import AlertsQuery
from headgate.control.http.problems import Problem
from headgate.control.http.rules import NewPreview, NewRule, Pausing, Preview, settings_of
from headgate.control.rules import metric_facts, preview_rule, rule_words
from headgate.dashboard.looking import Data, Looking, Redirect, Shown, page
from headgate.stores.alerts import SEVERITIES

__all__ = ["PAGES"]

_FIELDS = tuple(each for each in NewRule.__struct_fields__ if each != "of")
_OF = ("feature", "model", "provider")
_DAYS = (1, 7, 30)
_MOST_FIRED = 20


async def show(asked: Looking) -> Shown:
    """Everything about alerts."""
    told = await alerts.list_alerts(asked.asked(AlertsQuery(since="30d", limit=50)))
    known = await rules.list_rules(asked.asked())
    receivers = None
    if asked.viewer.may("api.receivers.list"):
        receivers = await alerts.list_receivers(asked.asked())
    settings = asked.desk.configuration().settings
    standing = [
        {"rule": rule, "standing": each, "since_ns": _ns(each.since)}
        for rule in known.items
        if rule.state != "paused"
        for each in rule.standings
        if each.state in ("alert", "warning")
    ]
    values = {
        "title": "Alerts",
        "told": [{"told": each, "at_ns": _ns(each.at)} for each in told.items],
        "rules": known.items,
        "standing": standing,
        "receivers": receivers.items if receivers is not None else None,
        "configured": [{"name": each.name, "kind": each.kind} for each in settings.alerts],
    }
    return Shown("alerts.html", values)


async def new(asked: Looking) -> Shown:
    """The editor of a rule; with a rule in the query also what it would have done."""
    draft = {name: asked.query.get(name, "") for name in (*_FIELDS, *_OF)}
    values: dict[str, Any] = {
        "title": "New rule",
        "draft": draft,
        "metrics": metric_facts(),
        "severities": SEVERITIES,
        "days": _days(asked),
        "choices": _DAYS,
        "seen": None,
        "fired": [],
        "wrong": "",
        "says": "",
        "preview_plot": "",
    }
    if draft["metric"]:
        try:
            wanted = _new_rule(asked)
            found = await rules.preview(asked.asked(None, NewPreview(rule=wanted, days=_days(asked))))
        except Problem as wrong:
            values["wrong"] = wrong.detail
        else:
            values |= {"seen": found, "says": found.says, "fired": _fired(found)}
            kept = {name: text for name, text in draft.items() if text}
            values["preview_plot"] = f"/plots/alerts/preview?{urlencode({**kept, 'days': _days(asked)})}"
    return Shown("rule.html", values)


async def drawn(asked: Looking) -> Data:
    """What a rule would have seen, for a plot, with its thresholds and when it would have told somebody."""
    rule, now = settings_of(_new_rule(asked)), asked.now_ns // 1_000_000_000
    return Data(await _plot(asked, rule, now, _days(asked)))


async def add(asked: Looking) -> Redirect:
    """Keep a rule."""
    given = _new_rule(asked, asked.form)
    done = await rules.add(asked.asked(None, given))
    return Redirect("/alerts", notice=f"{done.name} is watched from now on.")


async def pause(asked: Looking) -> Redirect:
    """Do not look at one, or look again."""
    paused = asked.form.get("paused") == "yes"
    done = await rules.pause(asked.asked(None, Pausing(paused=paused)))
    return Redirect("/alerts", notice=f"{done.name} is {'paused' if paused else 'looked at again'}.")


async def remove(asked: Looking) -> Redirect:
    """Watch it no more."""
    done = await rules.remove(asked.asked())
    return Redirect("/alerts", notice=f"{done.name} is watched no more.")


async def _plot(asked: Looking, rule: AlertRuleSettings, now: int, days: int) -> dict[str, Any]:
    found = await preview_rule(asked.desk.rollups, asked.desk.scores, rule, days, now)
    x = [at for at, _ in found.series[0].values] if found.series else []
    unit = (
        ""
        if rule.against
        else {"s": "s", "share": "share", "USD": "usd", "bytes": "bytes"}.get(rule.watched.unit, "")
    )
    series: list[dict[str, Any]] = [
        {"name": each.subject, "y": [value for _, value in each.values]}
        for each in found.series
        if any(value is not None for _, value in each.values)
    ]
    for name, limit, kind in (("alert", rule.alert_at, "bad"), ("warning", rule.warning_at, "so")):
        if limit is not None and series:
            series.append({"name": name, "y": [limit] * len(x), "kind": kind, "dashed": True})
    feature = f"feature={rule.of.feature}&" if rule.of.feature else ""
    return {
        "title": rule_words(rule),
        "unit": unit,
        "x": x if series else [],
        "series": series,
        "empty": f"It had no value in this time: no window of {rule.window / 60:g} min had as many as {rule.least} requests.",
        "marks": [
            {"at": each.at, "text": f"{each.state}: {each.subject}", "kind": "alert"}
            for each in found.fired[-_MOST_FIRED:]
        ],
        "drill": f"/traces?{feature}from={{from}}&to={{to}}",
    }


def _fired(found: Preview) -> list[dict[str, Any]]:
    """The latest times, the latest first."""
    return [
        {"at_ns": _ns(each.at), "until_ns": _ns(each.until), "state": each.state, "subject": each.subject}
        for each in found.fired[: -_MOST_FIRED - 1 : -1]
    ]


def _ns(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1e9)


def _new_rule(asked: Looking, given: Any = None) -> NewRule:
    texts = asked.query if given is None else given
    facts: dict[str, Any] = {name: text for name in _FIELDS if (text := texts.get(name, "").strip())}
    for name in ("alert", "warning"):
        if name in facts:
            facts[name] = _number(facts[name])
    for name in ("looks", "least"):
        if name in facts and facts[name].isascii() and facts[name].isdigit():
            facts[name] = int(facts[name])
    facts.setdefault("name", "new")
    of = {name: text for name in _OF if (text := texts.get(name, "").strip())}
    try:
        return msgspec.convert({**facts, "of": of}, NewRule)
    except msgspec.ValidationError as wrong:
        raise Problem("invalid_request", f"this does not fit: {wrong}") from None


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _days(asked: Looking) -> int:
    text = asked.query.get("days", "7")
    return int(text) if text in map(str, _DAYS) else 7


PAGES = (
    page("GET", "/alerts", "api.alerts.list", show),
    page(
        "GET",
        "/alerts/new",
        "api.rules.preview",
        new,
        example="/alerts/new?name=slow&metric=latency_p95&alert=1ms&each=feature&days=1",
    ),
    page("GET", "/plots/alerts/preview", "api.rules.preview", drawn),
    page("POST", "/alerts/rules", "api.rules.add", add),
    page("POST", "/alerts/rules/{name}/pause", "api.rules.pause", pause),
    page("POST", "/alerts/rules/{name}/remove", "api.rules.remove", remove),
)
