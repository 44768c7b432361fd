"""Rules of alerts: what there is and how it stands; added, paused and removed, each change noted in the audit log in the same
transaction; and what one would have done."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from headgate.alerts.rules.known import MOST_ADDED, Rule, encode_rule, known_rules
from headgate.alerts.rules.metrics import METRICS, shown
from headgate.alerts.rules.preview import Foreseen, foresee
from headgate.alerts.rules.reading import Reader
from headgate.alerts.rules.settings import AlertRuleSettings, WatchSettings
from headgate.control.drifting import changes
from headgate.core.section import decode_value
from headgate.stores.audit import AuditEntry
from headgate.stores.rollups import RollupStore
from headgate.stores.rules import RuleRecord, RuleStore, Standing, Watching
from headgate.stores.scores import ScoreStore

__all__ = [
    "NoSuchRule",
    "RuleTaken",
    "RuleView",
    "WrongRule",
    "add_rule",
    "metric_facts",
    "pause_rule",
    "preview_rule",
    "reader_of",
    "remove_rule",
    "rule_facts",
    "rule_from",
    "rule_views",
    "rule_words",
    "standing_facts",
]

_WORST = ("paused", "unknown", "ok", "no data", "warning", "alert")


class WrongRule(ValueError):
    """What is wrong with a rule that somebody wants to add, and what would be right."""


class RuleTaken(ValueError):
    """A rule of that name is there already."""


class NoSuchRule(LookupError):
    """No rule has that name, or none that could be removed. `names` are those that are."""

    def __init__(self, message: str, name: str, names: Sequence[str]) -> None:
        super().__init__(message)
        self.name = name
        self.names = names


@dataclass(frozen=True, slots=True)
class RuleView:
    """A rule and how everything that it watches stands."""

    rule: Rule
    standings: Sequence[Standing]

    @property
    def state(self) -> str:
        """The state that matters: that of what stands worst."""
        if self.rule.paused:
            return "paused"
        return max((each.state for each in self.standings), key=_WORST.index, default="unknown")


async def rule_views(store: Watching, watch: WatchSettings) -> Sequence[RuleView]:
    """All rules in the order in which they are known: standard, configured, added. Raises StoreUnavailable."""
    rules, _ = known_rules(watch, await store.rules())
    standing: dict[str, list[Standing]] = {}
    for each in await store.standings([rule.key for rule in rules]):
        standing.setdefault(each.rule, []).append(each)
    return [RuleView(rule, standing.get(rule.key, ())) for rule in rules]


def rule_from(facts: Mapping[str, Any]) -> AlertRuleSettings:
    """A rule from what a form, a command or JSON says of it. Raises WrongRule."""
    try:
        return msgspec.convert(dict(facts), AlertRuleSettings, dec_hook=decode_value)
    except msgspec.ValidationError as wrong:
        raise WrongRule(str(wrong)) from None


async def add_rule(
    store: RuleStore, watch: WatchSettings, wanted: AlertRuleSettings, *, actor: str
) -> RuleRecord:
    """Watch it from now on. Raises RuleTaken, WrongRule, StoreUnavailable."""
    records = await store.rules()
    known, _ = known_rules(watch, records)
    taken = next((each for each in known if each.name == wanted.name), None)
    if taken is not None or any(each.name == wanted.name for each in records):
        where = "comes with Headgate" if taken and taken.source == "standard" else "is there already"
        where = "stands in the configuration" if taken and taken.source == "configuration" else where
        raise RuleTaken(f"a rule `{wanted.name}` {where}: choose another name")
    if sum(each.source == "added" for each in known) >= MOST_ADDED:
        raise WrongRule(
            f"{MOST_ADDED} rules were added already: remove one, or write it into the configuration"
        )
    now = time.time_ns()
    record = RuleRecord(name=wanted.name, created_ns=now, changed_ns=now, definition=encode_rule(wanted))
    entry = _entry(actor, "rule.add", record.name, after=record.definition)
    if not await store.put_rule(record, entry, new=True):
        raise RuleTaken(f"a rule `{wanted.name}` is there already: choose another name")
    return record


async def pause_rule(store: RuleStore, watch: WatchSettings, name: str, *, paused: bool, actor: str) -> Rule:
    """Do not look at it, or look again, wherever it stands. Raises NoSuchRule, StoreUnavailable."""
    records = await store.rules()
    rule = _found(known_rules(watch, records)[0], name)
    if rule.paused == paused:
        return rule
    now = time.time_ns()
    kept = next(
        (each for each in records if each.name == name), RuleRecord(name=name, created_ns=now, changed_ns=now)
    )
    changed = msgspec.structs.replace(kept, paused=paused, changed_ns=now)
    action = "rule.pause" if paused else "rule.resume"
    before, after = (f'{{"paused":{str(each).lower()}}}' for each in (not paused, paused))
    await store.put_rule(changed, _entry(actor, action, name, before=before, after=after))
    return Rule(rule.settings, rule.source, paused)


async def remove_rule(store: RuleStore, watch: WatchSettings, name: str, *, actor: str) -> RuleRecord:
    """Watch it no more. Raises NoSuchRule, StoreUnavailable."""
    records = {each.name: each for each in await store.rules() if each.definition}
    record = records.get(name)
    if record is None:
        known, _ = known_rules(watch, ())
        rule = next((each for each in known if each.name == name), None)
        if rule is not None:
            way = "write it into `without` of [watch]" if rule.source == "standard" else "take it out there"
            whence = "comes with Headgate" if rule.source == "standard" else "stands in the configuration"
            raise NoSuchRule(f"`{name}` {whence}: {way}, or pause it", name, ())
        raise NoSuchRule(f"no rule `{name}` was added", name, list(records))
    if not await store.remove_rule(name, _entry(actor, "rule.remove", name, before=record.definition)):
        raise NoSuchRule(f"no rule `{name}` was added", name, list(records))
    return record


async def preview_rule(
    rollups: RollupStore, scores: ScoreStore, rule: AlertRuleSettings, days: int, now: int
) -> Foreseen:
    """What it would have done in the last days. Raises StoreUnavailable."""
    return await foresee(reader_of(rollups, scores), rule, now - days * 86_400, now)


def reader_of(rollups: RollupStore, scores: ScoreStore) -> Reader:
    """What rules read by."""

    async def drift(feature: str, series: str, now: int) -> Sequence[int]:
        return [each.change.at for each in await changes(scores, rollups, feature, series, now)]

    return Reader(rollups, scores, drift)


def rule_facts(view: RuleView) -> dict[str, Any]:
    """A rule as it is told; thresholds as numbers, durations in seconds, moments as text."""
    rule, settings = view.rule, view.rule.settings
    of = {name: value for name in settings.of.__struct_fields__ if (value := getattr(settings.of, name))}
    return {
        "name": rule.name,
        "source": rule.source,
        "state": view.state,
        "metric": settings.metric,
        "unit": "times" if settings.against else settings.watched.unit,
        "of": of,
        "each": settings.each,
        "error": settings.error,
        "score": settings.score,
        "series": settings.series,
        "window_seconds": float(settings.window),
        "against_seconds": float(settings.against),
        "compare": "below" if settings.below else "above",
        "alert": settings.alert_at,
        "warning": settings.warning_at,
        "looks": settings.looks,
        "least": settings.least,
        "no_data": settings.no_data,
        "severity": settings.severity,
        "says": rule_words(settings),
        "standings": [standing_facts(each) for each in view.standings],
    }


def standing_facts(standing: Standing) -> dict[str, Any]:
    """How one thing stands."""
    return {
        "subject": standing.subject,
        "state": standing.state,
        "since": _moment(standing.since_ns),
        "looked": _moment(standing.looked_ns),
        "value": standing.value,
    }


def metric_facts() -> list[dict[str, str]]:
    """Everything that a rule may watch."""
    return [
        {"metric": each.name, "says": each.words, "unit": each.unit, "bad": each.bad}
        for each in METRICS.values()
    ]


def rule_words(rule: AlertRuleSettings) -> str:
    """What a rule says, in one line."""
    unit, ratio = rule.watched.unit, bool(rule.against)
    special = rule.error or rule.score or rule.series
    named = f" `{special}`" if special else ""
    whom = [f"each {rule.each}"] if rule.each else []
    whom += [f"{name} {value}" for name in rule.of.__struct_fields__ if (value := getattr(rule.of, name))]
    way = "below" if rule.below else "above"
    alert = shown(rule.alert_at, unit, ratio=ratio)
    warning = (
        "" if rule.warning_at is None else f", warning {way} {shown(rule.warning_at, unit, ratio=ratio)}"
    )
    against = f" against {_time(rule.against)} before" if rule.against else ""
    of = f" of {', '.join(whom)}" if whom else ""
    return f"{rule.metric}{named}{of} in {_time(rule.window)}{against}: alert {way} {alert}{warning}"


def _found(rules: Sequence[Rule], name: str) -> Rule:
    for rule in rules:
        if rule.name == name:
            return rule
    raise NoSuchRule(f"no rule `{name}`", name, [each.name for each in rules])


def _time(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"


def _entry(actor: str, action: str, name: str, *, before: str = "", after: str = "") -> AuditEntry:
    return AuditEntry(
        at_ns=time.time_ns(), actor=actor, action=action, subject=name, before=before, after=after
    )


def _moment(ns: int) -> str | None:
    return datetime.fromtimestamp(ns // 1_000_000_000, tz=UTC).isoformat() if ns else None
