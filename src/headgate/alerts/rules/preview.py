"""What a rule would have done: its value over the last days, and when it would have told somebody."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from headgate.alerts.rules.judging import judge
from headgate.alerts.rules.reading import ALL, Reader, Reading, reading_of, subjects_of, value_of_gauge
from headgate.alerts.rules.settings import AlertRuleSettings
from headgate.alerts.rules.tally import Tally
from headgate.stores.rollups import DAY, HOUR, MINUTE, Gauge
from headgate.stores.rules import Standing

__all__ = ["MOST_POINTS", "Fired", "Foreseen", "Series", "foresee"]

MOST_POINTS = 1440
"""Of one thing that is watched. A longer time is looked at in longer steps."""
MOST_SHOWN = 20
"""Things that are watched, those with the most requests."""
_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Fired:
    """A time in which it would have been beyond a threshold."""

    subject: str
    state: str
    at: int
    """Seconds since 1970 UTC."""
    until: int | None
    """None: it still is."""


@dataclass(frozen=True, slots=True)
class Series:
    """The value of one thing that is watched."""

    subject: str
    values: Sequence[tuple[int, float | None]]
    """(moment, value); None: no data."""
    state: str
    """How it would stand at the end."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a rule would have done."""

    since: int
    until: int
    step: int
    """Seconds between two looks. Longer than the rule's own where the time is long."""
    series: Sequence[Series]
    fired: Sequence[Fired]
    """In order of time."""
    left_out: int
    """Things that would be watched too and are not shown."""


async def foresee(reader: Reader, rule: AlertRuleSettings, since: int, until: int) -> Foreseen:
    """What it would have done in that time. Raises StoreUnavailable."""
    kept_by = HOUR if rule.watched.family in ("errors", "scores", "drift") or rule.window >= DAY else MINUTE
    step = _step(int(rule.window), ceil((until - since) / MOST_POINTS / kept_by) * kept_by, kept_by)
    since = since // step * step
    if rule.watched.family == "gauge":
        rows = await reader.gauges(rule, since - int(rule.window), until)
        found: Mapping[str, Sequence[Reading]] = {ALL: list(_gauges(rule, rows, since, until, step))}
    elif rule.watched.family == "drift":
        changed = await reader.changes(rule, until)
        found = {
            subject: list(_drifting(rule, subject, at, since, until, step)) for subject, at in changed.items()
        }
    else:
        found = await _slid(reader, rule, since, until, step)
    kept = sorted(found, key=lambda subject: -sum(each.count for each in found[subject]))
    series, fired = [], []
    for subject in kept[:MOST_SHOWN]:
        one, times = _played(rule, subject, found[subject], since, step)
        series.append(one)
        fired += times
    return Foreseen(
        since, until, step, series, sorted(fired, key=lambda each: each.at), max(len(kept) - MOST_SHOWN, 0)
    )


def _step(window: int, least: int, kept_by: int) -> int:
    """Seconds between two looks: a part of the window without a rest, where that is not too short."""
    least = max(least, kept_by)
    return next((step for step in range(least, window + 1, kept_by) if window % step == 0), least)


async def _slid(
    reader: Reader, rule: AlertRuleSettings, since: int, until: int, step: int
) -> Mapping[str, Sequence[Reading]]:
    # Never more than was asked for: a window shorter than a step is looked at as one step.
    window, against = max(int(rule.window) // step, 1), ceil(int(rule.against) / step)
    begins = since - (window + against) * step
    steps: dict[str, dict[int, Tally]] = defaultdict(dict) if rule.each else defaultdict(dict, {ALL: {}})
    for subject, part in subjects_of(rule, await reader.parts([rule], begins, until, step)):
        place = (part.at - begins) // step
        steps[subject].setdefault(place, Tally()).add(part.tally)
    # Not the step under way: half of it has not happened yet.
    count = (until - since) // step
    return {
        subject: list(_windows(rule, subject, tallies, window, against, count, rule.window / (window * step)))
        for subject, tallies in steps.items()
    }


def _windows(
    rule: AlertRuleSettings,
    subject: str,
    steps: Mapping[int, Tally],
    window: int,
    against: int,
    count: int,
    scale: float,
) -> Iterator[Reading]:
    now, usual, nothing = Tally(), Tally(), Tally()
    first = min(steps, default=0)
    for place in range(window + against + count):
        now.add(steps.get(place, nothing))
        now.add(steps.get(place - window, nothing), -1)
        usual.add(steps.get(place - window, nothing))
        usual.add(steps.get(place - window - against, nothing), -1)
        if place >= window + against:
            there = min(place - window - first + 1, against) / window
            yield reading_of(rule, subject, now, usual if rule.against else None, windows=there, scale=scale)


def _gauges(
    rule: AlertRuleSettings, rows: Sequence[Gauge], since: int, until: int, step: int
) -> Iterator[Reading]:
    for at in range(since, until - step + 1, step):
        begins = at + step - max(int(rule.window), step)
        near = [row for row in rows if begins - 10 * MINUTE <= row.at < at + step]
        yield Reading(ALL, value_of_gauge(rule, near, begins, at + step), len(near))


def _drifting(
    rule: AlertRuleSettings, subject: str, changed: Sequence[int], since: int, until: int, step: int
) -> Iterator[Reading]:
    for at in range(since + step, until + 1, step):
        yield Reading(subject, float(sum(at - rule.window <= each < at for each in changed)), len(changed))


def _played(
    rule: AlertRuleSettings, subject: str, readings: Sequence[Reading], since: int, step: int
) -> tuple[Series, list[Fired]]:
    standing = Standing(rule=f"rule:{rule.name}", subject=subject)
    fired: list[Fired] = []
    repeats = max(step // rule.every_seconds, 1)
    values = []
    for number, reading in enumerate(readings):
        at = since + (number + 1) * step
        before = standing.state
        # A step stands for all the looks in it.
        for _ in range(min(repeats, rule.looks)):
            standing = judge(rule, standing, reading, at * _NS)
        values.append((at, reading.value))
        if standing.state == before:
            continue
        if fired and fired[-1].until is None:
            fired[-1] = Fired(subject, fired[-1].state, fired[-1].at, at)
        if standing.state in ("warning", "alert") or (
            standing.state == "no data" and rule.no_data == "alert"
        ):
            fired.append(Fired(subject, standing.state, at, None))
    return Series(subject, values, standing.state), fired
