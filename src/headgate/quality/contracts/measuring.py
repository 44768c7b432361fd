"""What kept a contract's promises and what did not, counted from rollups and scores; never from requests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from headgate.core.sketch import Sketch
from headgate.quality.contracts.burn import SPANS, Counted
from headgate.quality.contracts.settings import ContractSettings, Promise, promises
from headgate.stores.rollups import DAY, HOUR, MINUTE, Rolled, RollupStore, Scope
from headgate.stores.scores import ScoreScope, ScoreStore

__all__ = ["Measured", "counted", "ends", "measure", "points", "spans_of", "value_of"]

_ANSWERABLE = ("ok", "failed", "cut_off")
_UNIT = {"first_content_us": 1e-6, "total_us": 1e-6, "cost_nanos": 1e-9}


@dataclass(slots=True)
class Measured:
    """What happened to one feature in one stretch of time."""

    outcomes: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    degraded: int = 0
    sketches: dict[str, Sketch] = field(default_factory=dict)
    """Of answers."""
    scores: dict[str, tuple[float, int]] = field(default_factory=dict)
    """Name -> sum and number."""

    def add(self, outcome: str, row: Rolled) -> None:
        """Requests that ended so."""
        self.outcomes[outcome] += row.requests
        if outcome == "ok":
            self.degraded += row.degraded
            for name, sketch in row.sketches.items():
                self.sketches.setdefault(name, Sketch()).merge([sketch])


async def measure(
    rollups: RollupStore,
    scores: ScoreStore,
    contracts: Mapping[str, ContractSettings],
    since: int,
    until: int,
) -> Mapping[str, Measured]:
    """By feature, what these contracts are about. Raises StoreUnavailable."""
    found = {feature: Measured() for feature in contracts}
    for row in await _rolled(rollups, contracts, since, until, 0):
        if row.group[0] in found:
            found[row.group[0]].add(row.group[1], row)
    for name in _score_names(contracts.values()):
        for each in await scores.added_up(ScoreScope(since, until, {"name": name}), by=("feature",)):
            if each.group[0] in found:
                found[each.group[0]].scores[name] = (each.total, each.scores)
    return found


async def points(
    rollups: RollupStore, feature: str, contract: ContractSettings, since: int, until: int, step: int
) -> Sequence[tuple[int, Measured]]:
    """The same of one feature step by step, without scores, for a plot."""
    found: dict[int, Measured] = defaultdict(Measured)
    for row in await _rolled(rollups, {feature: contract}, since, until, step):
        found[row.at].add(row.group[1], row)
    return sorted(found.items())


def counted(promise: Promise, contract: ContractSettings, measured: Measured) -> Counted:
    """How many there were, and how many of them kept the promise."""
    if promise.kind == "quality":
        total, number = measured.scores.get(promise.score, (0.0, 0))
        # Of a score that is no part of 1 there are no good ones and bad ones, only a mean.
        good = min(max(total, 0.0), number) if promise.allowed else float(number)
        return Counted(number, good)
    if promise.kind == "availability":
        bad = measured.outcomes["failed"] + measured.outcomes["cut_off"]
        bad += measured.degraded if contract.degraded == "bad" else 0
        total_requests = sum(measured.outcomes[each] for each in _ANSWERABLE)
        return Counted(total_requests, max(total_requests - bad, 0))
    sketch = measured.sketches.get(promise.sketch, Sketch())
    number = sketch.count
    return Counted(number, number - min(sketch.above(promise.sketch_limit), number))


def value_of(promise: Promise, contract: ContractSettings, measured: Measured) -> float | None:
    """What was reached: the part that was answered, the quantile in seconds or USD, the mean."""
    if promise.kind == "quality":
        total, number = measured.scores.get(promise.score, (0.0, 0))
        return total / number if number else None
    if promise.kind == "availability":
        found = counted(promise, contract, measured)
        return found.good / found.total if found.total else None
    quantile = measured.sketches.get(promise.sketch, Sketch()).quantile(promise.objective)
    return None if quantile is None else quantile * _UNIT[promise.sketch]


def ends(now: int, seconds: int) -> tuple[int, int]:
    """The last so many seconds: whole minutes, of a long time whole hours, the one under way included."""
    kept_by = HOUR if seconds >= DAY else MINUTE
    until = -(-(now + 1) // kept_by) * kept_by
    return (now - seconds) // kept_by * kept_by, until


def spans_of(contract: ContractSettings) -> Collection[int]:
    """The windows that are looked at for its burn."""
    return [each for each in SPANS if each < contract.window]


async def _rolled(
    rollups: RollupStore,
    contracts: Mapping[str, ContractSettings],
    since: int,
    until: int,
    step: int,
) -> Sequence[Rolled]:
    sketches = {p.sketch for contract in contracts.values() for p in promises(contract) if p.sketch}
    scope = Scope(since, until, {"feature": next(iter(contracts))} if len(contracts) == 1 else {})
    return await rollups.rolled(scope, step=step, by=("feature", "outcome"), sketches=sketches)


def _score_names(contracts: Collection[ContractSettings]) -> list[str]:
    return list(dict.fromkeys(name for contract in contracts for name in contract.quality))
