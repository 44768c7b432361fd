"""What rules go by: asked of rollups, scores and gauges, one question for all that watch the same stretch of time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from headgate.alerts.rules.metrics import DROPPED, Family
from headgate.alerts.rules.settings import AlertRuleSettings
from headgate.alerts.rules.tally import Tally
from headgate.stores.rollups import DAY, HOUR, MINUTE, Gauge, RollupStore, Scope
from headgate.stores.scores import ScoreScope, ScoreStore

__all__ = [
    "ALL",
    "Drift",
    "Part",
    "Reader",
    "Reading",
    "reading_of",
    "subjects_of",
    "value_of_gauge",
    "within",
]

ALL = "all"
Drift = Callable[[str, str, int], Awaitable[Sequence[int]]]
"""(feature, series, now) -> when it changed, seconds since 1970 UTC."""
_SURE = 4.0
"""Standard errors. Chance alone lies so far off once in some ten thousand looks; and there are thousands of looks a day."""
_MOST_DRIFTING = 20
"""Features that one rule looks for changes of: each takes up to a tenth of a second."""
_LABELS = ("feature", "model", "provider")


@dataclass(frozen=True, slots=True)
class Part:
    """Requests of one group in one stretch of time."""

    at: int
    labels: tuple[str, str, str]
    """Feature, model, provider; "" where that is not kept."""
    tally: Tally


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found of one thing that a rule watches."""

    subject: str
    """`all`, or `feature:NAME` and so on."""
    value: float | None
    """None: there is nothing to go by."""
    count: int
    """Of how many requests or scores."""
    now: float | None = None
    """Of a comparison: the window's own value."""
    usual: float | None = None
    """And the one it is compared with."""
    sure: bool = True
    """Of a comparison: chance alone would hardly ever do that."""


class Reader:
    """Reads what rules watch. Never scans requests."""

    def __init__(self, rollups: RollupStore, scores: ScoreStore, drift: Drift | None = None) -> None:
        self._rollups = rollups
        self._scores = scores
        self._drift = drift

    async def read(self, rules: Iterable[AlertRuleSettings], now: int) -> Mapping[str, Sequence[Reading]]:
        """By the rule's name, what its window holds at this moment (seconds since 1970). Raises StoreUnavailable."""
        found: dict[str, Sequence[Reading]] = {}
        together: dict[tuple[str, Family, str, int, int, int], list[AlertRuleSettings]] = defaultdict(list)
        for rule in rules:
            if rule.watched.family == "gauge":
                found[rule.name] = [await self.gauge(rule, now)]
                continue
            if rule.watched.family == "drift":
                since, until = within(rule, now)
                found[rule.name] = [
                    Reading(subject, float(sum(since <= each < until for each in at)), len(at))
                    for subject, at in (await self.changes(rule, now)).items()
                ]
                continue
            since, until = within(rule, now)
            together["now", *_kind(rule), since, until, 0].append(rule)
            if rule.against:
                # Of what grows with time it has to be known since when there is any.
                step = HOUR if rule.watched.always else 0
                together["usual", *_kind(rule), since - int(rule.against), since, step].append(rule)
        sums: dict[tuple[str, str], Mapping[str, Tally]] = {}
        lengths: dict[str, Mapping[str, float]] = {}
        for (which, _, _, since, until, step), group in together.items():
            parts = await self.parts(group, since, until, step)
            for rule in group:
                sums[rule.name, which] = _summed(rule, parts)
                if step:
                    lengths[rule.name] = _windows_in(rule, parts, since, until)
        names = dict.fromkeys(rule.name for group in together.values() for rule in group)
        by_name = {rule.name: rule for group in together.values() for rule in group}
        for name in names:
            usual = sums.get((name, "usual"))
            found[name] = list(_readings(by_name[name], sums[name, "now"], usual, lengths.get(name, {})))
        return found

    async def changes(self, rule: AlertRuleSettings, now: int) -> Mapping[str, Sequence[int]]:
        """When the series of each feature that the rule is about changed. Raises StoreUnavailable."""
        if self._drift is None:
            return {}
        features = [rule.of.feature]
        if rule.each:
            scope = Scope(*within(rule, now))
            rows = sorted(await self._rollups.rolled(scope, by=("feature",)), key=lambda row: -row.requests)
            features = [row.group[0] for row in rows[:_MOST_DRIFTING]]
        found = {each: await self._drift(each, rule.series, now) for each in features}
        return {f"feature:{name}" if rule.each else ALL: at for name, at in found.items()}

    async def gauge(self, rule: AlertRuleSettings, now: int) -> Reading:
        """What nodes saw of themselves in the window."""
        since, until = within(rule, now)
        rows = await self._rollups.gauges(rule.watched.gauge, since - 10 * MINUTE, until)
        value = value_of_gauge(rule, rows, since, until)
        return Reading(ALL, value, len(rows))

    async def gauges(self, rule: AlertRuleSettings, since: int, until: int) -> Sequence[Gauge]:
        """All of them, for a look back."""
        return await self._rollups.gauges(rule.watched.gauge, since, until)

    async def parts(
        self, rules: Sequence[AlertRuleSettings], since: int, until: int, step: int
    ) -> Sequence[Part]:
        """Everything that these rules, all of one family, go by. Raises StoreUnavailable."""
        family = rules[0].watched.family
        if family == "scores":
            return await self._scored(rules[0].score, since, until, step)
        found = await self._requests(rules, since, until, step)
        if family == "errors":
            found += await self._errors(rules[0].error, since, until, step)
        return found

    async def _requests(
        self, rules: Sequence[AlertRuleSettings], since: int, until: int, step: int
    ) -> list[Part]:
        labels = [
            name for name in _LABELS if any(name == rule.each or getattr(rule.of, name) for rule in rules)
        ]
        sketches = {name for rule in rules for name in rule.watched.sketches}
        rows = await self._rollups.rolled(
            Scope(since, until), step=step, by=(*labels, "outcome"), sketches=sketches
        )
        return [
            Part(row.at, _labels(labels, row.group), Tally.of_requests(row.group[-1], row)) for row in rows
        ]

    async def _errors(self, error: str, since: int, until: int, step: int) -> list[Part]:
        rows = await self._rollups.failures(
            since, until, step=step, by=("feature", "model"), only={"error_class": error}
        )
        return [
            Part(row.at, _labels(("feature", "model"), row.group), Tally.of_errors(row.requests))
            for row in rows
        ]

    async def _scored(self, name: str, since: int, until: int, step: int) -> list[Part]:
        rows = await self._scores.added_up(
            ScoreScope(since, until, {"name": name}), step=step, by=("feature", "model")
        )
        return [
            Part(
                row.at,
                _labels(("feature", "model"), row.group),
                Tally.of_scores(row.total, row.scores, row.squares),
            )
            for row in rows
        ]


def within(rule: AlertRuleSettings, now: int) -> tuple[int, int]:
    """The ends of a rule's window: whole minutes, of a long window whole hours, the one under way included; but of what grows with
    time just as many minutes as it is long, those that are over."""
    if rule.watched.always and rule.window < DAY:
        until = now // MINUTE * MINUTE
        return until - int(rule.window), until
    kept_by = HOUR if rule.window >= DAY or rule.watched.family in ("errors", "scores", "drift") else MINUTE
    until = -(-(now + 1) // kept_by) * kept_by
    since = (now - int(rule.window)) // kept_by * kept_by
    # By the hour the one under way and those before it; the part of an hour at the beginning would be older than was asked for.
    return (max(since, until - max(int(rule.window), HOUR)) if kept_by == HOUR else since), until


def subjects_of(rule: AlertRuleSettings, parts: Iterable[Part]) -> Iterator[tuple[str, Part]]:
    """Those that the rule is about, each with what it belongs to."""
    place = _LABELS.index(rule.each) if rule.each else -1
    wanted = [(at, value) for at, name in enumerate(_LABELS) if (value := getattr(rule.of, name))]
    for part in parts:
        if all(part.labels[at] == value for at, value in wanted):
            yield (ALL if place < 0 else f"{rule.each}:{part.labels[place]}"), part


def value_of_gauge(rule: AlertRuleSettings, rows: Sequence[Gauge], since: int, until: int) -> float | None:
    """The highest of a node; of what only grows, what it has grown by on all nodes. rows: some minutes before the window too."""
    inside = [row for row in rows if since <= row.at < until]
    if not inside:
        return None
    if rule.metric != DROPPED:
        return max(row.value for row in inside)
    grown = 0.0
    for node in {row.node for row in inside}:
        # A node that was not there before has counted from 0 on, and so has one that was started again.
        last = 0.0
        for row in sorted((row for row in rows if row.node == node), key=lambda row: row.at):
            if row.at >= since:
                grown += row.value - last if row.value >= last else row.value
            last = row.value
    return grown


def _kind(rule: AlertRuleSettings) -> tuple[Family, str]:
    return rule.watched.family, rule.error or rule.score


def _labels(names: Sequence[str], group: Sequence[str]) -> tuple[str, str, str]:
    values = dict(zip(names, group, strict=False))
    return values.get("feature", ""), values.get("model", ""), values.get("provider", "")


def _summed(rule: AlertRuleSettings, parts: Iterable[Part]) -> Mapping[str, Tally]:
    found: dict[str, Tally] = {} if rule.each else {ALL: Tally()}
    for subject, part in subjects_of(rule, parts):
        found.setdefault(subject, Tally()).add(part.tally)
    return found


def _windows_in(
    rule: AlertRuleSettings, parts: Iterable[Part], since: int, until: int
) -> Mapping[str, float]:
    """How many windows long the time is that each thing has been there for, of what it is compared with. The hour in which it came
    is no whole one, and left out: its requests make the usual a little too high then, never too low."""
    first: dict[str, int] = {}
    for subject, part in subjects_of(rule, parts):
        begin = since if part.at <= since else part.at + HOUR
        first[subject] = min(begin, first.get(subject, until))
    return {subject: (until - at) / rule.window for subject, at in first.items()}


def _readings(
    rule: AlertRuleSettings,
    now: Mapping[str, Tally],
    usual: Mapping[str, Tally] | None,
    windows: Mapping[str, float],
) -> Iterator[Reading]:
    for subject, tally in now.items():
        before = None if usual is None else usual.get(subject, Tally())
        yield reading_of(rule, subject, tally, before, windows=windows.get(subject, 1.0))


def reading_of(
    rule: AlertRuleSettings,
    subject: str,
    tally: Tally,
    usual: Tally | None,
    *,
    windows: float = 1.0,
    scale: float = 1.0,
) -> Reading:
    """The value that the rule compares with its thresholds; None where there is too little to go by. Of what grows with time:
    windows: how many of them `usual` is long; scale: what makes a sum that of one window."""
    metric = rule.watched
    value, count = metric.of(tally)
    if count < rule.least and not metric.always:
        value = None
    if value is not None and metric.always:
        value *= scale
    if usual is None:
        return Reading(subject, value, count)
    before, of = metric.of(usual)
    if before is not None and metric.always:
        before = before * scale / windows if windows >= 1 else None
    if value is None or not before or of < rule.least:
        return Reading(subject, None, count, value, before)
    sure = True
    if metric.apart is not None:
        off = metric.apart(tally, usual)
        sure = (-off if rule.below else off) >= _SURE
    return Reading(subject, value / before, count, value, before, sure)
