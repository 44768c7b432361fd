"""When did a series change? Pure: numbers in, changes out; the same each time.

A series is one number an hour (or a day), with how many it is made of. Sought is the moment at which the means before and after differ
most, after what repeats itself (the hour of the day, the day of the week) is taken out of both, in units of what chance does. What
chance does is not looked up in a table, which would assume that one hour knows nothing of the next: the days of the series are shuffled
many times, the same is done to the shuffled series, and it is counted how often that shows as much. This share is the `p` of a
change. A change that is found is taken out, and the next one is sought; at last each is moved to its hour.

How often this is wrong, and how late it is: docs/design/drift.md has the measured figures.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, log, sqrt
from random import Random
from statistics import median

from headgate.quality.intervals import Interval, t_quantile

__all__ = ["DAY", "HOUR", "LEAST_POINTS", "Change", "Point", "changes"]

HOUR, DAY, WEEK = 3600, 86_400, 604_800
LEAST_POINTS = 16
"""Fewer points with anything in them are no series."""
_LEAST_PART = 3
"""Points on either side of a change."""
_SHUFFLES = 999
_MOST_CHANGES = 4
_YOUNG_BLOCKS = 40
_SEED = 2024


@dataclass(frozen=True, slots=True)
class Point:
    """An hour, or a day, in which there was something."""

    at: int
    """Where it begins, seconds since 1970 UTC."""
    value: float
    count: int
    """How many numbers it is the mean, the share or the median of."""


@dataclass(frozen=True, slots=True)
class Change:
    """A series became another one."""

    at: int
    """Where the first point after it begins, seconds since 1970 UTC."""
    before: float
    """The mean of the part before, from the change before that on."""
    before_interval: Interval
    after: float
    after_interval: Interval
    p: float
    """How often a series that did not change shows as much: 0.001 is once in a thousand."""
    sigmas: float
    """The size of the change in units of how far single points lie apart."""
    young: bool
    """The series is shorter than three weeks: nobody knows yet what is usual, and the change may be that of every weekend."""


def changes(
    points: Sequence[Point],
    *,
    step: int = HOUR,
    p: float = 0.001,
    positive: bool = False,
    least_share: float = 0.0,
    young: bool = False,
) -> list[Change]:
    """Where the series changed, in order of time. [] for fewer than LEAST_POINTS points.

    step: seconds from one point to the next. p: what is more probable by chance is no change. positive: numbers above 0 that change by
    factors (latency, cost, length): their logarithms are compared. least_share: changes by less than this part of the value before
    are not told. young: look also at series that are too short to know what repeats itself each week."""
    series = _Series.of(points, step=step, positive=positive)
    if series is None or (series.young and not young):
        return []
    chance = Random(_SEED)  # noqa: S311 - the same answer each time
    days = series if series.young or step >= DAY else series.by_days()
    edges: dict[int, float] = {}
    while len(edges) < _MOST_CHANGES:
        rest = days.without(sorted(edges))
        for sought in (days.largest, days.largest_pair):
            # What goes up and comes down again hides from a search for one change: its own days are what chance seems to do.
            places, seen = sought(rest)
            if not places or any(place in edges for place in places):
                continue
            probability = _probability(days, rest, places, seen, p, chance)
            if probability <= p:
                edges |= dict.fromkeys(places, probability)
                break
        else:
            break
    if days is not series:
        edges = series.moved({bisect_left(series.at, days.at[day]): each for day, each in edges.items()})
    told = _told(series, sorted(edges.items()), positive=positive)
    return [each for each in told if abs(each.after - each.before) >= least_share * abs(each.before)]


@dataclass(frozen=True, slots=True)
class _Series:
    """Points in order, ready to be compared."""

    at: Sequence[int]
    values: Sequence[float]
    weights: Sequence[float]
    step: int
    slots: Sequence[Sequence[int]]
    """What repeats itself: for each (hour of the day, day of the week) that is known, which one each point is."""

    @classmethod
    def of(cls, points: Sequence[Point], *, step: int, positive: bool) -> _Series | None:
        kept = sorted(
            (each for each in points if each.count > 0 and (each.value > 0 or not positive)),
            key=lambda each: each.at,
        )
        if len(kept) < LEAST_POINTS:
            return None
        at = [each.at for each in kept]
        # A point of many is surer than one of few, but no surer than the usual: hours differ for other reasons, too.
        usual = median(each.count for each in kept)
        whole = at[-1] - at[0] + step
        slots = []
        if step < DAY and whole >= 3 * DAY:
            slots.append([moment % DAY // step for moment in at])
        if whole >= 2 * WEEK:
            slots.append([moment % WEEK // DAY for moment in at])
        return cls(
            at,
            [log(each.value) if positive else each.value for each in kept],
            [min(each.count / usual, 1.0) for each in kept],
            step,
            slots,
        )

    @property
    def young(self) -> bool:
        return self.at[-1] - self.at[0] + self.step < 3 * WEEK

    def by_days(self) -> _Series:
        """The mean of each day, the hour of the day taken out."""
        rest = _centred(self.values, self.weights, self.slots[0])
        begin = self.at[0]
        days = [(moment - begin) // DAY for moment in self.at]
        sure = _sums(self.weights, days)
        means = _means(rest, self.weights, days)
        kept = [day for day, weight in enumerate(sure) if weight]
        at = [begin + day * DAY for day in kept]
        return _Series(
            at,
            [means[day] for day in kept],
            [sure[day] for day in kept],
            DAY,
            [[moment % WEEK // DAY for moment in at]],
        )

    def moved(self, edges: Mapping[int, float]) -> dict[int, float]:
        """Changes that are known to the day, to the hour at which means before and after differ most."""
        places = sorted(edges)
        moved: dict[int, float] = {}
        for number, place in enumerate(places):
            others = places[:number] + places[number + 1 :]
            rest = self.without(others)
            low = max((edge for edge in others if edge < place), default=0)
            high = min((edge for edge in others if edge > place), default=len(rest))
            begin, end = (
                bisect_left(self.at, self.at[place] - DAY),
                bisect_left(self.at, self.at[place] + DAY),
            )
            best, found, gained, weighed = -1.0, place, 0.0, 0.0
            whole = sum(self.weights[low:high])
            mean = sum(v * w for v, w in zip(rest[low:high], self.weights[low:high], strict=True)) / whole
            for index in range(low, high):
                left = weighed * (whole - weighed)
                if (
                    begin <= index < end
                    and low + 1 < index < high - 1
                    and left > 0
                    and gained * gained / left > best
                ):
                    best, found = gained * gained / left, index
                gained += self.weights[index] * (rest[index] - mean)
                weighed += self.weights[index]
            moved[found] = edges[place]
        return moved

    def without(self, edges: Sequence[int]) -> list[float]:
        """What is left of each value without what repeats itself and without the levels between edges."""
        rest = list(self.values)
        parts = [
            number for number, (low, high) in enumerate(_parts(edges, len(rest))) for _ in range(low, high)
        ]
        # Each is estimated while the others are out; without gaps in the series once is enough for most of it.
        for _ in range(3 if edges else 2):
            for slot in (*self.slots, parts):
                rest = _centred(rest, self.weights, slot)
        return rest

    def mixed(self, rest: Sequence[float], order: Sequence[int]) -> tuple[list[float], _Series]:
        """The same points in another order, what repeats itself taken out anew as it stands there."""
        weights = [self.weights[index] for index in order]
        values = [rest[index] for index in order]
        for slot in self.slots:
            values = _centred(values, weights, slot)
        return values, _Series(self.at, values, weights, self.step, self.slots)

    def largest(self, rest: Sequence[float]) -> tuple[tuple[int, ...], float]:
        """Where means before and after differ most, and by how much: the square of the difference by what chance would do, by the
        spread that is left."""
        weights = self.weights
        whole = sum(weights)
        mean = sum(value * weight for value, weight in zip(rest, weights, strict=True)) / whole
        sums = [_sums(weights, slot) for slot in self.slots]
        passed = [[0.0] * len(each) for each in sums]
        shared = [0.0] * len(sums)
        extra = len(sums) - 1
        best, best_place, gained, weighed = 0.0, 0, 0.0, 0.0
        last = len(rest) - _LEAST_PART
        for place, value in enumerate(rest):
            if _LEAST_PART <= place <= last:
                # What a step up here would have left after the same was taken out of it.
                left = weighed - sum(shared) + max(extra, 0) * weighed * weighed / whole
                if not sums:
                    left = weighed * (whole - weighed) / whole
                told = gained * gained / left if left > 1e-9 * whole else 0.0
                if told > best:
                    best, best_place = told, place
            weight = weights[place]
            gained += weight * (value - mean)
            weighed += weight
            for number, slot in enumerate(self.slots):
                which = slot[place]
                before = passed[number][which]
                shared[number] += ((before + weight) ** 2 - before * before) / sums[number][which]
                passed[number][which] = before + weight
        spread = sum(weight * (value - mean) ** 2 for value, weight in zip(rest, weights, strict=True))
        return (best_place,) if best_place else (), best / max(spread - best, 1e-12)

    def largest_pair(self, rest: Sequence[float]) -> tuple[tuple[int, ...], float]:
        """The same for a level that comes and goes: where it begins and where it ends."""
        borders = self._borders()
        weekly = self.slots[-1] if self.slots else [0] * len(rest)
        whole = _sums(self.weights, weekly)
        mean = sum(v * w for v, w in zip(rest, self.weights, strict=True)) / sum(whole)
        gained = [0.0]
        passed: list[list[float]] = [[0.0] * len(whole)]
        for low, high in pairwise(borders):
            now = list(passed[-1])
            total = gained[-1]
            for index in range(low, high):
                now[weekly[index]] += self.weights[index]
                total += self.weights[index] * (rest[index] - mean)
            passed.append(now)
            gained.append(total)
        best = 0.0
        places: tuple[int, ...] = ()
        last = len(borders) - 1
        for begin in range(1, last):
            for end in range(begin + 1, last):
                if borders[end] - borders[begin] < _LEAST_PART:
                    continue
                inside = [high - low for low, high in zip(passed[begin], passed[end], strict=True)]
                left = sum(w - w * w / one for w, one in zip(inside, whole, strict=True) if one)
                told = (gained[end] - gained[begin]) ** 2 / left if left > 1e-9 * sum(whole) else 0.0
                if told > best:
                    best, places = told, (borders[begin], borders[end])
        spread = sum(w * (v - mean) ** 2 for v, w in zip(rest, self.weights, strict=True))
        return places, best / max(spread - best, 1e-12)

    def _borders(self) -> list[int]:
        """Every point, or as many as leave 40 of them; and the end."""
        size = max((self.at[-1] - self.at[0]) // 40, self.step)
        borders, before = [], -1
        for index, moment in enumerate(self.at):
            if (moment - self.at[0]) // size != before:
                before = (moment - self.at[0]) // size
                borders.append(index)
        return [*borders, len(self.at)]

    def blocks(self) -> list[list[int]]:
        """Points that stay together when the series is shuffled: each day is for itself; of what is young the fortieth part."""
        whole = self.at[-1] - self.at[0] + self.step
        size = max(whole // _YOUNG_BLOCKS, self.step) if self.young else self.step
        blocks: dict[int, list[int]] = {}
        for index, moment in enumerate(self.at):
            blocks.setdefault((moment - self.at[0]) // size, []).append(index)
        return list(blocks.values())


def _sums(weights: Sequence[float], slot: Sequence[int]) -> list[float]:
    sums = [0.0] * (max(slot) + 1)
    for which, weight in zip(slot, weights, strict=True):
        sums[which] += weight
    return sums


def _centred(values: Sequence[float], weights: Sequence[float], slot: Sequence[int]) -> list[float]:
    """Each value without the mean of its slot."""
    sums = _sums(weights, slot)
    totals = [0.0] * len(sums)
    for which, value, weight in zip(slot, values, weights, strict=True):
        totals[which] += value * weight
    means = [total / one if one else 0.0 for total, one in zip(totals, sums, strict=True)]
    return [value - means[which] for which, value in zip(slot, values, strict=True)]


def _parts(edges: Sequence[int], length: int) -> Iterator[tuple[int, int]]:
    low = 0
    for edge in (*edges, length):
        yield low, edge
        low = edge


def _probability(
    series: _Series, rest: Sequence[float], places: Sequence[int], seen: float, p: float, chance: Random
) -> float:
    """How often the series shows as much when its days are shuffled. The change is not taken out of it first: with it would go some of what
    chance does, and one series in twenty would seem to change. So at least three days after a change are needed to see it."""
    blocks = series.blocks()
    as_much = 0
    for turn in range(1, _SHUFFLES + 1):
        chance.shuffle(blocks)
        values, other = series.mixed(rest, [index for block in blocks for index in block])
        again = other.largest(values) if len(places) == 1 else other.largest_pair(values)
        if again[1] >= seen:
            as_much += 1
            if (1 + as_much) / (1 + _SHUFFLES) > p:
                return (1 + as_much) / (1 + turn)
    return (1 + as_much) / (1 + _SHUFFLES)


def _told(series: _Series, found: Sequence[tuple[int, float]], *, positive: bool) -> Iterator[Change]:
    edges = [place for place, _ in found]
    flat = series.without(edges)
    levels = _levels(series, edges)
    free = max(sum(series.weights) - len(levels), 1.0)
    sigma = sqrt(max(sum(w * v * v for v, w in zip(flat, series.weights, strict=True)) / free, 1e-18))
    halves = [_half(series, flat, low, high) for low, high in _parts(edges, len(flat))]
    shown: Callable[[float], float] = exp if positive else float
    for number, (place, probability) in enumerate(found):
        (before, after), (less, more) = levels[number : number + 2], halves[number : number + 2]
        yield Change(
            at=series.at[place],
            before=shown(before),
            before_interval=(shown(before - less), shown(before + less)),
            after=shown(after),
            after_interval=(shown(after - more), shown(after + more)),
            p=probability,
            sigmas=(after - before) / sigma,
            young=series.young,
        )


def _levels(series: _Series, edges: Sequence[int]) -> list[float]:
    """The mean of each part, as if all parts had the same hours and days in them."""
    rest = list(series.values)
    parts = [number for number, (low, high) in enumerate(_parts(edges, len(rest))) for _ in range(low, high)]
    for _ in range(3):
        levels = _means(rest, series.weights, parts)
        for slot in series.slots:
            # What repeats itself, estimated while the levels are out, adds nothing on the whole.
            flat = [value - levels[part] for value, part in zip(rest, parts, strict=True)]
            usual = _means(flat, series.weights, slot)
            rest = [value - usual[which] for value, which in zip(rest, slot, strict=True)]
    return _means(rest, series.weights, parts)


def _means(values: Sequence[float], weights: Sequence[float], slot: Sequence[int]) -> list[float]:
    sums = _sums(weights, slot)
    totals = [0.0] * len(sums)
    for which, value, weight in zip(slot, values, weights, strict=True):
        totals[which] += value * weight
    return [total / one if one else 0.0 for total, one in zip(totals, sums, strict=True)]


def _half(series: _Series, flat: Sequence[float], low: int, high: int) -> float:
    """Half the width of the interval of a part's mean. Hours of one day are alike: days are what is counted, where there are some."""
    size = DAY if series.at[high - 1] - series.at[low] >= 4 * DAY else series.step
    days: dict[int, tuple[float, float]] = {}
    for index in range(low, high):
        weight = series.weights[index]
        total, sure = days.get(series.at[index] // size, (0.0, 0.0))
        days[series.at[index] // size] = (total + weight * flat[index], sure + weight)
    count = len(days)
    if count < 2:
        return 0.0
    whole = sum(sure for _, sure in days.values())
    spread = sum(sure * (total / sure) ** 2 for total, sure in days.values()) / whole
    return t_quantile(0.975, count - 1) * sqrt(spread / (count - 1))
