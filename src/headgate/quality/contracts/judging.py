"""How promises and contracts stand, and what is said when that changes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import Literal

from headgate.core.section import Duration
from headgate.quality.contracts.burn import Counted, Pace, burn_rate, burning
from headgate.quality.contracts.measuring import Measured, counted, value_of
from headgate.quality.contracts.settings import ContractSettings, Promise, promises
from headgate.stores.alerts import Alert, Fact, Severity
from headgate.stores.rules import Standing

__all__ = [
    "KIND",
    "LITTLE",
    "STATES",
    "Kept",
    "Report",
    "State",
    "alert_of",
    "in_words",
    "report",
    "shown",
    "worst",
]

KIND = "contract"
State = Literal["kept", "at risk", "broken", "no data"]
STATES: tuple[State, ...] = ("no data", "kept", "at risk", "broken")
"""From the best to the worst."""
LITTLE = 0.1
"""Less than this part of its budget of errors left: a promise is at risk however slowly it burns."""
RELIEF = 0.9
"""What was at risk is so until it burns at less than this part of the rate, so that it does not begin and end each minute."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One promise against what happened."""

    promise: Promise
    state: State
    total: float
    """Requests, streams, answers or scores in the window."""
    good: float
    value: float | None
    """What was reached: the part that was answered, seconds, USD, or a mean; None: nothing happened."""
    budget_left: float | None
    """The part of its budget of errors; below 0: more is spent than there was. None: it has none."""
    burns: Mapping[int, float | None]
    """By seconds of the window: how many times as fast as the budget allows."""
    samples: Mapping[int, float]
    """And of how many that is."""
    pace: Pace | None
    """The pace at which it burns; None: at none that counts."""


@dataclass(frozen=True, slots=True)
class Report:
    """A feature's contract against what happened."""

    feature: str
    contract: ContractSettings
    state: State
    """That of the promise that stands worst."""
    promises: Sequence[Kept]


def report(
    feature: str,
    contract: ContractSettings,
    whole: Measured,
    spans: Mapping[int, Measured],
    standing: Mapping[str, str] | None = None,
) -> Report:
    """whole: what happened in the contract's window; spans: in the last so many seconds; standing: promise -> how it stood."""
    found = [
        _kept(promise, contract, whole, spans, (standing or {}).get(promise.name, ""))
        for promise in promises(contract)
    ]
    return Report(feature, contract, worst(each.state for each in found), found)


def worst(states: object) -> State:
    """Of states the one that matters; a promise without data says nothing beside others."""
    return max(states, key=STATES.index, default="no data")  # type: ignore[call-overload, no-any-return]


def alert_of(
    feature: str, before: Standing, after: Standing, kept: Kept, contract: ContractSettings
) -> Alert | None:
    """What is told of a transition; None: nothing, because it was well before and is well now."""
    loud = ("at risk", "broken")
    if before.state == after.state or not (before.state in loud or after.state in loud):
        return None
    worse = after.state if after.state in loud else before.state
    fast = kept.pace is not None and kept.pace.name != "slow"
    severity: Severity = "critical" if worse == "broken" or (after.state == "at risk" and fast) else "warning"
    facts: dict[str, Fact] = {
        "feature": feature,
        "promise": kept.promise.name,
        "state": after.state,
        "before": before.state,
        "of": kept.total,
    }
    if kept.value is not None:
        facts["value"] = round(kept.value, 9)
    if kept.budget_left is not None:
        facts["budget_left"] = round(kept.budget_left, 4)
    if kept.pace is not None:
        facts["pace"] = kept.pace.name
    return Alert(
        event=f"contract/{feature}/{kept.promise.name}/{after.number}/{after.state}",
        kind=KIND,
        subject=f"feature:{feature}",
        severity=severity,
        at_ns=after.since_ns,
        text=_sentence(feature, after.state, kept, contract),
        facts=facts,
    )


def shown(promise: Promise, value: float | None) -> str:
    """A value of a promise as people read it."""
    if value is None:
        return "-"
    if promise.kind == "availability":
        return f"{_percent(value)} %"
    if promise.kind == "quality":
        return _figures(value)
    if promise.kind == "cost":
        return f"{_figures(value)} USD"
    return f"{_figures(1000 * value)} ms" if value < 1 else f"{_figures(value)} s"


def _percent(value: float) -> str:
    """Rounded down, with as many nines as it has and two more figures: one that failed of many is not nothing."""
    missing = 1 - value
    places = 2 if missing <= 0 else min(max(2 - floor(log10(missing) + 2), 2), 9)
    return f"{floor(round(100 * value * 10**places, 6)) / 10**places:.{places}f}".rstrip("0").rstrip(".")


def _figures(value: float) -> str:
    """Three figures that count, never as a power of ten."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    text = f"{value:.3g}"
    return f"{value:.12f}".rstrip("0").rstrip(".") if "e" in text else text


def in_words(contract: ContractSettings) -> str:
    """What it promises, as a part of a sentence."""
    said = [
        f"{each.name} {shown(each, each.limit if each.sketch else each.objective)}"
        for each in promises(contract)
    ]
    return f"promises {', '.join(said)} over {_days(contract.window)}"


def _kept(
    promise: Promise, contract: ContractSettings, whole: Measured, spans: Mapping[int, Measured], stood: str
) -> Kept:
    all_of_it, allowed = counted(promise, contract, whole), promise.allowed
    value = value_of(promise, contract, whole)
    parts = {seconds: counted(promise, contract, each) for seconds, each in spans.items()}
    # Rounded: what is just kept is not broken for the sake of 1 - 0.8 being a little less than 0.2.
    left = round(1 - all_of_it.bad / all_of_it.total / allowed, 9) if all_of_it.total and allowed else None
    relief = RELIEF if stood == "at risk" else 1.0
    pace = burning(parts, allowed, contract.window, relief=relief) if allowed else None
    return Kept(
        promise,
        _state(promise, contract, all_of_it, value, left, pace, stood),
        all_of_it.total,
        all_of_it.good,
        value,
        left,
        {seconds: burn_rate(each, allowed) for seconds, each in parts.items()},
        {seconds: each.total for seconds, each in parts.items()},
        pace,
    )


def _state(
    promise: Promise,
    contract: ContractSettings,
    found: Counted,
    value: float | None,
    left: float | None,
    pace: Pace | None,
    stood: str,
) -> State:
    if found.total < contract.least:
        return "no data"
    if left is None:
        return "broken" if value is not None and value < promise.objective else "kept"
    if left < 0:
        # One alone is no proof, however few are allowed.
        return "broken" if found.bad > 1.5 else "at risk"
    little = LITTLE / RELIEF if stood == "at risk" else LITTLE
    return "at risk" if pace is not None or left < little else "kept"


def _sentence(feature: str, state: str, kept: Kept, contract: ContractSettings) -> str:
    promise = kept.promise
    promised = _promised(promise)
    reached = _reached(promise, kept, contract.window)
    head = f"Feature `{feature}` promises {promised}"
    left = (
        ""
        if kept.budget_left is None
        else f"; {100 * max(kept.budget_left, 0):.0f} % of its error budget is left"
    )
    if state == "broken":
        return f"{head}, and has broken it: {reached}."
    if state == "at risk":
        rate = (
            ""
            if kept.pace is None
            else f"it burns at {kept.burns.get(kept.pace.short) or 0:.1f} times the rate it may: "
        )
        return f"{head}, and that is at risk: {rate}{reached}{left}."
    return (
        f"{head}, and that is kept again: {reached}{left}."
        if state == "kept"
        else f"{head}; there is too little data now to tell."
    )


def _reached(promise: Promise, kept: Kept, window: Duration) -> str:
    """`of 118 answers in the last 7 days, 99 % were complete within 4.78 s`"""
    value, since = shown(promise, kept.value), f"in the last {_days(window)}"
    if promise.kind == "quality":
        return f"of {kept.total:,.0f} judgements {since}, the mean is {value}"
    if promise.kind == "availability":
        return f"of {kept.total:,.0f} requests {since}, {value} were answered"
    counted_ones, what = {
        "first_token": ("streams", "began within"),
        "latency": ("answers", "were complete within"),
        "cost": ("answers", "cost at most"),
    }[promise.kind]
    return f"of {kept.total:,.0f} {counted_ones} {since}, {100 * promise.objective:g} % {what} {value}"


def _promised(promise: Promise) -> str:
    if promise.kind == "availability":
        return f"that {100 * promise.objective:.6g} % of requests are answered"
    if promise.kind == "quality":
        return f"`{promise.score}` of {promise.objective:g} at least"
    what = {
        "first_token": "of streams begin within",
        "latency": "of answers are complete within",
        "cost": "of answers cost at most",
    }
    return f"that {100 * promise.objective:g} % {what[promise.kind]} {shown(promise, promise.limit)}"


def _days(seconds: Duration) -> str:
    days = seconds / 86_400
    return f"{days:g} days" if days > 1 else f"{seconds / 3600:g} hours"
