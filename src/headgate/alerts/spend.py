"""Spending far above its usual. Pure: hours in, alerts out.

What is usual for an hour is the larger of two: the mean of all hours since the first spending, seven days at most, and the
median of the same hour of the day. The mean alone would call every busy noon unusual, the median alone everything that
comes once a week. Who has spent for less than a day has no usual yet.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from headgate.alerts.settings import SpendRateSettings
from headgate.core.money import nanos, usd
from headgate.stores.alerts import Alert, Fact

__all__ = ["ALL", "DAYS", "HOURS", "HOUR_NS", "KIND", "by_subject", "in_question", "judge", "usual"]

KIND = "spend_rate"
ALL = "all"
DAYS = 7
HOURS = 24 * DAYS
HOUR_NS = 3_600_000_000_000
_CALM = Decimal(2) / 3
"""It is over when it has come down to this part of what it began at, so that it does not begin and end every minute."""


def by_subject(spent: Mapping[str, int]) -> dict[str, int]:
    """Nano-dollars by feature ("": of none) -> by subject of alerts."""
    found = {f"feature:{feature}": amount for feature, amount in spent.items() if feature}
    return {ALL: sum(spent.values()), **found}


def usual(subject: str, hours: Sequence[Mapping[str, int]], at: Sequence[int]) -> float | None:
    """Nano-dollars an hour that are usual for a subject; None if there is no usual yet.

    hours: what was spent by subject in each of the HOURS whole hours behind us, oldest first. at: places among the last 24 of
    them, those of the hours of the day that are meant."""
    series = [each.get(subject, 0) for each in hours]
    first = next((place for place, amount in enumerate(series) if amount), len(series))
    if len(series) - first < 24:
        return None
    medians = [statistics.median(series[place] for place in _same_hours(each, first)) for each in at]
    return max(statistics.fmean(series[first:]), *medians)


def _same_hours(place: int, first: int) -> list[int]:
    """The same hour of each day since `first`."""
    return [each for each in range(place, -1, -24) if each >= first] or [place]


def in_question(
    last: Mapping[str, int], standing: Mapping[str, Alert], settings: SpendRateSettings
) -> set[str]:
    """The subjects that `judge` could have anything to say about. Callers name features as they like, thousands of them: what
    is usual for each of all those would take seconds to work out."""
    least = nanos(settings.least)
    return {subject for subject, spent in last.items() if spent >= least} | {
        subject for subject, alert in standing.items() if alert.facts.get("state") == "high"
    }


def judge(
    now_ns: int,
    last: Mapping[str, int],
    usuals: Mapping[str, float],
    standing: Mapping[str, Alert],
    settings: SpendRateSettings,
) -> Iterator[Alert]:
    """What to tell now: of each subject only that its state is another than the one told of last.

    last: spent in the last hour. usuals: by subject, those that have a usual. standing: the last alert of each subject; the next
    one has the next number, so that of many nodes that come to the same conclusion one is heard."""
    least = nanos(settings.least)
    for subject, normal in usuals.items():
        before = standing.get(subject)
        was_high = before is not None and before.facts.get("state") == "high"
        spent, border = last.get(subject, 0), max(float(settings.factor) * normal, float(least))
        is_high = spent > border * float(_CALM) if was_high else spent >= border
        if is_high == was_high:
            continue
        number = int(before.facts.get("number", 0)) + 1 if before is not None else 1
        yield _alert(now_ns, subject, spent, normal, number, high=is_high)


def _alert(now_ns: int, subject: str, spent: int, normal: float, number: int, *, high: bool) -> Alert:
    feature = subject.removeprefix("feature:") if subject != ALL else ""
    whose = f"Feature `{feature}`" if feature else "All requests together"
    have = "has" if feature else "have"
    usually = f"{_shown(normal)} USD an hour is usual"
    if high:
        times = f", {spent / normal:.0f} times as much" if normal >= 1 and spent / normal < 1000 else ""
        text = f"{whose} {have} spent {_shown(spent)} USD in the last hour{times}: {usually}."
    else:
        text = f"{whose} {have} come back to {_shown(spent)} USD in the last hour; {usually}."
    facts: dict[str, Fact] = {
        "state": "high" if high else "usual",
        "number": number,
        "spent_usd": float(_shown(spent)),
        "usual_usd": float(_shown(normal)),
    }
    if feature:
        facts["feature"] = feature
    return Alert(
        event=f"{KIND}/{subject}/{number}",
        kind=KIND,
        subject=subject,
        # The end is told to whoever was told of the beginning.
        severity="warning",
        at_ns=now_ns,
        text=text,
        facts=facts,
    )


def _shown(amount: float) -> str:
    return f"{usd(round(amount)):.2f}"
