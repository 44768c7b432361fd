"""Which rules there are: those that come with Headgate, those of the configuration, those that were added."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from headgate.alerts.rules.settings import STANDARD, AlertRuleSettings, WatchSettings
from headgate.core.section import Section, decode_value
from headgate.stores.rules import RuleRecord

__all__ = ["MOST_ADDED", "Rule", "decode_rule", "encode_rule", "known_rules", "said"]

MOST_ADDED = 200
"""Rules that are added: each is looked at twice a minute."""
Source = Literal["standard", "configuration", "added"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule, where it is from, and whether it is looked at."""

    settings: AlertRuleSettings
    source: Source
    paused: bool = False
    created_ns: int = 0
    """Of one that was added: when."""

    @property
    def name(self) -> str:
        """Of all rules one has it."""
        return self.settings.name

    @property
    def key(self) -> str:
        """As its standings name it."""
        return f"rule:{self.settings.name}"


def known_rules(watch: WatchSettings, records: Iterable[RuleRecord]) -> tuple[Sequence[Rule], Sequence[str]]:
    """All rules, each name once: what the configuration says comes before what was added. And the names of those that were
    added and that this Headgate does not understand."""
    kept = {record.name: record for record in records}
    own = [(each, "configuration") for each in watch.rules]
    names = {each.name for each in watch.rules} | set(watch.without)
    given = [(each, "standard") for each in STANDARD if watch.standard and each.name not in names]
    found: dict[str, Rule] = {}
    for settings, source in (*given, *own):
        paused = settings.name in kept and kept[settings.name].paused
        found[settings.name] = Rule(settings, source, paused)  # type: ignore[arg-type]
    unreadable = []
    for record in kept.values():
        if record.definition and record.name not in found:
            try:
                found[record.name] = Rule(
                    decode_rule(record.definition), "added", record.paused, record.created_ns
                )
            except (msgspec.DecodeError, ValueError):
                unreadable.append(record.name)
    return list(found.values()), unreadable


def decode_rule(text: str | bytes) -> AlertRuleSettings:
    """A rule from JSON. Raises msgspec.ValidationError, in words."""
    return msgspec.json.decode(text, type=AlertRuleSettings, dec_hook=decode_value)


def encode_rule(rule: AlertRuleSettings) -> str:
    """As JSON, without what it leaves out."""
    return msgspec.json.encode(said(rule), enc_hook=float).decode()


def said(section: Section) -> dict[str, object]:
    """What a section says that it would not say by itself; durations as seconds."""
    told: dict[str, object] = {}
    for field in msgspec.structs.fields(section):
        value = getattr(section, field.name)
        if isinstance(value, Section):
            value = said(value)
            if not value:
                continue
        elif not field.required and value == field.default:
            continue
        told[field.name] = float(value) if isinstance(value, float) else value
    return told
