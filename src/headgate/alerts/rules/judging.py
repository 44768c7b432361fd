"""How a thing stands, from what was found; and what is said when that changes. Pure."""

from __future__ import annotations

from headgate.alerts.rules.metrics import shown
from headgate.alerts.rules.reading import ALL, Reading
from headgate.alerts.rules.settings import AlertRuleSettings
from headgate.core.section import Duration
from headgate.stores.alerts import Alert, Fact, Severity
from headgate.stores.rules import Standing, seen

__all__ = ["CALM", "KIND", "STATES", "alert_of", "found_state", "judge", "span"]

KIND = "rule"
STATES = ("unknown", "ok", "warning", "alert", "no data", "paused")
CALM = 0.9
"""What was passed upwards is over below this part of the threshold, what was passed downwards above one divided by it: a value
that sways about its threshold begins once and ends once."""
_QUIET = frozenset({"unknown", "ok", "no data", "paused"})


def found_state(rule: AlertRuleSettings, value: float | None, before: str, *, sure: bool = True) -> str:
    """The state that a look at this value finds for what stood so before; None: no data. sure: is it more than chance? What is not
    begins nothing, and ends nothing."""
    if value is None:
        if rule.no_data == "alert":
            return "no data"
        return "ok" if rule.no_data == "ok" else "no data" if before == "unknown" else before
    stays = before == "alert"
    if (sure or stays) and _beyond(rule, value, rule.alert_at, stays=stays):
        return "alert"
    warning, stays = rule.warning_at, before in ("alert", "warning")
    if warning is not None and (sure or stays) and _beyond(rule, value, warning, stays=stays):
        return "warning"
    return "ok"


def judge(rule: AlertRuleSettings, before: Standing, reading: Reading, now_ns: int) -> Standing:
    """How it stands after a look."""
    state = found_state(rule, reading.value, before.state, sure=reading.sure)
    # What was never known to be otherwise is ok at once: that is told to nobody.
    looks = 1 if before.state == "unknown" and state in ("ok", "no data") else rule.looks
    if before.state == "no data" and state == "ok" and rule.no_data != "alert":
        looks = 1
    return seen(before, state, reading.value, now_ns, looks=looks)


def alert_of(rule: AlertRuleSettings, before: Standing, after: Standing, reading: Reading) -> Alert | None:
    """What is told of a transition; None: nothing, because it was well before and is well now."""
    loud_before, loud = _is_loud(rule, before.state), _is_loud(rule, after.state)
    if before.state == after.state or not (loud_before or loud):
        return None
    severity: Severity = "warning" if after.state == "warning" else rule.severity
    if not loud:
        # The end is told to whoever was told of the beginning.
        severity = "warning" if before.state == "warning" else rule.severity
    facts: dict[str, Fact] = {
        "rule": rule.name,
        "state": after.state,
        "before": before.state,
        "metric": rule.metric,
        "window_seconds": int(rule.window),
        "of": reading.count,
    }
    if reading.value is not None:
        facts["value"] = round(reading.value, 9)
    limit = rule.warning_at if after.state == "warning" else rule.alert_at
    if limit is not None and loud:
        facts["threshold"] = limit
    subject = before.subject
    kind, _, name = subject.partition(":")
    if kind == "feature" and name:
        facts["feature"] = name
    elif not name and rule.of.feature:
        # About one feature, so that its receivers hear of it.
        subject, facts["feature"] = f"feature:{rule.of.feature}", rule.of.feature
    return Alert(
        event=f"rule/{rule.name}/{before.subject}/{after.number}/{after.state}",
        kind=KIND,
        subject=subject,
        severity=severity,
        at_ns=after.since_ns,
        text=_sentence(rule, before.subject, after.state, reading),
        facts=facts,
    )


def span(seconds: float) -> str:
    """`5 minutes`, `hour`, `7 days`: as it stands behind `in the last`."""
    for size, word in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size and seconds % size == 0:
            number = int(seconds // size)
            return word if number == 1 else f"{number} {word}s"
    return f"{Duration(seconds):g} seconds"


def _beyond(rule: AlertRuleSettings, value: float, limit: float, *, stays: bool) -> bool:
    if rule.below:
        return value < (limit / CALM if stays else limit)
    return value > (limit * CALM if stays else limit)


def _is_loud(rule: AlertRuleSettings, state: str) -> bool:
    return state not in _QUIET or (state == "no data" and rule.no_data == "alert")


def _sentence(rule: AlertRuleSettings, subject: str, state: str, reading: Reading) -> str:
    metric, whom = rule.watched, _whom(rule, subject)
    special = rule.error or rule.score or rule.series
    named = f" `{special}`" if special else ""
    last = f"in the last {span(rule.window)}"
    if reading.value is None:
        return f"`{rule.name}`: there is no data of {metric.words}{named}{whom} {last}."
    value = shown(reading.value, metric.unit, ratio=bool(rule.against))
    if rule.against and reading.now is not None and reading.usual is not None:
        compared = f"{shown(reading.now, metric.unit)} against {shown(reading.usual, metric.unit)} before"
        value = f"{value} the usual ({compared})"
    found = f"{metric.words}{named}{whom} {last}: {value}"
    if state == "ok":
        return f"`{rule.name}` is well again: {found}."
    limit = rule.warning_at if state == "warning" else rule.alert_at
    way = "less than" if rule.below else "more than"
    told = shown(limit, metric.unit, ratio=bool(rule.against))
    word = "a warning" if state == "warning" else "an alert"
    return f"`{rule.name}`: {found}; {way} {told} is {word}."


def _whom(rule: AlertRuleSettings, subject: str) -> str:
    kind, _, name = subject.partition(":")
    told = [] if subject == ALL else [f"{kind} `{name}`" if name else f"no {kind}"]
    told += [f"{each} `{value}`" for each in rule.of.__struct_fields__ if (value := getattr(rule.of, each))]
    return f" ({', '.join(told)})" if told else ""
