"""Rules of use: "classification goes to the small model, sensitive data to our own". Conditions in, yes or no out; pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import time
from zoneinfo import ZoneInfo

from headgate.routing.constraints import Requirement, requirement
from headgate.routing.facts import Facts
from headgate.routing.settings import DAYS, PolicySettings, WhenSettings

__all__ = ["Policy", "Volume", "parse_hours", "policy"]

Condition = Callable[[Facts], bool]
Volume = Callable[[str, str, int], int]
"""(name, zone, number of the day) -> calls of that feature or model on that day so far."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A rule, ready to be asked."""

    name: str
    use: str
    """The model that serves; "" if the rule only says where requests may go."""
    rule: Requirement | None
    conditions: tuple[Condition, ...]
    """Cheap ones first."""
    asks_tier: bool
    by_feature: bool
    """Does it hold for certain features only?"""
    counts: str
    """The zone whose days it counts calls by; "" if it counts none."""

    def holds(self, facts: Facts) -> bool:
        """Does it apply? Raises as `Facts` does."""
        return all(condition(facts) for condition in self.conditions)


def policy(settings: PolicySettings, volume: Volume) -> Policy:
    """Raises ValueError for hours or a zone that are none (the configuration's checks have seen to that)."""
    when = settings.when
    return Policy(
        settings.name,
        settings.use,
        requirement(f"policy `{settings.name}`", settings.require),
        tuple(_conditions(when, volume)),
        when.tier is not None,
        bool(when.feature),
        when.zone if when.calls_over is not None else "",
    )


def parse_hours(text: str) -> tuple[time, time]:
    """`22:00-06:00` as two times of day; `24:00` is the day's end. Raises ValueError."""
    begin, dash, end = text.replace(" ", "").partition("-")
    if not dash:
        raise ValueError(f'"{text}" is not a span of hours; write one like "08:00-18:00"')
    try:
        hours = time.fromisoformat(begin), time.max if end == "24:00" else time.fromisoformat(end)
    except ValueError:
        raise ValueError(f'"{text}" is not a span of hours; write one like "08:00-18:00"') from None
    if any(each.tzinfo is not None for each in hours):
        raise ValueError(f'"{text}" names a time zone; write the hours alone, and the zone as `zone`')
    return hours


def _conditions(when: WhenSettings, volume: Volume) -> list[Condition]:
    found: list[Condition] = []
    for wanted, of in (
        (when.feature, lambda facts: facts.feature),
        (when.model, lambda facts: facts.asked),
        (when.user, lambda facts: facts.exchange.user or facts.exchange.peek.user),
        (when.team, _team),
    ):
        if wanted:
            found.append(_one_of(wanted, of))
    if when.tags:
        found.append(_tagged(when.tags))
    if when.hours or when.days:
        found.append(_timely(when))
    if when.calls_over is not None:
        found.append(_busy(when.calls_over, ZoneInfo(when.zone), volume))
    if when.data is not None:
        sensitive = when.data == "sensitive"
        found.append(lambda facts: facts.sensitive == sensitive)
    # From here on the conversation has to be read.
    if when.tokens_over is not None:
        over = when.tokens_over
        found.append(lambda facts: facts.tokens > over)
    if when.tokens_under is not None:
        under = when.tokens_under
        found.append(lambda facts: facts.tokens < under)
    if when.tools is not None:
        tools = when.tools
        found.append(lambda facts: bool(facts.question.tools) == tools)
    if when.modality is not None:
        modality = when.modality
        found.append(lambda facts: facts.modality == modality)
    if when.tier is not None:
        tier = when.tier
        found.append(lambda facts: facts.tier == tier)
    return found


def _team(facts: Facts) -> str:
    whose = facts.exchange.asked_by or facts.exchange.caller
    return whose.team if whose is not None else ""


def _one_of(wanted: str | list[str], of: Callable[[Facts], str]) -> Condition:
    names = frozenset([wanted] if isinstance(wanted, str) else wanted)
    return lambda facts: of(facts) in names


def _tagged(tags: dict[str, str]) -> Condition:
    wanted = tuple(tags.items())

    def holds(facts: Facts) -> bool:
        carried = facts.exchange.tags
        return all(name in carried and value in ("*", carried[name]) for name, value in wanted)

    return holds


def _timely(when: WhenSettings) -> Condition:
    zone = ZoneInfo(when.zone)
    days = frozenset(DAYS.index(day) for day in when.days)
    hours = parse_hours(when.hours) if when.hours else None

    def holds(facts: Facts) -> bool:
        moment = facts.local(zone)
        if days and moment.weekday() not in days:
            return False
        if hours is None:
            return True
        begin, end = hours
        clock = moment.time()
        return begin <= clock < end if begin <= end else clock >= begin or clock < end

    return holds


def _busy(most: int, zone: ZoneInfo, volume: Volume) -> Condition:
    def holds(facts: Facts) -> bool:
        name = facts.feature or facts.asked
        # The call at hand is not counted yet.
        return volume(name, zone.key, facts.local(zone).toordinal()) >= most

    return holds
