"""Contracts against what happened, as pages, the API, the command line and CI tell them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from headgate.core.section import Duration
from headgate.quality.contracts.assessing import Assessor
from headgate.quality.contracts.burn import LEAST_SHORT, PACES, burn_rate, rate_of
from headgate.quality.contracts.judging import Kept, Report, shown
from headgate.quality.contracts.measuring import counted, points
from headgate.quality.contracts.settings import ContractSettings, promises
from headgate.quality.contracts.watching import rule_of
from headgate.stores.rollups import RollupStore
from headgate.stores.rules import Standing, StandingStore
from headgate.stores.scores import ScoreStore

__all__ = [
    "BurnSeries",
    "NoContract",
    "burn_series",
    "contract_reports",
    "contracts_in",
    "exit_code",
    "report_facts",
    "with_window",
]


class NoContract(LookupError):
    """A feature that promises nothing, or is none. `names` are those that do."""

    def __init__(self, feature: str, names: Sequence[str]) -> None:
        super().__init__(f"feature `{feature}` has no contract")
        self.feature = feature
        self.names = names


@dataclass(frozen=True, slots=True)
class BurnSeries:
    """How fast one promise burned, step by step."""

    promise: str
    values: Sequence[float | None]


def contracts_in(settings: Any, feature: str | None = None) -> Mapping[str, ContractSettings]:
    """Those of a configuration, by feature; of one feature alone. Raises NoContract."""
    found = {name: each.contract for name, each in settings.features.items() if each.contract is not None}
    if feature is None:
        return found
    if feature not in found:
        raise NoContract(feature, list(found))
    return {feature: found[feature]}


def with_window(
    contracts: Mapping[str, ContractSettings], window: Duration
) -> Mapping[str, ContractSettings]:
    """The same promises over another time. Raises ValueError for one that cannot be."""
    return {name: replace(each, window=window) for name, each in contracts.items()}


async def contract_reports(
    rollups: RollupStore,
    scores: ScoreStore,
    contracts: Mapping[str, ContractSettings],
    now: int,
    store: StandingStore | None = None,
) -> Sequence[Report]:
    """Each contract at this moment. store: what was at risk stays so until it is well over. Raises StoreUnavailable."""
    known: Sequence[Standing] = ()
    if store is not None and contracts:
        known = await store.standings([rule_of(feature) for feature in contracts])
    standing = {(each.rule.partition(":")[2], each.subject): each.state for each in known}
    return await Assessor(rollups, scores).reports(contracts, now, standing)


def exit_code(reports: Sequence[Report], *, strict: bool = False) -> int:
    """What `headgate contract check` ends with: 1 a promise is broken (strict: or at risk), 2 there is not enough data for one,
    0 all are kept."""
    states = {each.state for report in reports for each in report.promises}
    if "broken" in states or (strict and "at risk" in states):
        return 1
    return 2 if "no data" in states or not states else 0


def report_facts(report: Report) -> dict[str, Any]:
    """A report as it is told: times in seconds, money in USD."""
    return {
        "feature": report.feature,
        "state": report.state,
        "window_seconds": float(report.contract.window),
        "promises": [_promise_facts(each, report.contract) for each in report.promises],
    }


async def burn_series(
    rollups: RollupStore, feature: str, contract: ContractSettings, since: int, until: int, step: int
) -> tuple[Sequence[int], Sequence[BurnSeries]]:
    """For a plot: how many times as fast as it may each promise burned its budget in each step. Raises StoreUnavailable."""
    found = dict(await points(rollups, feature, contract, since, until, step))
    at = list(range(since // step * step, until, step))
    wanted = [each for each in promises(contract) if each.kind != "quality"]
    series = []
    for promise in wanted:
        values: list[float | None] = []
        for each in at:
            measured = found.get(each)
            rate = (
                None if measured is None else burn_rate(counted(promise, contract, measured), promise.allowed)
            )
            values.append(rate)
        series.append(BurnSeries(promise.name, values))
    return at, series


def _promise_facts(kept: Kept, contract: ContractSettings) -> dict[str, Any]:
    promise = kept.promise
    limit = promise.limit if promise.sketch else promise.objective
    return {
        "promise": promise.name,
        "state": kept.state,
        "objective": promise.objective,
        "promised": limit,
        "reached": kept.value,
        "promised_text": shown(promise, limit),
        "reached_text": shown(promise, kept.value),
        "total": kept.total,
        "good": kept.good,
        "budget_left": kept.budget_left,
        "pace": "" if kept.pace is None else kept.pace.name,
        "burns": [
            {
                "pace": pace.name,
                "long_seconds": pace.long,
                "short_seconds": pace.short,
                "long_rate": kept.burns.get(pace.long),
                "short_rate": kept.burns.get(pace.short),
                "counts_from": rate_of(pace, contract.window, promise.allowed),
                "enough": kept.samples.get(pace.short, 0) >= LEAST_SHORT,
            }
            for pace in PACES
            if pace.long < contract.window and promise.allowed
        ],
    }
